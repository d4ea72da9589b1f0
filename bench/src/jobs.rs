//! Jobs without work: filling a queue with them, and a worker that only settles them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use apalis::layers::WorkerBuilderExt as _;
use apalis::prelude::{Data, WorkerBuilder, WorkerError};
use futures::{StreamExt as _, stream};
use passerelle_model::config::{Reader, RedisSettings};
use passerelle_model::event::{DeliveryKey, Disposition, EventKind, Item, NewEvent};
use passerelle_model::id::{EventId, ProcessName, RowId, SourceName, TableId, WebhookId};
use passerelle_model::ledger::{Settlement, Verdict};
use passerelle_model::outcome::Outcome;
use passerelle_model::time::Timestamp;
use passerelle_queue::{BackendSettings, CrashPolicy, Leased, Queue, QueueName, Redis};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

/// The number of concurrent jobs.
const CONCURRENCY: usize = 64;
/// The number of concurrent accepts while filling; they share round trips.
const FILLERS: usize = 256;

/// The sync queue of a Redis.
pub(crate) fn queue(url: &str) -> anyhow::Result<Queue> {
    let settings = RedisSettings::read(&mut Reader::from_pairs([("REDIS_URL", url)]));
    Ok(Queue::new(Redis::open(&settings)?, QueueName::Sync))
}

/// Accepts one event for each row of a range.
pub(crate) async fn fill(queue: &Queue, rows: std::ops::Range<u64>) -> anyhow::Result<()> {
    let mut accepts = stream::iter(rows)
        .map(|row| accept(queue, row))
        .buffer_unordered(FILLERS);
    while let Some(accepted) = accepts.next().await {
        accepted?;
    }
    Ok(())
}

/// Accepts one event for a row.
pub(crate) async fn accept(queue: &Queue, row: u64) -> anyhow::Result<()> {
    let key = DeliveryKey {
        webhook: Some(WebhookId::new(1)?),
        event: EventId::parse(&format!("bench-{row}"))?,
        batch: 0,
    };
    let event = NewEvent {
        key,
        source: SourceName::parse("bench")?,
        kind: EventKind::Updated,
        table: Some(TableId::new(2)?),
        received: Timestamp::now(),
        trace: None,
        items: vec![Item {
            row: Some(RowId::new(row)?),
            disposition: Disposition::Sync,
        }],
        payload: Vec::new(),
    };
    let _durable = queue.accept(event).await?;
    Ok(())
}

/// Empties the ledger: no store reads it here, and it is not measured.
pub(crate) async fn forget_ledger(queue: &Queue) -> anyhow::Result<()> {
    while let Some(last) = queue.read_ledger(None, 10_000).await?.last() {
        queue.trim_ledger(&last.id).await?;
    }
    Ok(())
}

/// Settles jobs until `limit` of them are done. Sends the moment of each start to `started`.
pub(crate) async fn work(
    queue: &Queue,
    limit: u64,
    started: UnboundedSender<std::time::Instant>,
) -> anyhow::Result<()> {
    let settings = BackendSettings::new(
        ProcessName::unique("bench"),
        CONCURRENCY,
        CrashPolicy::of_seconds(1, 10),
    );
    let (finished, mut is_finished) = unbounded_channel();
    let progress = Arc::new(Progress {
        done: AtomicU64::new(0),
        limit,
        started,
        finished,
    });
    let worker = WorkerBuilder::new("bench")
        .backend(queue.backend(settings))
        .concurrency(CONCURRENCY)
        .data(progress)
        .build(settle);
    worker
        .run_until(async move {
            is_finished.recv().await;
            Ok::<(), WorkerError>(())
        })
        .await?;
    Ok(())
}

struct Progress {
    done: AtomicU64,
    limit: u64,
    started: UnboundedSender<std::time::Instant>,
    finished: UnboundedSender<()>,
}

async fn settle(job: Leased, progress: Data<Arc<Progress>>) {
    // The receiver may be gone: a run that only counts needs no starts.
    let _ = progress.started.send(std::time::Instant::now());
    let settlement = Settlement {
        verdict: Verdict::Done(Outcome::NoChange),
        steps: Vec::new(),
        started: Timestamp::now(),
    };
    job.settle(settlement).await;
    if progress.done.fetch_add(1, Ordering::Relaxed) + 1 == progress.limit {
        let _ = progress.finished.send(());
    }
}
