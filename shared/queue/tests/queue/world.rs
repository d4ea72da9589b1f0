//! A queue on a Redis of its own, and workers on it.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use apalis::prelude::*;
use passerelle_model::config::RedisSettings;
use passerelle_model::event::{DeliveryKey, Disposition, EventKind, Item, NewEvent};
use passerelle_model::id::{EventId, ProcessName, RowId, SourceName, TableId, WebhookId};
use passerelle_model::ledger::{FailureClass, FailureRecord, LedgerEntry, LedgerRecord, Settlement, Verdict};
use passerelle_model::outcome::Outcome;
use passerelle_model::seq::Seq;
use passerelle_model::time::Timestamp;
use passerelle_queue::{BackendSettings, CrashPolicy, Leased, Queue, QueueName, QueueStats, Redis};
use test_support::{ErrorLog, TestRedis, eventually};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// The lease of tests: short, so that a vanished worker is noticed soon; and so long that a busy
/// machine costs none.
pub(crate) const LEASE: Duration = Duration::from_secs(4);
/// How long Redis may take to answer where that is not what the test is about.
const PATIENT: Duration = Duration::from_secs(15);

pub(crate) struct World {
    pub(crate) server: TestRedis,
    pub(crate) redis: Redis,
    pub(crate) queue: Queue,
    pub(crate) errors: ErrorLog,
    deliveries: AtomicU64,
}

impl World {
    pub(crate) fn start() -> anyhow::Result<Self> {
        Self::start_with(PATIENT)
    }

    /// With programs that wait this long for an answer of Redis.
    pub(crate) fn start_with(response_timeout: Duration) -> anyhow::Result<Self> {
        Self::new(TestRedis::start()?, response_timeout)
    }

    /// On this Redis.
    pub(crate) fn start_on(server: TestRedis) -> anyhow::Result<Self> {
        Self::new(server, PATIENT)
    }

