//! A job that kills its process: its neighbours are innocent.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use test_support::eventually;
use tokio::sync::mpsc;

use crate::world::{Worker, World, open, synced};
use passerelle_queue::{Queue, QueueName};

const CULPRIT: u64 = 13;

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    Ok(builder.worker_threads(1).enable_all().build()?)
}

/// A process of four jobs at once; it tells when the culprit began. Then it is to be killed.
fn process(world: &World) -> anyhow::Result<(tokio::runtime::Runtime, mpsc::UnboundedReceiver<()>)> {
    let (process, (began, beginnings)) = (runtime()?, mpsc::unbounded_channel());
    let queue = Queue::new(open(&world.server)?, QueueName::Sync);
    let running = Arc::new(AtomicUsize::new(0));
    process.block_on(async move {
        let worker = Worker::start(&queue, 4, move |leased| {
            let row = leased.job().key.row().map(|key| key.row.get());
            let (is_first, began, running) = (leased.job().crashes == 0, began.clone(), Arc::clone(&running));
            async move {
                if row == Some(CULPRIT) {
                    running.fetch_add(1, Ordering::SeqCst);
                    let _ = began.send(());
                    std::future::pending::<()>().await;
                }
                let beside = running.fetch_add(1, Ordering::SeqCst);
                if is_first || beside > 0 {
                    // Under way when the process dies.
                    std::future::pending::<()>().await;
                }
                running.fetch_sub(1, Ordering::SeqCst);
                leased.settle(synced()).await;
            }
        });
        std::mem::forget(worker);
    });
    Ok((process, beginnings))
}

#[test]
fn only_the_job_that_kills_its_process_is_buried() {
    let (world, test) = (World::start().unwrap(), runtime().unwrap());
    test.block_on(async { world.accept(&[1, 2, 3, CULPRIT]).await.unwrap() });
    for death in 0..3 {
        let (process, mut beginnings) = process(&world).unwrap();
        test.block_on(async {
            let began = async {
                let mut all_due = tokio::time::interval(Duration::from_millis(200));
                loop {
                    tokio::select! {
                        _ = beginnings.recv() => return,
                        _ = all_due.tick() => world.make_all_due().await.unwrap(),
                    }
                }
            };
            tokio::time::timeout(test_support::PATIENCE, began)
                .await
                .expect("the culprit never began");
            if death == 0 {
                eventually("all four run", async || world.running(4).await).await;
            }
        });
        process.shutdown_background();
    }
    test.block_on(async {
        let redis = open(&world.server).unwrap();
        let worker = Worker::start(&Queue::new(redis, QueueName::Sync), 4, |leased| async move {
            leased.settle(synced()).await;
        });
        eventually("one is dead and the others are done", async || {
            world.make_all_due().await.map_err(|error| error.to_string())?;
            let stats = world.queue.stats().await.map_err(|error| error.to_string())?;
            if stats.dead == 1 && stats.active + stats.running + stats.scheduled == 0 {
                Ok(())
            } else {
                Err(format!("{stats:?}"))
            }
        })
        .await;
        worker.stop().await.unwrap();
        let letters = world.queue.dead_letters(None, 10).await.unwrap();
        assert_eq!(letters[0].job.row().unwrap().row.get(), CULPRIT);
        assert_eq!(letters[0].reason, "poison");
    });
}
