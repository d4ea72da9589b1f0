//! The reconciliation compares what pages say with their rows, and reads no page that has not
//! changed since it was last known to be right.

use passerelle_model::event::EventKind;
use passerelle_model::outcome::Outcome;
use passerelle_sandbox::docmost::HUMAN_EMAIL;
use passerelle_sandbox::docmost::editor::Editor;
use passerelle_worker::maintenance::reconcile::{Resume, Scope, Walk};
use reqwest::Method;
use rstest::rstest;
use serde_json::json;

use crate::world::World;

const TEMPLATE: &str = "Statut : {{ row.Statut }}";

impl World {
    /// What a walk through all rows finds, as "row reason detail"; and how many pages it read.
    async fn compared(&self) -> anyhow::Result<(Vec<String>, usize)> {
        let before = self.pages_read();
        let mut walk = Walk::begin(&self.context, Scope::default(), &Resume::default()).await?;
        let mut found = Vec::new();
        while let Some(look) = walk.step().await? {
            for finding in look.findings {
                let said = serde_json::to_value(&finding)?;
                let detail = said["detail"].as_str().unwrap_or_default();
                found.push(format!("{} {} {detail}", finding.row, finding.reason.as_str()));
            }
        }
        Ok((found, self.pages_read() - before))
    }

    fn pages_read(&self) -> usize {
        let calls = self.docmost.calls.list().into_iter();
        calls.filter(|call| call.path == "/api/pages/info").count()
    }
}

#[rstest]
#[case("section")]
#[case("replace")]
#[tokio::test]
async fn what_a_page_says_is_compared_after_docmost_went_back_and_mended(#[case] follows: &str) {
    let lines = format!("body_updates = \"{follows}\"\n");
    let world = World::with_page(&lines, TEMPLATE).await.unwrap();
    let mut rows = Vec::new();
    for name in ["Un", "Deux", "Trois"] {
        let row = world.project(name).await.unwrap();
        world.synced(row).await.unwrap();
        rows.push(row);
    }
    assert_eq!(world.compared().await.unwrap(), (vec![], 0));
    world.docmost_control(Method::PUT, "backup").await.unwrap();
    world.change(rows[1], json!({"Statut": "Brouillon"})).await.unwrap();
    world.synced(rows[1]).await.unwrap();
    assert_eq!(world.compared().await.unwrap(), (vec![], 0));
    world.docmost_control(Method::POST, "backup").await.unwrap();

    let word = if follows == "section" { "section" } else { "text" };
    let found = format!("{} page_changed {word}", rows[1]);
    assert_eq!(world.compared().await.unwrap(), (vec![found], 1));
    let forced = world.sync_as(rows[1], EventKind::Forced, "forced").await;
    assert_eq!(forced.unwrap(), Outcome::Synced);
    assert_eq!(world.compared().await.unwrap(), (vec![], 0));
    let page = &world.pages().await.unwrap()[1];
    let said = page["markdown"].as_str().unwrap();
    assert!(said.contains("Statut : Brouillon"), "{said}");
}

#[tokio::test]
async fn a_page_beside_whose_section_people_wrote_is_read_once() {
    let world = World::with_page("body_updates = \"section\"\n", TEMPLATE)
        .await
        .unwrap();
    let row = world.project("Un").await.unwrap();
    world.synced(row).await.unwrap();
    let page = world.pages().await.unwrap()[0]["id"].as_str().unwrap().to_owned();
    let mut person = Editor::open(&world.docmost.url(), HUMAN_EMAIL, &page).await.unwrap();
    person.write("notes de réunion").await.unwrap();
    person.close().await.unwrap();
    world
        .docmost_control(Method::DELETE, "collab?stored=true")
        .await
        .unwrap();
    assert_eq!(world.compared().await.unwrap(), (vec![], 1));
    assert_eq!(world.compared().await.unwrap(), (vec![], 0));
}

#[tokio::test]
async fn a_page_whose_label_people_took_away_is_compared_by_reading_it() {
    let world = World::with_page("body_updates = \"section\"\n", TEMPLATE)
        .await
        .unwrap();
    let row = world.project("Un").await.unwrap();
    world.synced(row).await.unwrap();
    let page = world.pages().await.unwrap()[0]["id"].clone();
    let labels = world
        .wiki_as(HUMAN_EMAIL, "pages/labels", json!({ "pageId": page }))
        .await;
    for label in labels.unwrap()["items"].as_array().unwrap() {
        let label = json!({"pageId": page, "labelId": label["id"]});
        world.wiki_as(HUMAN_EMAIL, "pages/labels/remove", label).await.unwrap();
    }
    assert_eq!(world.compared().await.unwrap(), (vec![], 1));
}
