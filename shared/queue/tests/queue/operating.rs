//! What operators do to the queue: pause, resume, force.

use std::sync::Arc;
use std::time::Duration;

use passerelle_model::id::RowKey;
use passerelle_queue::Budget;
use test_support::eventually;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::world::{World, synced};

#[tokio::test]
async fn a_paused_queue_accepts_and_does_not_run_until_it_is_resumed() {
    let world = World::start().unwrap();
    let (sender, mut runs) = mpsc::unbounded_channel();
    world.queue.pause("Ada", "a move").await.unwrap();
    let worker = world.worker(1, move |leased| {
        let _ = sender.send(());
        async move {
            leased.settle(synced()).await;
        }
    });
    world.accept(&[1]).await.unwrap();
    let paused = world.queue.stats().await.unwrap();
    assert!(
        paused
            .paused
            .is_some_and(|pause| pause.by == "Ada" && pause.why == "a move")
    );
    assert_eq!(paused.active, 1);
    assert!(
        tokio::time::timeout(Duration::from_millis(300), runs.recv())
            .await
            .is_err()
    );
    world.queue.resume("Ada", "moved").await.unwrap();
    runs.recv().await.unwrap();
    worker.stop().await.unwrap();
}

/// A worker that nobody wakes looks again after a second at the earliest. On a busy machine one wake-up may be late, but not each.
#[tokio::test]
async fn a_resumed_queue_wakes_its_workers() {
    let world = World::start().unwrap();
    let (sender, mut runs) = mpsc::unbounded_channel();
    let worker = world.worker(1, move |leased| {
        let _ = sender.send(());
        async move {
            leased.settle(synced()).await;
        }
    });
    let mut waits = Vec::new();
    for row in 1..=5 {
        world.queue.pause("Ada", "a move").await.unwrap();
        world.accept(&[row]).await.unwrap();
        let resumed = Instant::now();
        world.queue.resume("Ada", "moved").await.unwrap();
        runs.recv().await.unwrap();
        waits.push(resumed.elapsed());
    }
    assert!(waits.iter().any(|wait| wait.as_millis() < 900), "{waits:?}");
    worker.stop().await.unwrap();
}

#[tokio::test]
async fn a_forced_row_is_run_and_can_be_traced_by_the_returned_event() {
    let world = World::start().unwrap();
    let events = Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = Arc::clone(&events);
    let worker = world.worker(1, move |leased| {
        seen.lock().unwrap().push(leased.job().last_event.clone());
        async move {
            leased.settle(synced()).await;
        }
    });
    let row: RowKey = "t12/r9".parse().unwrap();
    let event = world.queue.force(row, "Ada", "asked for").await.unwrap();
    eventually("it has run", async || {
        if events.lock().unwrap().is_empty() {
            Err("not yet")
        } else {
            Ok(())
        }
    })
    .await;
    worker.stop().await.unwrap();
    assert_eq!(*events.lock().unwrap(), [event]);
}

#[tokio::test]
async fn a_budget_that_all_share_counts_each_name_once_and_is_free_again_after_its_window() {
    let world = World::start().unwrap();
    let budget = |millis| Budget {
        most: 3,
        window: Duration::from_millis(millis),
    };
    let spend = async |name: &str, millis| world.redis.spend("mails", name, budget(millis)).await.unwrap();
    for name in ["a", "b", "a", "c", "b"] {
        assert_eq!(spend(name, 3_600_000).await, None, "{name}");
    }
    let wait = spend("d", 3_600_000).await.unwrap();
    assert!(
        wait > Duration::from_mins(59) && wait <= Duration::from_hours(1),
        "{wait:?}"
    );
    assert_eq!(spend("c", 3_600_000).await, None, "what was allowed once stays so");
    eventually("the window has passed", async || match spend("d", 100).await {
        None => Ok(()),
        wait => Err(wait),
    })
    .await;
}
