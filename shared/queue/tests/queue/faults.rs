//! What happens when something breaks: Redis, a worker, a handler, a record.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use passerelle_model::ledger::{LedgerRecord, Verdict};
use passerelle_queue::{AcceptStatus, Queue, QueueError, QueueName, Settled};
use test_support::eventually;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::Instant;

use crate::world::{LEASE, Worker, World, delivery, open, synced};

/// A handler that settles as soon as `gate` lets it.
fn gated(world: &World, concurrency: usize, gate: &Arc<Semaphore>) -> Worker {
    let gate = Arc::clone(gate);
    world.worker(concurrency, move |leased| {
        let gate = Arc::clone(&gate);
        async move {
            if let Ok(pass) = gate.acquire().await {
                pass.forget();
                leased.settle(synced()).await;
            }
        }
    })
}

#[tokio::test]
async fn a_killed_redis_loses_nothing_and_ends_no_worker() {
    let mut world = World::start().unwrap();
    let gate = Arc::new(Semaphore::new(20));
    let worker = gated(&world, 4, &gate);
    for row in 1..=100 {
        world.accept(&[row]).await.unwrap();
    }
    world.server.kill().unwrap();
    gate.add_permits(10);
    let refused = world.queue.accept(delivery("while-away", &[200]).unwrap()).await;
    assert!(matches!(refused, Err(QueueError::Unavailable(_))), "{refused:?}");
    assert!(worker.is_running());
    world.server.boot().unwrap();
    gate.add_permits(1000);
    let again = eventually("accept works again", async || {
        world.queue.accept(delivery("while-away", &[200]).unwrap()).await
    })
    .await;
    assert_eq!(again.status(), AcceptStatus::Queued);
    world.drained().await;
    worker.stop().await.unwrap();
    assert_eq!(world.each_item_ended_once().await.unwrap(), 101);
}

#[tokio::test]
async fn a_frozen_redis_costs_no_lease_and_ends_no_worker() {
    let world = World::start_with(Duration::from_secs(1)).unwrap();
    let gate = Arc::new(Semaphore::new(0));
    let worker = gated(&world, 4, &gate);
    for row in 1..=20 {
        world.accept(&[row]).await.unwrap();
    }
    eventually("four jobs run", async || world.running(4).await).await;
    world.server.freeze().unwrap();
    gate.add_permits(1000);
    let began = Instant::now();
    let refused = world.queue.accept(delivery("while-frozen", &[200]).unwrap()).await;
    assert!(matches!(refused, Err(QueueError::Unavailable(_))), "{refused:?}");
    assert!(began.elapsed().as_secs() < 5, "the sender gives up after five seconds");
    // Longer than a lease: each of these calls waits for its own time-out.
    while began.elapsed() < LEASE * 3 / 2 {
        let refused = world.queue.accept(delivery("while-frozen", &[200]).unwrap()).await;
        assert!(refused.is_err());
    }
    world.server.thaw().unwrap();
    // The calls that nobody waited for any more may have been carried out: then the delivery is
    // durable, and says so.
    let _durable = eventually("accept works again", async || {
        world.queue.accept(delivery("while-frozen", &[200]).unwrap()).await
    })
    .await;
    world.drained().await;
    worker.stop().await.unwrap();
    assert_eq!(world.each_item_ended_once().await.unwrap(), 21);
    assert_eq!(world.queue.stats().await.unwrap().dead, 0);
    assert!(world.crashes().await.unwrap() == 0, "healthy workers keep their jobs");
}

#[tokio::test]
async fn scripts_that_redis_has_forgotten_are_loaded_again() {
    let world = World::start().unwrap();
    world.accept(&[1]).await.unwrap();
    let _: () = world.ask(redis::cmd("SCRIPT").arg("FLUSH")).await.unwrap();
    world.accept(&[2]).await.unwrap();
    assert_eq!(world.queue.stats().await.unwrap().active, 2);
}

