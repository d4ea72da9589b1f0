//! Tables whose rule is broken.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use passerelle_model::id::{JobKey, TableId};
use passerelle_model::ledger::{LedgerRecord, Verdict};
use passerelle_queue::{Leased, Queue};
use test_support::eventually;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::time::Instant;

use crate::world::{World, failure, settlement, synced};

/// The wait for the first probe.
const WAIT: Duration = Duration::from_millis(200);

/// The jobs of table 12 find its rule broken until it is mended.
async fn attempt(leased: Leased, queue: Queue, is_mended: Arc<AtomicBool>, ran: UnboundedSender<(u64, Instant)>) {
    let table = leased.job().key.row().map_or(0, |row| row.table.get());
    let _ = ran.send((table, Instant::now()));
    if table != 12 || is_mended.load(Ordering::SeqCst) {
        leased.settle(synced()).await;
        return;
    }
    let held = queue
        .hold_table(&leased.job().key, "the field is gone", WAIT, WAIT * 4)
        .await;
    assert!(held.is_ok(), "{held:?}");
    let later = Verdict::Hold {
        after_ms: 1,
        failure: failure(),
    };
    leased.settle(settlement(later)).await;
}

#[tokio::test]
async fn a_held_table_lets_one_job_through_now_and_then_and_all_when_its_rule_is_mended() {
    let world = World::start().unwrap();
    world.accept(&(1..=40).collect::<Vec<_>>()).await.unwrap();
    let is_mended = Arc::new(AtomicBool::new(false));
    let (ran, mut runs) = unbounded_channel();
    let (queue, mended) = (world.queue.clone(), Arc::clone(&is_mended));
    let worker = world.worker(1, move |leased| {
        attempt(leased, queue.clone(), Arc::clone(&mended), ran.clone())
    });
    // The table is held by its first job.
    let (_, began) = runs.recv().await.unwrap();
    let mut probes = 0;
    for row in 1..=30 {
        let mut other = world.delivery(&[row]).unwrap();
        other.table = TableId::new(13).ok();
        let _durable = world.queue.accept(other).await.unwrap();
    }
    let mut others = 0;
    while others < 30 || probes < 3 {
        match runs.recv().await.unwrap() {
            (12, _) => probes += 1,
            _ => others += 1,
        }
    }
    let waited = began.elapsed();
    // After 200, 400 and 800 ms, and every 800 ms then.
    assert!(waited > WAIT * 7, "three probes within {waited:?}");
    assert!(
        probes <= 3 + waited.as_millis() / (WAIT * 4).as_millis(),
        "{probes} probes within {waited:?}"
    );
    let held = world.queue.held_tables().await.unwrap();
    assert_eq!(
        (held.len(), held[0].table.as_str(), held[0].why.as_str()),
        (1, "t12", "the field is gone")
    );
    let stats = world.queue.stats().await.unwrap();
    assert_eq!(stats.dead, 0);
    assert!(stats.held >= 38, "{stats:?}");

    is_mended.store(true, Ordering::SeqCst);
    let stats = world.drained().await;
    worker.stop().await.unwrap();
    assert_eq!((stats.dead, stats.held), (0, 0));
    assert_eq!(world.queue.held_tables().await.unwrap(), []);
    let facts = world.facts().await.unwrap();
    let done = facts
        .iter()
        .filter(|fact| matches!(fact, LedgerRecord::Attempt(attempt) if matches!(attempt.verdict, Verdict::Done(_))));
    assert_eq!(done.count(), 70);
}

#[tokio::test]
async fn a_probe_whose_handler_vanished_is_followed_by_another() {
    let world = World::start().unwrap();
    world.errors.expect("ended without settling it");
    world.accept(&[1, 2]).await.unwrap();
    let job = JobKey::parse("t12/r9").unwrap();
    world.queue.hold_table(&job, "no right", WAIT, WAIT).await.unwrap();
    let is_first = AtomicBool::new(true);
    let worker = world.worker(1, move |leased| {
        let vanishes = is_first.swap(false, Ordering::SeqCst);
        async move {
            // Dropped without a verdict: what a handler that vanished leaves.
            if vanishes {
                drop(leased);
            } else {
                leased.settle(synced()).await;
            }
        }
    });
    eventually("the hold is over", async || match world.queue.held_tables().await {
        Ok(held) if held.is_empty() => Ok(()),
        other => Err(other),
    })
    .await;
    world.drained().await;
    worker.stop().await.unwrap();
    assert_eq!(world.each_item_ended_once().await.unwrap(), 2);
}
