//! An old dead letter must never bring an old state of its row back.

use serde_json::json;
use system_tests::System;

use crate::dead_rows;

#[tokio::test]
async fn replaying_an_old_letter_never_overwrites_a_newer_state_of_its_row() {
    let system = System::builder().start().await.unwrap();
    let row = dead_rows(&system, &["ancien"]).await.unwrap()[0];
    system.baserow.update(row, json!({"Nom": "nouveau"})).await.unwrap();
    system.drain().await;
    let listed = system.operator(&["dead", "list"]).await.unwrap();
    assert!(
        listed.contains("superseded"),
        "the row has been carried out since: {listed}"
    );

    system
        .operator(&[
            "dead",
            "replay",
            "--all",
            "--no-canary",
            "--why",
            "Docmost takes it now",
            "--by",
            "lea",
        ])
        .await
        .unwrap();
    system.drain().await;
    let pages = system.docmost.pages_of(row).await.unwrap();
    assert_eq!(pages.len(), 1, "{pages:?}");
    let title = pages[0]["title"].as_str().unwrap_or_default();
    assert!(title.starts_with("Projet nouveau"), "{title}");
    assert_eq!(system.queue.stats().await.unwrap().dead, 0);
    system.expect_dead(0);
}