#[tokio::test]
async fn a_handler_that_panics_three_times_makes_a_dead_letter_and_harms_no_neighbour() {
    let world = World::start().unwrap();
    world.errors.expect("panicked");
    let worker = world.worker(2, |leased| async move {
        let row = leased.job().key.row().unwrap().row.get();
        let work = async move {
            assert!(row != 13, "thirteen");
            leased.settle(synced()).await;
        };
        let _ = std::panic::AssertUnwindSafe(work).catch_unwind().await;
    });
    world.accept(&[13]).await.unwrap();
    for row in 1..=5 {
        world.accept(&[row]).await.unwrap();
    }
    eventually("the job is dead", async || {
        world.make_all_due().await.map_err(|error| error.to_string())?;
        let stats = world.queue.stats().await.map_err(|error| error.to_string())?;
        if stats.dead == 1 {
            Ok(())
        } else {
            Err(format!("{stats:?}"))
        }
    })
    .await;
    world.drained().await;
    worker.stop().await.unwrap();
    let letter = &world.queue.dead_letters(None, 10).await.unwrap()[0];
    assert_eq!(
        (letter.reason.as_str(), letter.job.to_string().as_str()),
        ("poison", "t12/r13")
    );
    assert!(letter.failure.message.contains("panicked"), "{:?}", letter.failure);
    assert_eq!(world.crashes().await.unwrap(), 2);
    assert_eq!(world.each_item_ended_once().await.unwrap(), 6);
}

#[test]
fn a_vanished_worker_s_job_is_run_by_another_one() {
    let runtime = || {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
    };
    let (first, second) = (runtime().unwrap(), runtime().unwrap());
    let world = World::start().unwrap();
    let (began, mut beginnings) = mpsc::unbounded_channel();
    let (doomed, redis) = (began.clone(), open(&world.server).unwrap());
    let _vanished = first.block_on(async {
        world.accept(&[1]).await.unwrap();
        let worker = Worker::start(&Queue::new(redis, QueueName::Sync), 1, move |leased| {
            let _ = doomed.send((leased.job().clone(), Instant::now()));
            async move {
                let _held = leased;
                std::future::pending::<()>().await;
            }
        });
        beginnings.recv().await.unwrap();
        worker
    });
    // As SIGKILL would: nothing of it is ever polled again.
    first.shutdown_background();
    second.block_on(async {
        let redis = open(&world.server).unwrap();
        let worker = Worker::start(&Queue::new(redis, QueueName::Sync), 1, move |leased| {
            let _ = began.send((leased.job().clone(), Instant::now()));
            async move {
                leased.settle(synced()).await;
            }
        });
        let (job, _) = beginnings.recv().await.unwrap();
        assert_eq!((job.attempts, job.crashes), (0, 1));
        worker.stop().await.unwrap();
    });
}

#[tokio::test]
async fn a_lost_lease_is_noticed_and_settles_nothing() {
    let world = World::start().unwrap();
    let (sender, mut settlements) = mpsc::unbounded_channel();
    let worker = world.worker(1, move |leased| {
        let sender = sender.clone();
        async move {
            if leased.job().crashes == 0 {
                leased.lease().over().await;
                assert!(leased.lease().is_over());
            }
            let crashes = leased.job().crashes;
            let _ = sender.send((crashes, leased.settle(synced()).await));
        }
    });
    world.accept(&[1]).await.unwrap();
    eventually("the job runs", async || world.running(1).await).await;
    // Another worker finds the lease expired before its holder has renewed it.
    let thief = world.worker(1, |leased| async move {
        leased.settle(synced()).await;
    });
    eventually("the job is taken back", async || match world.crashes().await {
        Ok(0) => {
            world.expire_lease("t12/r1").await.map_err(|error| error.to_string())?;
            Err("it still runs".to_owned())
        }
        crashes => crashes.map(drop).map_err(|error| error.to_string()),
    })
    .await;
    assert_eq!(settlements.recv().await.unwrap(), (0, Settled::LeaseLost));
    world.drained().await;
    worker.stop().await.unwrap();
    thief.stop().await.unwrap();
    assert_eq!(world.each_item_ended_once().await.unwrap(), 1);
}

