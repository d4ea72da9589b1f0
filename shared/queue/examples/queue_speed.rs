//! How fast the queue is here: `cargo run --release -p passerelle-queue --example queue_speed --
//! redis://127.0.0.1:7000/0 100000`.
//!
//! It writes that many jobs (in a key space of its own), drains them with one worker that does
//! nothing, and then measures how long a lone job waits for an idle worker. Give it a Redis that is
//! used for nothing else.

#![expect(clippy::print_stdout, reason = "it is a program for people")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use apalis::prelude::*;
use futures::stream::{self, StreamExt as _};
use passerelle_model::config::RedisSettings;
use passerelle_model::event::{DeliveryKey, Disposition, EventKind, Item, NewEvent};
use passerelle_model::id::{EventId, ProcessName, RowId, SourceName, TableId};
use passerelle_model::ledger::{Settlement, Verdict};
use passerelle_model::outcome::Outcome;
use passerelle_model::time::Timestamp;
use passerelle_queue::{BackendSettings, CrashPolicy, Leased, Queue, QueueName, Redis};
use tokio::sync::mpsc;

const CONCURRENCY: usize = 64;
const LONE_JOBS: u64 = 500;

#[tokio::main(worker_threads = 2)]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().context("the first argument is the URL of a Redis")?;
    let jobs: u64 = arguments.next().unwrap_or_else(|| "100000".to_owned()).parse()?;
    let redis = Redis::open(&RedisSettings {
        prefix: ProcessName::unique("speed").to_string(),
        ..RedisSettings::at(url)
    })?;
    let queue = Queue::new(redis, QueueName::Sync);

    let began = Instant::now();
    accept_rows(&queue, 1..=jobs, 256).await?;
    report("accepted", jobs, began.elapsed());

    let (settled, mut settlements) = mpsc::unbounded_channel();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let count = Arc::new(AtomicUsize::new(0));
    let name = ProcessName::unique("worker");
    let worker = WorkerBuilder::new(name.as_str())
        .backend(queue.backend(BackendSettings::new(
            name.clone(),
            CONCURRENCY,
            CrashPolicy::of_seconds(1, 10),
        )))
        .concurrency(CONCURRENCY)
        .build(move |leased: Leased| {
            let (settled, count) = (settled.clone(), Arc::clone(&count));
            async move {
                let started = Timestamp::now();
                let waited = started.since(leased.job().waiting_since);
                let verdict = Verdict::Done(Outcome::Synced);
                let steps = Vec::new();
                leased
                    .settle(Settlement {
                        verdict,
                        steps,
                        started,
                    })
                    .await;
                count.fetch_add(1, Ordering::Relaxed);
                let _ = settled.send((Instant::now(), waited));
            }
        });
    let signal = async {
        let _ = stopped.await;
        Ok::<(), WorkerError>(())
    };
    let began = Instant::now();
    let running = tokio::spawn(worker.run_until(signal));
    for _ in 0..jobs {
        settlements.recv().await.context("the worker ended")?;
    }
    report("drained", jobs, began.elapsed());

    lone_jobs(&queue, jobs, &mut settlements).await?;
    let _ = stop.send(());
    running.await??;
    Ok(())
}

/// How long a job waits for an idle worker.
async fn lone_jobs(
    queue: &Queue,
    jobs: u64,
    settlements: &mut mpsc::UnboundedReceiver<(Instant, Duration)>,
) -> anyhow::Result<()> {
    let mut waits = Vec::new();
    for row in 1..=LONE_JOBS {
        let began = Instant::now();
        accept_rows(queue, jobs + row..=jobs + row, 1).await?;
        let (ended, _) = settlements.recv().await.context("the worker ended")?;
        waits.push(ended.duration_since(began));
    }
    waits.sort();
    let at = |share: usize| waits.get(waits.len() * share / 100).copied().unwrap_or_default();
    println!("lone job, from accept to settled: p50 {:?}, p99 {:?}", at(50), at(99));
    Ok(())
}

async fn accept_rows(queue: &Queue, rows: impl Iterator<Item = u64>, at_once: usize) -> anyhow::Result<()> {
    let accepting = stream::iter(rows).map(|row| async move {
        let _durable = queue.accept(delivery(row)?).await?;
        anyhow::Ok(())
    });
    let mut accepted = accepting.buffer_unordered(at_once);
    while let Some(result) = accepted.next().await {
        result?;
    }
    Ok(())
}

fn delivery(row: u64) -> anyhow::Result<NewEvent> {
    Ok(NewEvent {
        key: DeliveryKey {
            webhook: None,
            event: EventId::parse(&format!("event-{row}"))?,
            batch: 0,
        },
        source: SourceName::parse("speed")?,
        kind: EventKind::Created,
        table: Some(TableId::new(1)?),
        received: Timestamp::now(),
        trace: None,
        items: vec![Item {
            row: Some(RowId::new(row)?),
            disposition: Disposition::Sync,
        }],
        payload: br#"{"fields":"of a row"}"#.repeat(70),
    })
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people")]
fn report(what: &str, jobs: u64, time: Duration) {
    println!(
        "{what} {jobs} jobs in {time:.2?}: {:.0}/s",
        jobs as f64 / time.as_secs_f64()
    );
}
