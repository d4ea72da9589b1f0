//! Baserow does not keep the order of events: with several export workers the newest state may be
//! told first.

use std::ops::Range;

use passerelle_model::id::RowKey;
use serde_json::{Value, json};
use system_tests::System;
use test_support::eventually;
use tokio::task::JoinSet;

const WRITERS: usize = 4;
const UPDATES: usize = 60;

#[tokio::test]
async fn updates_told_out_of_order_end_in_the_final_row() {
    let (system, row) = start().await.unwrap();
    // With four export workers some events overtake others, sooner or later.
    let mut updates = 0;
    eventually("events have come out of order", async || {
        update(&system, row, updates..updates + UPDATES).await.unwrap();
        updates += UPDATES;
        system.drained_webhooks().await;
        match inversions(&system, updates).await {
            Ok(1..) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    system.drain().await;
    the_page_has_the_name_of_its_row(&system, row).await.unwrap();
    system.every_item_has_one_outcome().await.unwrap();
}

#[tokio::test]
async fn sixty_updates_that_wait_together_are_one_write() {
    let (system, row) = start().await.unwrap();
    let before = system.docmost.calls("/api/pages/update").await.unwrap();
    system
        .operator(&["pause", "--why", "the updates shall meet", "--by", "lea"])
        .await
        .unwrap();
    update(&system, row, 0..UPDATES).await.unwrap();
    system.drained_webhooks().await;
    system
        .operator(&["resume", "--why", "they have met", "--by", "lea"])
        .await
        .unwrap();
    system.drain().await;
    the_page_has_the_name_of_its_row(&system, row).await.unwrap();
    let writes = system.docmost.calls("/api/pages/update").await.unwrap() - before;
    assert_eq!(writes, 1, "{UPDATES} events of one row");
    let counts = system.every_item_has_one_outcome().await.unwrap();
    let overtaken = i64::try_from(UPDATES).unwrap() - 1;
    assert_eq!(counts.outcomes.get("superseded"), Some(&overtaken), "{counts:?}");
}

/// Four workers and four export workers, and a project with its page.
async fn start() -> anyhow::Result<(System, RowKey)> {
    let system = System::builder().workers(4).start().await?;
    let settings = json!({"export_workers": 4});
    system
        .baserow
        .control(reqwest::Method::PATCH, "/_sandbox/baserow/settings", Some(settings))
        .await?;
    let row = system.baserow.create("projet", json!({"Nom": "Début"})).await?;
    system.drain().await;
    Ok((system, row))
}

/// Names the row after each of these numbers, by several people at once.
async fn update(system: &System, row: RowKey, numbers: Range<usize>) -> anyhow::Result<()> {
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let (baserow, numbers) = (system.baserow.clone(), numbers.clone());
        writers.spawn(async move {
            for number in numbers.skip(writer).step_by(WRITERS) {
                baserow.update(row, json!({"Nom": format!("Version {number}")})).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(writer) = writers.join_next().await {
        writer??;
    }
    Ok(())
}

async fn the_page_has_the_name_of_its_row(system: &System, row: RowKey) -> anyhow::Result<()> {
    let fields = system.baserow.read(row).await?;
    let title = format!("Projet {} - (sans client)", fields["Nom"].as_str().unwrap_or_default());
    let pages = system.docmost.pages_of(row).await?;
    anyhow::ensure!(pages.len() == 1 && pages[0]["title"] == title, "{pages:?}\n{fields}");
    Ok(())
}

/// How many deliveries did not go on from the state that the one before them had told.
async fn inversions(system: &System, updates: usize) -> anyhow::Result<usize> {
    let path = "/_sandbox/baserow/attempts";
    let attempts = system.baserow.control(reqwest::Method::GET, path, None).await?;
    let attempts = attempts.as_array().cloned().unwrap_or_default();
    let bodies: Vec<Value> = attempts
        .iter()
        .filter(|attempt| attempt["event_type"] == "rows.updated")
        .filter_map(|attempt| serde_json::from_str(attempt["body"].as_str()?).ok())
        .collect();
    anyhow::ensure!(bodies.len() >= updates, "only {} deliveries", bodies.len());
    let breaks = bodies
        .windows(2)
        .filter(|pair| pair[0]["items"][0]["Nom"] != pair[1]["old_items"][0]["Nom"]);
    Ok(breaks.count())
}

/// A Baserow before 1.29.3 does not know `send_webhook_events`: each write of the bridge comes back
/// as an event.
#[tokio::test]
async fn a_baserow_that_echoes_our_writes_causes_no_second_write() {
    let system = System::builder().start().await.unwrap();
    let settings = json!({"ignores_send_webhook_events": true, "echo_before_answer": true});
    system
        .baserow
        .control(reqwest::Method::PATCH, "/_sandbox/baserow/settings", Some(settings))
        .await
        .unwrap();
    let row = system.baserow.create("projet", json!({"Nom": "Boucle"})).await.unwrap();
    system.drain().await;
    let page = system.docmost.pages_of(row).await.unwrap().remove(0);
    assert_eq!(system.baserow.read(row).await.unwrap()["docmost_page_id"], page["id"]);
    system
        .baserow
        .update(row, json!({"Nom": "Boucle rompue"}))
        .await
        .unwrap();
    system.drain().await;

    let creates = system.docmost.calls("/api/pages/create").await.unwrap();
    let updates = system.docmost.calls("/api/pages/update").await.unwrap();
    assert_eq!(
        (creates, updates),
        (1, 1),
        "one create, one change of the title, whatever came back"
    );
    let counts = system.every_item_has_one_outcome().await.unwrap();
    assert_eq!(counts.outcomes.get("echo"), Some(&1), "{counts:?}");
    assert_eq!(counts.outcomes.get("synced"), Some(&2), "{counts:?}");
    assert_eq!(counts.items, 3, "{counts:?}");
}
