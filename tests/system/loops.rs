//! Rows that go in circles, through real processes: whatever writes into a row again and again, the
//! bridge does not join in for long.

use std::time::Duration;

use anyhow::Context as _;
use passerelle_model::id::RowKey;
use serde_json::{Value, json};
use system_tests::people::ADMIN;
use system_tests::{System, SystemBuilder};
use test_support::eventually;

fn builder() -> SystemBuilder {
    System::builder().with_mail()
}

async fn project(system: &System, name: &str) -> anyhow::Result<RowKey> {
    let client = system.baserow.create("client", json!({"Name": "Atelier Nord"})).await?;
    let fields = json!({"Nom": name, "Statut": "En cours", "Client": [client.row.get()]});
    system.baserow.create("projet", fields).await
}

/// An update of a row whose new content is always the same.
fn update(row: RowKey, number: usize) -> String {
    let item = |name: &str| json!({"id": row.row.get(), "order": "1.0", "Nom": name});
    json!({
        "table_id": row.table.get(), "database_id": 1, "workspace_id": 1, "webhook_id": 1,
        "event_id": format!("7a1c0c5e-0000-4000-8000-{number:012}"), "event_type": "rows.updated",
        "items": [item("Refonte")], "old_items": [item("Avant")],
    })
    .to_string()
}

/// How often the bridge has written a page.
async fn page_writes(system: &System) -> anyhow::Result<usize> {
    let log = system
        .docmost
        .control(reqwest::Method::GET, "/_sandbox/log", None)
        .await?;
    let calls = log.as_array().context("the log is no list")?;
    let writes = ["/api/pages/create", "/api/pages/update"];
    Ok(calls
        .iter()
        .filter(|call| writes.contains(&call["path"].as_str().unwrap_or_default()))
        .count())
}

