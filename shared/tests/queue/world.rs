//! A queue on a Redis of its own, and workers on it.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use apalis::prelude::*;
use passerelle_shared::config::RedisSettings;
use passerelle_shared::event::{DeliveryKey, Disposition, EventKind, Item, NewEvent};
use passerelle_shared::id::{EventId, ProcessName, RowId, SourceName, TableId, WebhookId};
use passerelle_shared::ledger::{FailureClass, FailureRecord, LedgerRecord, Settlement, Verdict};
use passerelle_shared::outcome::Outcome;
use passerelle_shared::queue::{BackendSettings, Leased, Queue, QueueName, QueueStats, Redis};
use passerelle_shared::time::Timestamp;
use test_support::{TestRedis, eventually};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// The lease of tests: short, so that a vanished worker is noticed soon.
pub(crate) const LEASE: Duration = Duration::from_secs(2);

pub(crate) struct World {
    pub(crate) server: TestRedis,
    pub(crate) redis: Redis,
    pub(crate) queue: Queue,
    deliveries: AtomicU64,
}

impl World {
    pub(crate) fn start() -> anyhow::Result<Self> {
        let server = TestRedis::start()?;
        let redis = open(&server)?;
        Ok(Self {
            queue: Queue::new(redis.clone(), QueueName::Sync),
            redis,
            server,
            deliveries: AtomicU64::new(0),
        })
    }

    /// A delivery that has not been made before, of these rows of table 12.
    pub(crate) fn delivery(&self, rows: &[u64]) -> anyhow::Result<NewEvent> {
        delivery(
            &format!("event-{}", self.deliveries.fetch_add(1, Ordering::Relaxed)),
            rows,
        )
    }

    /// Accepts a new delivery of these rows.
    pub(crate) async fn accept(&self, rows: &[u64]) -> anyhow::Result<NewEvent> {
        let event = self.delivery(rows)?;
        let _durable = self.queue.accept(event.clone()).await?;
        Ok(event)
    }

    pub(crate) fn worker<F: Future<Output = ()> + Send + 'static>(
        &self,
        concurrency: usize,
        handler: impl FnMut(Leased) -> F + Send + 'static,
    ) -> Worker {
        Worker::start(self.queue.clone(), concurrency, handler)
    }

    /// A raw connection, to look behind the scenes.
    pub(crate) async fn ask<T: redis::FromRedisValue>(&self, command: &redis::Cmd) -> anyhow::Result<T> {
        let mut connection = self.redis.connection().await?;
        Ok(command.query_async(&mut connection).await?)
    }

    /// All facts of the ledger so far. Unreadable ones fail the test.
    pub(crate) async fn facts(&self) -> anyhow::Result<Vec<LedgerRecord>> {
        let entries = self.queue.read_ledger(None, 1_000_000).await?;
        let records = entries.into_iter().flat_map(|entry| entry.records);
        records
            .map(|record| record.map_err(|unreadable| anyhow::anyhow!("{unreadable:?}")))
            .collect()
    }

    /// Waits until nothing is left to do.
    pub(crate) async fn drained(&self) -> QueueStats {
        eventually("the queue is drained", async || {
            let stats = self.queue.stats().await.map_err(|error| error.to_string())?;
            let is_drained = stats.active + stats.running + stats.scheduled == 0;
            if is_drained {
                Ok(stats)
            } else {
                Err(format!("{stats:?}"))
            }
        })
        .await
    }
}

pub(crate) fn open(server: &TestRedis) -> anyhow::Result<Redis> {
    Ok(Redis::open(&RedisSettings {
        url: server.url().into(),
        prefix: "bridge".to_owned(),
        response_timeout: Duration::from_secs(1),
    })?)
}

pub(crate) fn delivery(id: &str, rows: &[u64]) -> anyhow::Result<NewEvent> {
    let item = |row: &u64| -> anyhow::Result<Item> {
        Ok(Item {
            row: Some(RowId::new(*row)?),
            disposition: Disposition::Sync,
        })
    };
    Ok(NewEvent {
        key: DeliveryKey {
            webhook: Some(WebhookId::new(7)?),
            event: EventId::parse(id)?,
            batch: 0,
        },
        source: SourceName::parse("projet-changed")?,
        kind: EventKind::Created,
        table: Some(TableId::new(12)?),
        received: Timestamp::now(),
        items: rows.iter().map(item).collect::<Result<_, _>>()?,
        payload: format!("{{\"event\":\"{id}\"}}").into_bytes(),
    })
}

pub(crate) fn settlement(verdict: Verdict) -> Settlement {
    Settlement {
        verdict,
        steps: Vec::new(),
        started: Timestamp::now(),
    }
}

pub(crate) fn synced() -> Settlement {
    settlement(Verdict::Done(Outcome::Synced))
}

pub(crate) fn failure() -> FailureRecord {
    FailureRecord {
        class: FailureClass::Transient,
        target: "docmost".to_owned(),
        message: "503".to_owned(),
        status: Some(503),
        body: None,
    }
}

/// An apalis worker in a task of its own.
pub(crate) struct Worker {
    stop: Option<oneshot::Sender<()>>,
    ended: JoinHandle<Result<(), WorkerError>>,
}

impl Worker {
    pub(crate) fn start<F: Future<Output = ()> + Send + 'static>(
        queue: Queue,
        concurrency: usize,
        handler: impl FnMut(Leased) -> F + Send + 'static,
    ) -> Self {
        let (stop, stopped) = oneshot::channel::<()>();
        let name = ProcessName::unique("worker");
        let settings = BackendSettings {
            worker: name.clone(),
            concurrency,
            lease: LEASE,
        };
        let worker = WorkerBuilder::new(name.as_str())
            .backend(queue.backend(settings))
            .concurrency(concurrency)
            .build(handler);
        let signal = async move {
            let _ = stopped.await;
            Ok::<(), WorkerError>(())
        };
        Self {
            stop: Some(stop),
            ended: tokio::spawn(worker.run_until(signal)),
        }
    }

    /// Tells it to stop, without waiting.
    pub(crate) fn tell_to_stop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
    }

    /// Stops it gracefully and waits for its end.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        self.tell_to_stop();
        Ok(self.ended.await??)
    }

    /// Ends it as SIGKILL would: nothing is settled by it any more. The queue must be one that nobody else uses.
    pub(crate) fn is_running(&self) -> bool {
        !self.ended.is_finished()
    }
}
