//! Workers are restarted one by one while rows keep coming: nothing is lost, nothing is doubled.

use std::sync::atomic::{AtomicBool, Ordering};

use system_tests::System;
use system_tests::system::STOPS_WITHIN;
use test_support::eventually;

use crate::project;

const WORKERS: usize = 3;
/// Rows that are at least made, however quick the restarts are.
const ROWS: usize = 40;

/// A process that has only just started does not know yet what a signal means.
async fn all_are_alive(system: &System) {
    eventually("every worker sends heartbeats", async || {
        match system.queue.workers().await {
            Ok(workers) if workers.len() == WORKERS => Ok(()),
            other => Err(format!("{other:?}\n{}", system.logs())),
        }
    })
    .await;
}

#[tokio::test]
async fn workers_restarted_one_by_one_under_load_lose_nothing_and_double_nothing() {
    let mut system = System::builder().workers(WORKERS).start().await.unwrap();
    let baserow = system.baserow.clone();
    let restarted = AtomicBool::new(false);
    let load = async {
        let mut rows = Vec::new();
        while rows.len() < ROWS || !restarted.load(Ordering::Relaxed) {
            let name = format!("projet {}", rows.len());
            let fields = serde_json::json!({"Nom": name, "Statut": "En cours"});
            rows.push(baserow.create("projet", fields).await?);
        }
        anyhow::Ok(rows)
    };
    let each_worker = async {
        for _ in 0..WORKERS {
            all_are_alive(&system).await;
            let mut worker = system.workers.remove(0);
            let status = worker.stop(STOPS_WITHIN).await?;
            anyhow::ensure!(status.success(), "{}", worker.output());
            system.start_worker()?;
        }
        all_are_alive(&system).await;
        anyhow::Ok(())
    };
    // The load ends with the restarts, also with one that fails.
    let restarts = async {
        let result = each_worker.await;
        restarted.store(true, Ordering::Relaxed);
        result
    };
    let (rows, done) = tokio::join!(load, restarts);
    done.unwrap();
    let mut rows = rows.unwrap();
    rows.push(project(&system, "après").await.unwrap());
    system.drain().await;

    for row in &rows {
        let pages = system.docmost.pages_of(*row).await.unwrap();
        assert_eq!(pages.len(), 1, "{row}: {pages:?}");
    }
    assert_eq!(system.docmost.pages("agence").await.unwrap().len(), rows.len());
    let counts = system.every_item_has_one_outcome().await.unwrap();
    assert_eq!(counts.outcomes.get("dead"), None, "{counts:?}");
}
