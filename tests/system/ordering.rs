//! Baserow does not keep the order of events: with several export workers the newest state may be told first.

use serde_json::{Value, json};
use system_tests::System;
use tokio::task::JoinSet;

const WRITERS: usize = 4;
const UPDATES: usize = 60;

#[tokio::test]
async fn sixty_updates_told_out_of_order_end_in_the_final_row_with_few_writes() {
    let system = System::builder().workers(4).start().await.unwrap();
    let settings = json!({"export_workers": 4});
    system
        .baserow
        .control(reqwest::Method::PATCH, "/_sandbox/baserow/settings", Some(settings))
        .await
        .unwrap();
    let row = system.baserow.create("projet", json!({"Nom": "Début"})).await.unwrap();
    system.drain().await;
    // A wiki takes its time, and then one write stands for many events.
    let slow = json!({"path": "/api/pages/update", "kind": "delay", "ms": 100});
    system.break_docmost(&[slow]).await.unwrap();

    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let baserow = system.baserow.clone();
        writers.spawn(async move {
            for number in (writer..UPDATES).step_by(WRITERS) {
                baserow.update(row, json!({"Nom": format!("Version {number}")})).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(writer) = writers.join_next().await {
        writer.unwrap().unwrap();
    }
    system.drain().await;

    assert!(
        inversions(&system).await.unwrap() > 0,
        "the events came in order: nothing was proven"
    );
    let name = system.baserow.read(row).await.unwrap()["Nom"].clone();
    let pages = system.docmost.pages_of(row).await.unwrap();
    assert_eq!(pages.len(), 1, "{pages:?}");
    assert_eq!(
        pages[0]["title"],
        format!("Projet {} - (sans client)", name.as_str().unwrap())
    );
    let changes = system.docmost.calls("/api/pages/update").await.unwrap();
    assert!(
        changes <= UPDATES / 2,
        "{changes} changes of the page for {UPDATES} events of one row"
    );
    system.every_item_has_one_outcome().await.unwrap();
}

/// How many deliveries did not go on from the state that the one before them had told.
async fn inversions(system: &System) -> anyhow::Result<usize> {
    let path = "/_sandbox/baserow/attempts";
    let attempts = system.baserow.control(reqwest::Method::GET, path, None).await?;
    let attempts = attempts.as_array().cloned().unwrap_or_default();
    let bodies: Vec<Value> = attempts
        .iter()
        .filter(|attempt| attempt["event_type"] == "rows.updated")
        .filter_map(|attempt| serde_json::from_str(attempt["body"].as_str()?).ok())
        .collect();
    anyhow::ensure!(bodies.len() >= UPDATES, "only {} deliveries", bodies.len());
    let breaks = bodies
        .windows(2)
        .filter(|pair| pair[0]["items"][0]["Nom"] != pair[1]["old_items"][0]["Nom"]);
    Ok(breaks.count())
}

/// A Baserow before 1.29.3 does not know `send_webhook_events`: each write of the bridge comes back as an event.
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