#[tokio::test]
async fn a_fresh_worker_takes_no_living_workers_jobs_after_an_outage() {
    let world = World::start().unwrap();
    let gate = Arc::new(Semaphore::new(0));
    let living = gated(&world, 1, &gate);
    world.accept(&[1]).await.unwrap();
    eventually("the job runs", async || world.running(1).await).await;
    // As after an outage that was longer than the lease: it looks expired, and its holder has not
    // renewed it yet.
    world.expire_lease("t12/r1").await.unwrap();
    let fresh = Queue::new(open(&world.server).unwrap(), QueueName::Sync);
    let fresh = Worker::start(&fresh, 1, |leased| async move {
        leased.settle(synced()).await;
    });
    world.accept(&[2]).await.unwrap();
    eventually("the fresh worker has looked for jobs", async || world.facts_of(3).await).await;
    eventually("the living worker has renewed its lease", async || {
        let expiry = world.expiry_of("t12/r1").await.map_err(|error| error.to_string())?;
        if expiry > 1 { Ok(()) } else { Err(format!("{expiry}")) }
    })
    .await;
    gate.add_permits(1);
    world.drained().await;
    living.stop().await.unwrap();
    fresh.stop().await.unwrap();
    assert_eq!(world.crashes().await.unwrap(), 0);
}

#[tokio::test]
async fn a_worker_that_stops_gives_its_buffer_back_at_once_and_finishes_what_runs() {
    let world = World::start().unwrap();
    let rows: Vec<u64> = (1..=60).collect();
    world.accept(&rows).await.unwrap();
    let gate = Arc::new(Semaphore::new(0));
    let mut worker = gated(&world, 16, &gate);
    eventually("sixteen run and sixteen are buffered", async || world.running(32).await).await;
    worker.ask_to_stop();
    eventually("only the sixteen that run are left to it", async || {
        world.running(16).await
    })
    .await;
    gate.add_permits(16);
    worker.stop().await.unwrap();
    let stats = world.queue.stats().await.unwrap();
    assert_eq!((stats.active, stats.running, stats.scheduled), (44, 0, 0));
    assert_eq!(world.crashes().await.unwrap(), 0);
    gate.add_permits(100);
    let successor = gated(&world, 16, &gate);
    world.drained().await;
    successor.stop().await.unwrap();
    assert_eq!(world.each_item_ended_once().await.unwrap(), 60);
}

#[tokio::test]
async fn records_that_cannot_be_read_become_dead_letters_with_their_bytes() {
    let world = World::start().unwrap();
    world.errors.expect("a job cannot be read");
    let _: () = world
        .ask(
            redis::cmd("RPUSH")
                .arg("{bridge}:sync:active")
                .arg("no record")
                .arg("t1/r1")
                .arg(&b"\xff\x00"[..]),
        )
        .await
        .unwrap();
    let _: () = world
        .ask(
            redis::cmd("HSET")
                .arg("{bridge}:sync:records")
                .arg("t1/r1")
                .arg("rubbish"),
        )
        .await
        .unwrap();
    world.accept(&[1]).await.unwrap();
    let gate = Arc::new(Semaphore::new(100));
    let worker = gated(&world, 1, &gate);
    world.drained().await;
    worker.stop().await.unwrap();
    let letters = world.queue.dead_letters(None, 10).await.unwrap();
    assert_eq!(letters.len(), 3);
    assert!(letters.iter().all(|letter| letter.reason == "poison"));
    assert!(
        letters
            .iter()
            .any(|letter| letter.failure.body.as_ref().unwrap().contains("rubbish"))
    );
    let buried = world.facts().await.unwrap().into_iter().filter(
        |fact| matches!(fact, LedgerRecord::Attempt(attempt) if matches!(attempt.verdict, Verdict::Bury { .. })),
    );
    assert_eq!(buried.count(), 3);
}
