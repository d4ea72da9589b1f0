//! Gates on a Redis of their own, seen by several processes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use apalis::prelude::*;
use passerelle_model::config::RedisSettings;
use passerelle_model::event::{DeliveryKey, Disposition, EventKind, Item, NewEvent};
use passerelle_model::id::{EventId, ProcessName, RowId, SourceName, TableId, WebhookId};
use passerelle_model::time::Timestamp;
use passerelle_queue::gate::{CallResult, GateName, GatePolicy, GateState, GateStatus, Gates, IncidentKind};
use passerelle_queue::{BackendSettings, CrashPolicy, Leased, Queue, QueueName, Redis};
use test_support::{ErrorLog, TestRedis, eventually};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

pub(crate) const READ: GateName = GateName::DocmostRead;
pub(crate) const WRITE: GateName = GateName::DocmostWrite;

/// A minute of the real policy is a fifth of a second.
pub(crate) fn policy() -> GatePolicy {
    GatePolicy {
        window: Duration::from_secs(5),
        first_probe: Duration::from_millis(20),
        longest_probe: Duration::from_millis(200),
        lease: Duration::from_millis(400),
        step: Duration::from_millis(50),
        ..GatePolicy::default()
    }
}

pub(crate) struct World {
    pub(crate) server: TestRedis,
    pub(crate) queue: Queue,
    _errors: ErrorLog,
    redis: Redis,
    policy: GatePolicy,
    rows: AtomicU64,
}

/// One process: its view of the gates, and its name.
pub(crate) struct Replica {
    pub(crate) gates: Gates,
    pub(crate) name: ProcessName,
}

impl World {
    pub(crate) fn start(policy: GatePolicy) -> anyhow::Result<Self> {
        Self::start_on(TestRedis::start()?, policy)
    }

    /// On this Redis.
    pub(crate) fn start_on(server: TestRedis, policy: GatePolicy) -> anyhow::Result<Self> {
        let redis = Redis::open(&RedisSettings {
            response_timeout: Duration::from_secs(15),
            ..RedisSettings::at(server.url())
        })?;
        let errors = ErrorLog::watch();
        errors.expect("in trouble");
        // Jobs that a test does not need are dropped with its worker.
        errors.expect("ended without settling it");
        Ok(Self {
            queue: Queue::new(redis.clone(), QueueName::Sync),
            redis,
            server,
            _errors: errors,
            policy,
            rows: AtomicU64::new(1),
        })
    }

    pub(crate) fn replica(&self) -> Replica {
        let name = ProcessName::unique("worker");
        Replica {
            gates: Gates::new(self.redis.clone(), name.clone(), self.policy),
            name,
        }
    }

    /// Accepts deliveries of so many new rows.
    pub(crate) async fn accept(&self, rows: usize) -> anyhow::Result<()> {
        for _ in 0..rows {
            let row = self.rows.fetch_add(1, Ordering::Relaxed);
            let _durable = self.queue.accept(delivery(row)?).await?;
        }
        Ok(())
    }

    /// Accepts another delivery of a row.
    pub(crate) async fn accept_again(&self, row: u64) -> anyhow::Result<()> {
        let mut again = delivery(row)?;
        again.key.event = EventId::parse(&format!("another-event-{row}"))?;
        let _durable = self.queue.accept(again).await?;
        Ok(())
    }

    /// A raw command, to look behind the scenes.
    pub(crate) async fn ask<T: redis::FromRedisValue>(&self, command: &redis::Cmd) -> anyhow::Result<T> {
        Ok(command.query_async(&mut self.redis.clone()).await?)
    }

    /// A worker of this replica whose handler takes every job and hands it to the test.
    pub(crate) fn worker(&self, replica: &Replica, concurrency: usize) -> Worker {
        Worker::start(&self.queue, &replica.name, concurrency)
    }
}

impl Replica {
    /// Reports these results at once.
    pub(crate) async fn saw(&self, gate: GateName, results: &[CallResult]) {
        for result in results {
            self.gates.report(gate, result.clone());
        }
        self.gates.flush().await;
    }

    /// Stops the gate by five calls without a connection.
    pub(crate) async fn stop(&self, gate: GateName) {
        self.saw(
            gate,
            &[
                CallResult::NoConnection("refused".to_owned()),
                CallResult::NoConnection("refused".to_owned()),
            ],
        )
        .await;
        self.saw(gate, &vec![CallResult::NoConnection("refused".to_owned()); 3])
            .await;
    }

