//! What workers may rely on.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use passerelle_model::ledger::{LedgerRecord, Verdict};
use passerelle_model::outcome::Outcome;
use passerelle_queue::Settled;
use test_support::eventually;
use tokio::sync::{Semaphore, mpsc};

use crate::world::{World, failure, settlement, synced};

#[tokio::test]
async fn an_accepted_row_is_run_once_and_its_record_is_gone() {
    let world = World::start().unwrap();
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&runs);
    let worker = world.worker(4, move |leased| {
        let counted = Arc::clone(&counted);
        async move {
            counted.fetch_add(1, Ordering::Relaxed);
            assert_eq!(leased.settle(synced()).await, Settled::Recorded);
        }
    });
    for row in 1..=50 {
        world.accept(&[row]).await.unwrap();
    }
    world.drained().await;
    worker.stop().await.unwrap();
    assert_eq!(runs.load(Ordering::Relaxed), 50);
    let keys: Vec<String> = world
        .ask(redis::cmd("HKEYS").arg("{bridge}:sync:records"))
        .await
        .unwrap();
    assert_eq!(keys, Vec::<String>::new());
    let facts = world.facts().await.unwrap();
    let done = facts.iter().filter(|fact| {
        matches!(fact, LedgerRecord::Attempt(attempt) if attempt.attempt == 1 && attempt.verdict == Verdict::Done(Outcome::Synced))
    });
    assert_eq!(done.count(), 50);
}

#[tokio::test]
async fn a_failed_job_is_run_again_when_its_time_has_come() {
    let world = World::start().unwrap();
    let worker = world.worker(1, |leased| async move {
        let verdict = match leased.job().attempts {
            0 => Verdict::Retry {
                after_ms: 50,
                failure: failure(),
            },
            _ => Verdict::Done(Outcome::Synced),
        };
        leased.settle(settlement(verdict)).await;
    });
    world.accept(&[1]).await.unwrap();
    eventually("both attempts are recorded", async || {
        let facts = world.facts().await.map_err(|error| error.to_string())?;
        if facts.len() == 3 {
            Ok(())
        } else {
            Err(format!("{facts:?}"))
        }
    })
    .await;
    worker.stop().await.unwrap();
    world.drained().await;
}

#[tokio::test]
async fn a_row_that_changes_while_it_runs_runs_again_and_never_twice_at_once() {
    let world = World::start().unwrap();
    let (running, runs) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (in_handler, counted) = (Arc::clone(&running), Arc::clone(&runs));
    let (began, mut beginnings) = mpsc::unbounded_channel();
    let gate = Arc::new(Semaphore::new(0));
    let handler_gate = Arc::clone(&gate);
    let worker = world.worker(8, move |leased| {
        let (running, runs, gate) = (Arc::clone(&in_handler), Arc::clone(&counted), Arc::clone(&handler_gate));
        let began = began.clone();
        async move {
            assert_eq!(running.fetch_add(1, Ordering::SeqCst), 0, "twice at once");
            runs.fetch_add(1, Ordering::SeqCst);
            let _ = began.send(());
            gate.acquire().await.unwrap().forget();
            running.fetch_sub(1, Ordering::SeqCst);
            leased.settle(synced()).await;
        }
    });
    world.accept(&[1]).await.unwrap();
    beginnings.recv().await.unwrap();
    for _ in 0..10 {
        world.accept(&[1]).await.unwrap();
    }
    assert_eq!(world.queue.stats().await.unwrap().active, 0);
    gate.add_permits(100);
    world.drained().await;
    worker.stop().await.unwrap();
    assert_eq!(
        runs.load(Ordering::SeqCst),
        2,
        "ten events of a running row are one more run"
    );
    assert_eq!(world.each_item_ended_once().await.unwrap(), 11);
}
