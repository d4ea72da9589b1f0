//! Tables are served in turn.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use passerelle_model::id::{JobKey, TableId};
use tokio::sync::mpsc;

use crate::world::{World, synced};

/// Jobs of the other table that may run first: what fetches take while they spread the backlog.
const AHEAD: usize = 2000;

#[tokio::test]
async fn a_hundred_thousand_jobs_of_one_table_do_not_delay_another_tables_job() {
    let world = World::start().unwrap();
    for start in (1..=100_000_u64).step_by(200) {
        world.accept(&(start..start + 200).collect::<Vec<_>>()).await.unwrap();
    }
    let mut other = world.delivery(&[7]).unwrap();
    other.table = TableId::new(13).ok();
    let _durable = world.queue.accept(other).await.unwrap();
    assert_eq!(world.queue.stats().await.unwrap().active, 100_001);

    let runs = Arc::new(AtomicUsize::new(0));
    let (ran, mut others) = mpsc::unbounded_channel();
    let worker = world.worker(8, move |leased| {
        let (runs, ran) = (Arc::clone(&runs), ran.clone());
        async move {
            let before = runs.fetch_add(1, Ordering::Relaxed);
            if matches!(&leased.job().key, JobKey::Row(row) if row.table.get() == 13) {
                let _ = ran.send(before);
            }
            leased.settle(synced()).await;
        }
    });
    let before = others.recv().await.unwrap();
    assert!(before < AHEAD, "{before} jobs of the other table ran first");
    worker.stop().await.unwrap();
    let stats = world.queue.stats().await.unwrap();
    let records: u64 = world
        .ask(redis::cmd("HLEN").arg("{bridge}:sync:records"))
        .await
        .unwrap();
    assert_eq!((stats.active, stats.running), (records, 0), "each job is in one place");
}

#[tokio::test]
async fn within_a_table_jobs_run_in_the_order_in_which_they_became_ready_and_tables_take_turns() {
    let world = World::start().unwrap();
    world.accept(&[1, 2, 3, 4]).await.unwrap();
    for (table, row) in [(13, 5), (14, 6), (13, 7)] {
        let mut event = world.delivery(&[row]).unwrap();
        event.table = TableId::new(table).ok();
        let _durable = world.queue.accept(event).await.unwrap();
    }
    let (ran, mut order) = mpsc::unbounded_channel();
    let worker = world.worker(1, move |leased| {
        let ran = ran.clone();
        async move {
            let _ = ran.send(leased.job().key.row().map(|row| row.row.get()));
            leased.settle(synced()).await;
        }
    });
    let mut rows = Vec::new();
    while rows.len() < 7 {
        rows.extend(order.recv().await.unwrap());
    }
    worker.stop().await.unwrap();
    for (earlier, later) in [(1, 2), (2, 3), (3, 4), (5, 7)] {
        let place = |wanted| rows.iter().position(|row| *row == wanted);
        assert!(place(earlier) < place(later), "{rows:?}");
    }
    let last_of_the_first = rows.iter().position(|row| *row == 4);
    assert!(last_of_the_first > rows.iter().position(|row| *row == 6), "{rows:?}");
}