    pub(crate) async fn status(&self, gate: GateName) -> anyhow::Result<GateStatus> {
        let list = self.gates.list().await?;
        list.into_iter()
            .find(|status| status.gate == gate.as_str())
            .ok_or_else(|| anyhow::anyhow!("no gate {gate}"))
    }

    pub(crate) async fn state(&self, gate: GateName) -> anyhow::Result<GateState> {
        Ok(self.status(gate).await?.state)
    }

    /// The clock of Redis.
    pub(crate) async fn redis_time(&self, world: &World) -> anyhow::Result<Timestamp> {
        let (seconds, micros): (i64, i64) = world.ask(&redis::cmd("TIME")).await?;
        Ok(Timestamp::from_millis(seconds * 1000 + micros / 1000))
    }

    /// Tends until this replica holds the probe of a target.
    pub(crate) async fn take_probe(&self) {
        eventually("this replica holds a probe", async || match self.gates.tend().await {
            Ok(targets) if !targets.is_empty() => Ok(()),
            other => Err(format!("{other:?}")),
        })
        .await;
    }

    /// Tends until the gate is in this state.
    pub(crate) async fn tend_until(&self, gate: GateName, state: GateState) {
        eventually(&format!("{gate} is {state:?}"), async || {
            let tended = self.gates.tend().await.map_err(|error| error.to_string())?;
            let status = self.status(gate).await.map_err(|error| error.to_string())?;
            if status.state == state {
                Ok(())
            } else {
                Err(format!("{status:?} {tended:?}"))
            }
        })
        .await;
    }

    /// The kinds of the incidents so far, oldest first, as words.
    pub(crate) async fn messages(&self) -> anyhow::Result<Vec<String>> {
        let mut incidents = self.gates.incidents(1000).await?;
        incidents.reverse();
        let messages = incidents.iter().filter(|incident| incident.is_message());
        Ok(messages
            .map(|incident| match &incident.what {
                IncidentKind::Opened { .. } => "opened".to_owned(),
                IncidentKind::Lasting { .. } => "lasting".to_owned(),
                IncidentKind::Over { drained, dead, .. } => format!("over: {drained} drained, {dead} dead"),
                other => format!("{other:?}"),
            })
            .collect())
    }
}

pub(crate) fn failed() -> CallResult {
    CallResult::Failed("503".to_owned())
}

fn delivery(row: u64) -> anyhow::Result<NewEvent> {
    Ok(NewEvent {
        key: DeliveryKey {
            webhook: Some(WebhookId::new(7)?),
            event: EventId::parse(&format!("event-{row}"))?,
            batch: 0,
        },
        source: SourceName::parse("projet-changed")?,
        kind: EventKind::Created,
        table: Some(TableId::new(12)?),
        received: Timestamp::now(),
        trace: None,
        items: vec![Item {
            row: Some(RowId::new(row)?),
            disposition: Disposition::Sync,
        }],
        payload: b"{}".to_vec(),
    })
}

/// An apalis worker in a task of its own that hands each job to the test.
pub(crate) struct Worker {
    pub(crate) jobs: mpsc::UnboundedReceiver<Leased>,
    stop: Option<oneshot::Sender<()>>,
    _ended: JoinHandle<Result<(), WorkerError>>,
}

impl Worker {
    fn start(queue: &Queue, name: &ProcessName, concurrency: usize) -> Self {
        let (stop, stopped) = oneshot::channel::<()>();
        let (sender, jobs) = mpsc::unbounded_channel();
        let settings = BackendSettings::new(name.clone(), concurrency, CrashPolicy::of_seconds(1, 10));
        let worker = WorkerBuilder::new(name.as_str())
            .backend(queue.backend(settings))
            .concurrency(concurrency)
            .build(move |leased: Leased| {
                let sender = sender.clone();
                async move {
                    let _ = sender.send(leased);
                }
            });
        let signal = async move {
            let _ = stopped.await;
            Ok::<(), WorkerError>(())
        };
        Self {
            jobs,
            stop: Some(stop),
            _ended: tokio::spawn(worker.run_until(signal)),
        }
    }

    /// The next job, if one comes within this time.
    pub(crate) async fn next_within(&mut self, patience: Duration) -> Option<Leased> {
        tokio::time::timeout(patience, self.jobs.recv()).await.ok().flatten()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
    }
}