    fn new(server: TestRedis, response_timeout: Duration) -> anyhow::Result<Self> {
        let redis = open_with(&server, response_timeout)?;
        Ok(Self {
            queue: Queue::new(redis.clone(), QueueName::Sync),
            redis,
            server,
            errors: ErrorLog::watch(),
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
        Worker::start(&self.queue, concurrency, handler)
    }

    /// A raw connection, to look behind the scenes.
    pub(crate) async fn ask<T: redis::FromRedisValue>(&self, command: &redis::Cmd) -> anyhow::Result<T> {
        Ok(command.query_async(&mut self.redis.clone()).await?)
    }

    /// The whole ledger so far, in pages.
    async fn ledger(&self) -> anyhow::Result<Vec<LedgerEntry>> {
        let mut entries: Vec<LedgerEntry> = Vec::new();
        loop {
            let last = entries.last().map(|entry| entry.id.clone());
            let page = self.queue.read_ledger(last.as_deref(), 100).await?;
            if page.is_empty() {
                return Ok(entries);
            }
            entries.extend(page);
        }
    }

    /// All facts of the ledger so far. Unreadable ones fail the test.
    pub(crate) async fn facts(&self) -> anyhow::Result<Vec<LedgerRecord>> {
        let records = self.ledger().await?.into_iter().flat_map(|entry| entry.records);
        records
            .map(|record| record.map_err(|unreadable| anyhow::anyhow!("{unreadable:?}")))
            .collect()
    }

    /// Whether there are that many facts.
    pub(crate) async fn facts_of(&self, count: usize) -> Result<(), String> {
        let facts = self.facts().await.map_err(|error| error.to_string())?;
        if facts.len() == count {
            Ok(())
        } else {
            Err(format!("{facts:?}"))
        }
    }

    /// Whether that many jobs are in workers' hands.
    pub(crate) async fn running(&self, count: u64) -> Result<(), String> {
        let stats = self.queue.stats().await.map_err(|error| error.to_string())?;
        if stats.running == count {
            Ok(())
        } else {
            Err(format!("{stats:?}"))
        }
    }

    /// How often a worker or a handler vanished and the job was tried again.
    pub(crate) async fn crashes(&self) -> anyhow::Result<usize> {
        let is_crash = |fact: &LedgerRecord| {
            matches!(fact, LedgerRecord::Attempt(attempt)
                if matches!(&attempt.verdict, Verdict::Retry { failure, .. } if failure.class == FailureClass::Poison))
        };
        Ok(self.facts().await?.iter().filter(|fact| is_crash(fact)).count())
    }

    /// The lease of a job looks expired, until its holder renews it; all workers look at once.
    pub(crate) async fn expire_lease(&self, job: &str) -> anyhow::Result<()> {
        let leases = "{bridge}:sync:leases";
        let mut expire = redis::cmd("ZADD");
        let _: i64 = self.ask(expire.arg(leases).arg("XX").arg(-1).arg(job)).await?;
        let _: i64 = self
            .ask(redis::cmd("PUBLISH").arg("{bridge}:sync:wake").arg(""))
            .await?;
        Ok(())
    }

    /// When the lease of a job expires, in milliseconds; 0 if there is none.
    pub(crate) async fn expiry_of(&self, job: &str) -> anyhow::Result<i64> {
        let score: Option<f64> = self
            .ask(redis::cmd("ZSCORE").arg("{bridge}:sync:leases").arg(job))
            .await?;
        Ok(score
            .and_then(|score| format!("{:.0}", -score).parse().ok())
            .unwrap_or(0))
    }

    /// Time passes: everything that waits for its time is due.
    pub(crate) async fn make_all_due(&self) -> anyhow::Result<()> {
        let due = "for _, job in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do redis.call('ZADD', KEYS[1], 100000000000, job) end
            redis.call('PUBLISH', ARGV[1], '')";
        self.ask(
            redis::cmd("EVAL")
                .arg(due)
                .arg(1)
                .arg("{bridge}:sync:scheduled")
                .arg("{bridge}:sync:wake"),
        )
        .await
    }

    /// By the ledger alone: how many items were accepted, provided that each ended exactly once.
    pub(crate) async fn each_item_ended_once(&self) -> anyhow::Result<usize> {
        let mut open: Vec<(String, Seq)> = Vec::new();
        let mut accepted = 0;
        for entry in self.ledger().await? {
            for record in entry.records {
                match record.map_err(|unreadable| anyhow::anyhow!("{unreadable:?}"))? {
                    LedgerRecord::Accepted(event) => {
                        accepted += event.items.len();
                        for row in event
                            .items
                            .iter()
                            .filter(|item| item.disposition == Disposition::Sync)
                            .filter_map(|item| item.row)
                        {
                            open.push((format!("t12/r{row}"), entry.seq));
                        }
                    }
                    LedgerRecord::Attempt(attempt)
                        if matches!(attempt.verdict, Verdict::Done(_) | Verdict::Bury { .. }) =>
                    {
                        let before = open.len();
                        open.retain(|(row, seq)| *row != attempt.job.to_string() || *seq > attempt.covers);
                        anyhow::ensure!(open.len() < before, "{} ended although nothing was open", attempt.job);
                    }
                    _ => {}
                }
            }
        }
        anyhow::ensure!(open.is_empty(), "never ended: {open:?}");
        Ok(accepted)
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
    open_with(server, PATIENT)
}

fn open_with(server: &TestRedis, response_timeout: Duration) -> anyhow::Result<Redis> {
    Ok(Redis::open(&RedisSettings {
        response_timeout,
        ..RedisSettings::at(server.url())
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
        trace: None,
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
        queue: &Queue,
        concurrency: usize,
        handler: impl FnMut(Leased) -> F + Send + 'static,
    ) -> Self {
        let (stop, stopped) = oneshot::channel::<()>();
        let name = ProcessName::unique("worker");
        let settings = BackendSettings {
            lease: LEASE,
            ..BackendSettings::new(name.clone(), concurrency, CrashPolicy::of_seconds(1, 10))
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
    pub(crate) fn ask_to_stop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
    }

    /// Stops it gracefully and waits for its end.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        self.ask_to_stop();
        Ok(self.ended.await??)
    }

    pub(crate) fn is_running(&self) -> bool {
        !self.ended.is_finished()
    }
}
