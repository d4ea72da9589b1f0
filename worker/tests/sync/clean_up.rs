//! Duplicate pages that appear long after an unknown outcome.

use passerelle_model::outcome::Outcome;
use passerelle_model::time::{LongAgo, Timestamp};
use passerelle_sandbox::faults::{Fault, FaultKind};
use passerelle_worker::maintenance::tasks::clean_up;
use serde_json::{Value, json};
use test_support::eventually;

use crate::world::World;

/// A row whose first create was abandoned; the wiki carries it out seconds after the row has its
/// page.
async fn with_a_late_duplicate(world: &World) -> anyhow::Result<passerelle_model::id::RowKey> {
    let row = world.project("Refonte").await?;
    let late = FaultKind::ZombieWrite {
        after_ms: Some(8_000),
        after_release_ms: 0,
    };
    world.docmost_fault(Fault::on("/api/pages/create", late).times(1));
    let _ = world.attempt(row).await;
    anyhow::ensure!(world.sync_eventually(row).await == Outcome::Synced);
    eventually("the abandoned create is carried out", async || {
        match world.pages().await {
            Ok(pages) if pages.len() == 2 => Ok(()),
            other => Err(other.map(|pages| pages.len())),
        }
    })
    .await;
    Ok(row)
}

#[tokio::test]
async fn a_duplicate_that_appears_after_the_window_is_found_and_trashed_and_the_steps_say_so() {
    let world = World::start().await.unwrap();
    let row = with_a_late_duplicate(&world).await.unwrap();
    let linked = world.row(row).await.unwrap()["docmost_page_id"].clone();
    assert_eq!(
        world.sync(row).await.unwrap(),
        Outcome::NoChange,
        "the row itself is content"
    );

    assert_eq!(clean_up::run(&world.context).await.unwrap(), 1);
    assert_eq!(world.requested_rows().await.unwrap(), [row]);
    let settlement = world.attempt(row).await;
    assert!(
        settlement.steps.iter().any(|step| step.name == "second_page"),
        "{settlement:#?}"
    );
    let pages = world.pages().await.unwrap();
    assert_eq!((pages.len(), &pages[0]["id"]), (1, &linked), "the linked page stays");
    assert_eq!(world.sync(row).await.unwrap(), Outcome::NoChange);
    assert_eq!(
        clean_up::run(&world.context).await.unwrap(),
        0,
        "nothing is left to find"
    );
}

#[tokio::test]
async fn a_copy_that_a_person_made_is_no_duplicate() {
    let world = World::start().await.unwrap();
    let row = world.project("Refonte").await.unwrap();
    world.docmost_fault(Fault::on("/api/pages/create", FaultKind::LostAnswer).times(1));
    let _ = world.attempt(row).await;
    assert_eq!(world.sync_eventually(row).await, Outcome::Synced);
    let page = world.pages().await.unwrap()[0]["id"].clone();
    world
        .as_person("pages/duplicate", json!({"pageId": page}))
        .await
        .unwrap();
    assert_eq!(world.pages().await.unwrap().len(), 2);
    eventually("the doubt is old enough", async || {
        let doubts = world
            .context
            .store
            .unconfirmed_creates(LongAgo::of_age(world.context.zombie_window, Timestamp::now()), 10);
        match doubts.await {
            Ok(doubts) if doubts.len() == 1 => Ok(()),
            other => Err(other),
        }
    })
    .await;
    assert_eq!(clean_up::run(&world.context).await.unwrap(), 0);
    assert_eq!(world.pages().await.unwrap().len(), 2, "the copy lives");
}

impl World {
    /// Calls Docmost as a person who writes there beside the bridge.
    async fn as_person(&self, path: &str, body: Value) -> anyhow::Result<Value> {
        use passerelle_sandbox::docmost::{HUMAN_EMAIL, HUMAN_PASSWORD};
        let http = reqwest::Client::builder().build()?;
        let login = json!({"email": HUMAN_EMAIL, "password": HUMAN_PASSWORD});
        let url = format!("{}/api/auth/login", self.docmost.url());
        let answer = http.post(url).json(&login).send().await?.error_for_status()?;
        let cookies = answer.headers().get_all("set-cookie").iter();
        let token = cookies
            .filter_map(|cookie| cookie.to_str().ok()?.strip_prefix("authToken="))
            .find_map(|rest| rest.split(';').next().map(str::to_owned));
        let request = http.post(format!("{}/api/{path}", self.docmost.url()));
        let request = request.bearer_auth(token.unwrap_or_default()).json(&body);
        Ok(request.send().await?.error_for_status()?.json().await?)
    }
}
