//! A newer build takes over what an older one left behind.
//!
//! `first-layout/` was left by the first build with this layout: row 1 synced and changed since,
//! row 2 dead, row 3 running when its worker was killed in a create, row 4 held because Docmost had
//! asked to wait, row 5 queued; the last facts were not yet in the store.

use std::path::Path;

use passerelle_model::id::RowKey;
use serde_json::json;
use system_tests::System;
use test_support::eventually;

/// The rows of the fixture, in the order of their numbers.
const NAMES: [&str; 5] = ["Synced later", "Dead", "Running", "Held", "Queued"];

async fn upgraded() -> anyhow::Result<(System, Vec<RowKey>)> {
    let left = Path::new(env!("CARGO_MANIFEST_DIR")).join("upgrade/first-layout");
    let mut system = System::builder()
        .taking_over(&left)
        .without_webhook()
        .workers(0)
        // The fixture grows older; its events shall not be retired under the test.
        .variable("LEDGER_KEEP_DAYS", "0")
        // Nor shall its last reconciliation be too long ago.
        .worker_variable("WORKER_RECONCILE_SECONDS", "0")
        .worker_variable("WORKER_ZOMBIE_WINDOW_SECONDS", "1")
        .start()
        .await?;
    // The outage that the older build saw began long ago.
    system.expect_errors("docmost has been in trouble");
    let mut rows = Vec::new();
    for name in NAMES {
        rows.push(system.baserow.import("projet", json!({"Nom": name})).await?);
    }
    system.start_worker()?;
    // The gate was stopped by the older build. Its probe and its ramp would take minutes.
    system
        .operator(&[
            "gates",
            "release",
            "docmost:write",
            "--by",
            "the test",
            "--why",
            "Docmost answers again",
        ])
        .await?;
    Ok((system, rows))
}

#[tokio::test]
async fn jobs_that_an_older_build_left_waiting_running_held_and_dead_all_come_to_their_end() {
    let (system, rows) = upgraded().await.unwrap();
    for (row, name) in rows.iter().zip(NAMES).filter(|(_, name)| *name != "Dead") {
        let title = format!("Projet {name}");
        eventually(&format!("{name} has its page"), async || {
            let fields = system.baserow.read(*row).await.map_err(|error| error.to_string())?;
            let id = fields["docmost_page_id"].as_str().unwrap_or_default().to_owned();
            if id.is_empty() {
                return Err(format!("{fields}\n{}", system.logs()));
            }
            let page = system.docmost.page(&id).await.map_err(|error| error.to_string())?;
            let found = page["title"].as_str().unwrap_or_default().to_owned();
            if found.starts_with(&title) { Ok(()) } else { Err(found) }
        })
        .await;
    }
    system.drain().await;
    let letters = system.operator(&["dead", "list"]).await.unwrap();
    assert!(letters.contains("t2/r2") && letters.contains("permanent"), "{letters}");
    let counts = system.every_item_has_one_outcome().await.unwrap();
    assert_eq!(counts.items, 6, "{counts:?}\n{}", system.logs());

    system
        .operator(&["dead", "replay", "--all", "--by", "the test", "--why", "upgraded"])
        .await
        .unwrap();
    system.drain().await;
    let fields = system.baserow.read(rows[1]).await.unwrap();
    assert_ne!(fields["docmost_page_id"], "", "{}", system.logs());
}