/// The latest event of a row says so.
async fn told_in_its_story(system: &System, row: RowKey, words: &str) {
    eventually(&format!("the story says {words:?}"), async || {
        match system.operator(&["trace", &row.to_string(), "--limit", "1"]).await {
            Ok(story) if story.contains(words) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
}

/// How many rows are parked, as an operator sees it, once the first worker has made the database.
async fn parked(system: &System) -> anyhow::Result<usize> {
    let stats = eventually("the operator's program reads the database", async || {
        system.operator(&["stats", "--json"]).await
    })
    .await;
    let stats: Value = serde_json::from_str(&stats)?;
    Ok(stats["queue"]["parked"]
        .as_array()
        .context("no list of parked rows")?
        .len())
}

async fn is_parked(system: &System) {
    eventually("the row is parked", async || match parked(system).await {
        Ok(1) => Ok(()),
        other => Err(format!("{other:?}\n{}", system.logs())),
    })
    .await;
}

/// I3
#[tokio::test]
async fn a_hundred_identical_events_in_a_minute_park_the_row_alert_once_and_lose_nothing() {
    let system = builder()
        .without_webhook()
        .variable("LOOP_COOLDOWN_SECONDS", "20")
        .start()
        .await
        .unwrap();
    let row = project(&system, "Refonte").await.unwrap();
    assert_eq!(system.caller().post(update(row, 999)).await.unwrap().status, 200);
    system.drain().await;
    for number in 0..100 {
        let answer = system.caller().post(update(row, number)).await.unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    is_parked(&system).await;
    let mails = system.people.mails_reach(1).await;
    assert_eq!(mails[0].to, [ADMIN]);
    assert!(mails[0].subject.contains("projet/"), "{mails:?}");
    assert_eq!(page_writes(&system).await.unwrap(), 1, "{}", system.logs());
    told_in_its_story(&system, row, "is parked until").await;

    // A genuinely different state gets through when the cool-down is over.
    system.baserow.update(row, json!({"Nom": "Refonte 2"})).await.unwrap();
    let answer = system.caller().post(update(row, 100)).await.unwrap();
    assert_eq!(answer.status, 200);
    system.drain().await;
    let pages = system.docmost.pages_of(row).await.unwrap();
    assert_eq!(
        (pages.len(), pages[0]["title"].as_str()),
        (1, Some("Projet Refonte 2 - Atelier Nord"))
    );
    assert_eq!(system.people.mails().await.unwrap().len(), 1, "told once");
    let counts = system.store().await.unwrap().counts().await.unwrap();
    assert_eq!((counts.items, counts.open, counts.missing()), (102, 0, 0), "{counts:?}");
}

/// Another automation undoes what the row says as soon as the page has followed: without a limit
/// neither would ever end.
#[tokio::test]
async fn two_automations_that_feed_each_other_end_parked_with_one_alert() {
    // Rounds are counted, and however long one takes, they count: what has no limit shows by their
    // number.
    let builder = builder().variable("LOOP_WINDOW_SECONDS", "600");
    let system = builder.start().await.unwrap();
    let row = project(&system, "Ping").await.unwrap();
    let mut rounds = 0;
    let limit = tokio::time::timeout(Duration::from_mins(3), async {
        let mut name = "Ping";
        while parked(&system).await? == 0 {
            followed(&system, row, name).await?;
            name = if name == "Ping" { "Pong" } else { "Ping" };
            system.baserow.update(row, json!({"Nom": name})).await?;
            rounds += 1;
            anyhow::ensure!(rounds <= 30, "{rounds} rounds");
        }
        anyhow::Ok(())
    });
    limit.await.unwrap().unwrap();
    // Automations do not stop by themselves; the job of the next event is the first to find the row
    // parked, if that of the last one was faster.
    system.baserow.update(row, json!({"Nom": "Ping Pong"})).await.unwrap();
    let mails = system.people.mails_reach(1).await;
    assert!(mails[0].subject.contains("projet/"), "{mails:?}");
    let writes = page_writes(&system).await.unwrap();
    assert!(writes <= 31, "{writes} writes");
    assert_eq!(system.people.mails().await.unwrap().len(), 1);
    // The row is still left alone.
    system.expect_open(1);
}

/// The page has the row's name, or the row is parked meanwhile.
async fn followed(system: &System, row: RowKey, name: &str) -> anyhow::Result<()> {
    let title = format!("Projet {name} - Atelier Nord");
    let mut looks = tokio::time::interval(Duration::from_millis(20));
    loop {
        looks.tick().await;
        let pages = system.docmost.pages_of(row).await?;
        if pages.first().is_some_and(|page| page["title"] == title) || parked(system).await? > 0 {
            return Ok(());
        }
    }
}

/// D2, D3: a Baserow that is too old for `send_webhook_events` tells us of our own writes.
#[tokio::test]
async fn an_old_baserow_that_tells_us_of_our_own_writes_starts_no_loop() {
    let system = builder().start().await.unwrap();
    let settings = json!({"ignores_send_webhook_events": true});
    let path = "/_sandbox/baserow/settings";
    system
        .baserow
        .control(reqwest::Method::PATCH, path, Some(settings))
        .await
        .unwrap();
    let row = project(&system, "Refonte").await.unwrap();
    system.drain().await;
    system.baserow.update(row, json!({"Nom": "Refonte 2"})).await.unwrap();
    system.drain().await;
    let pages = system.docmost.pages_of(row).await.unwrap();
    assert_eq!(
        (pages.len(), pages[0]["title"].as_str()),
        (1, Some("Projet Refonte 2 - Atelier Nord"))
    );
    assert_eq!(page_writes(&system).await.unwrap(), 2);
    let counts = system.store().await.unwrap().counts().await.unwrap();
    assert_eq!(counts.outcomes.get("echo"), Some(&1), "our write came back: {counts:?}");
    assert_eq!(
        (
            parked(&system).await.unwrap(),
            system.people.mails().await.unwrap().len()
        ),
        (0, 0)
    );
}

/// D4
#[tokio::test]
async fn a_write_that_somebody_undoes_is_repeated_but_not_at_once() {
    let system = builder().variable("WORKER_REPEAT_SECONDS", "15").start().await.unwrap();
    let row = project(&system, "Refonte").await.unwrap();
    system.drain().await;
    // The page's id is taken away; and a change that is taken back at once calls the bridge, for
    // which the page has not changed.
    let emptied = json!({"docmost_page_id": "", "docmost_url": "", "Statut": "Terminé"});
    let silently = format!(
        "/api/database/rows/table/{}/{}/?user_field_names=true&send_webhook_events=false",
        row.table, row.row
    );
    system
        .baserow
        .control(reqwest::Method::PATCH, &silently, Some(emptied))
        .await
        .unwrap();
    system.baserow.update(row, json!({"Statut": "En cours"})).await.unwrap();
    told_in_its_story(&system, row, "has been undone since").await;
    system.drain().await;
    let fields = system.baserow.read(row).await.unwrap();
    assert!(
        fields["docmost_page_id"].as_str().is_some_and(|id| !id.is_empty()),
        "{fields}"
    );
    assert_eq!(page_writes(&system).await.unwrap(), 1);
}
