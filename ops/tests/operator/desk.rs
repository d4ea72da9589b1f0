//! An operator's desk: a Redis and a store of the test's own, and the program on top.

use std::io::Write;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use apalis::prelude::*;
use passerelle_model::config::{Reader, RedisSettings, StoreSettings};
use passerelle_model::event::{DeliveryKey, Disposition, EventKind, Item, NewEvent};
use passerelle_model::id::{EventId, JobKey, ProcessName, RowId, RowKey, SourceName, TableId, WebhookId};
use passerelle_model::job::Job;
use passerelle_model::ledger::{
    AttemptRecord, FailureClass, FailureRecord, LedgerEntry, LedgerRecord, Settlement, Step, Verdict,
};
use passerelle_model::seq::Seq;
use passerelle_model::time::Timestamp;
use passerelle_ops::{Console, Screen};
use passerelle_queue::{BackendSettings, CrashPolicy, Leased, Queue, QueueName, Redis};
use passerelle_store::Store;
use tempfile::TempDir;
use test_support::{ErrorLog, TestRedis, eventually};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// The stream's clock at its first entry: 2024-11-22T12:53:20Z.
const START: i64 = 1_732_280_000_000;

/// What the program said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: u8,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs the program with these settings.
pub(crate) async fn run_program(arguments: &[&str], pairs: Vec<(String, String)>, stop: &CancellationToken) -> Said {
    run_on(arguments, pairs, stop, (Paper::default(), Paper::default())).await
}

async fn run_on(
    arguments: &[&str],
    pairs: Vec<(String, String)>,
    stop: &CancellationToken,
    papers: (Paper, Paper),
) -> Said {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (out, err) = papers;
    let mut console = Console::new(
        Box::new(out.clone()),
        Box::new(err.clone()),
        Screen::new(false),
        stop.clone(),
    );
    let arguments = ["passerelle"].iter().chain(arguments).map(Into::into);
    let code = passerelle_ops::run(arguments, Reader::from_pairs(pairs), &mut console).await;
    Said {
        code,
        out: out.text(),
        err: err.text(),
    }
}

/// Redis, store and program.
pub(crate) struct Desk {
    pub(crate) redis: TestRedis,
    pub(crate) stop: CancellationToken,
    pub(crate) errors: ErrorLog,
    folder: TempDir,
}

impl Desk {
    pub(crate) fn new() -> anyhow::Result<Self> {
        Ok(Self {
            redis: TestRedis::start()?,
            stop: CancellationToken::new(),
            errors: ErrorLog::watch(),
            folder: tempfile::tempdir()?,
        })
    }

    /// The settings of this desk.
    pub(crate) fn pairs(&self) -> Vec<(String, String)> {
        let store = format!("sqlite://{}", self.database().display());
        let pairs = [
            ("REDIS_URL", self.redis.url()),
            ("DATABASE_URL", store),
            // Nothing answers there, whatever else runs on the machine.
            ("INGRESS_BIND", "127.0.0.1:0".to_owned()),
            ("USER", "camille".to_owned()),
            ("TZ", "UTC".to_owned()),
        ];
        pairs.map(|(name, value)| (name.to_owned(), value)).to_vec()
    }

    /// Where its database is, or will be.
    pub(crate) fn database(&self) -> PathBuf {
        self.folder.path().join("store.sqlite")
    }

    fn environment(&self) -> Reader {
        Reader::from_pairs(self.pairs())
    }

    /// As after a worker's first start: the operator's program itself never creates the schema.
    pub(crate) async fn with_schema(&self) {
        let _ = Store::open(&StoreSettings::read(&mut self.environment())).await;
    }

    /// Runs the program with some settings changed, on the database as it is.
    pub(crate) async fn passerelle_with(&self, arguments: &[&str], changes: &[(&str, &str)]) -> Said {
        let mut pairs = self.pairs();
        for (name, value) in changes {
            pairs.retain(|(known, _)| known != name);
            pairs.push(((*name).to_owned(), (*value).to_owned()));
        }
        run_program(arguments, pairs, &self.stop).await
    }

    pub(crate) async fn passerelle(&self, arguments: &[&str]) -> Said {
        self.with_schema().await;
        run_program(arguments, self.pairs(), &self.stop).await
    }

    /// Runs the program, and stops it as soon as its messages or its answer say this.
    pub(crate) async fn passerelle_until(&self, arguments: &[&str], says: &str) -> Said {
        self.with_schema().await;
        let (out, err) = (Paper::default(), Paper::default());
        let said = run_on(arguments, self.pairs(), &self.stop, (out.clone(), err.clone()));
        let stopped = async {
            eventually(says, async || {
                let so_far = format!("{}{}", out.text(), err.text());
                if so_far.contains(says) { Ok(()) } else { Err(so_far) }
            })
            .await;
            self.stop.cancel();
        };
        tokio::join!(said, stopped).0
    }

    pub(crate) fn queue(&self) -> anyhow::Result<Queue> {
        self.queue_of(QueueName::Sync)
    }

    pub(crate) fn queue_of(&self, name: QueueName) -> anyhow::Result<Queue> {
        let redis = Redis::open(&RedisSettings::read(&mut self.environment()))?;
        Ok(Queue::new(redis, name))
    }

    /// A worker of the real queue whose attempts end as `verdict` says, until it is aborted.
    pub(crate) fn worker(
        &self,
        verdict: impl Fn(&Job) -> Verdict + Send + Sync + 'static,
    ) -> anyhow::Result<JoinHandle<()>> {
        self.worker_of(QueueName::Sync, verdict)
    }

    /// The same of another queue.
    pub(crate) fn worker_of(
        &self,
        queue: QueueName,
        verdict: impl Fn(&Job) -> Verdict + Send + Sync + 'static,
    ) -> anyhow::Result<JoinHandle<()>> {
        self.worker_named(&ProcessName::unique("worker"), queue, verdict)
    }

    /// The same with this name.
    pub(crate) fn worker_named(
        &self,
        name: &ProcessName,
        queue: QueueName,
        verdict: impl Fn(&Job) -> Verdict + Send + Sync + 'static,
    ) -> anyhow::Result<JoinHandle<()>> {
        let queue = self.queue_of(queue)?;
        let decide = Decide(Arc::new(verdict));
        let worker = WorkerBuilder::new(name.as_str())
            .backend(queue.backend(BackendSettings::new(name.clone(), 1, CrashPolicy::of_seconds(1, 10))))
            .data(decide)
            .concurrency(1)
            .build(attempt_once);
        Ok(tokio::spawn(async move {
            let _ = worker.run().await;
        }))
    }

    /// Writes a history straight into the store: the n-th entry is stamped n seconds after the
    /// start.
    pub(crate) async fn remember(&self, records: Vec<LedgerRecord>) -> anyhow::Result<Store> {
        let store = Store::open(&StoreSettings::read(&mut self.environment())).await?;
        let entries: Vec<LedgerEntry> = (1_i64..)
            .zip(records)
            .map(|(n, record)| LedgerEntry {
                id: seq(n).stream_id(),
                seq: seq(n),
                answered: None,
                number: None,
                records: vec![Ok(record)],
            })
            .collect();
        store.record(&entries, None).await?;
        Ok(store)
    }
}

#[derive(Clone)]
struct Decide(Arc<dyn Fn(&Job) -> Verdict + Send + Sync>);

async fn attempt_once(leased: Leased, decide: Data<Decide>) {
    let started = Timestamp::now();
    let (job, Decide(decide)) = (leased.job().clone(), Decide::clone(&decide));
    let verdict = tokio::task::spawn_blocking(move || decide(&job)).await;
    let Ok(verdict) = verdict else { return };
    leased
        .settle(Settlement {
            verdict,
            steps: Vec::new(),
            started,
        })
        .await;
}

/// Keeps what is written to it.
#[derive(Debug, Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Paper {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The n-th entry's place.
pub(crate) fn seq(n: i64) -> Seq {
    Seq::from_stream_id(&format!("{}-0", START + n * 1000)).unwrap_or(Seq::ZERO)
}

/// So many milliseconds after the start.
pub(crate) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(START + millis)
}

pub(crate) fn row(number: u64) -> anyhow::Result<RowKey> {
    Ok(RowKey {
        table: TableId::new(2)?,
        row: RowId::new(number)?,
    })
}

/// A delivery about rows of table 2, as the ingress makes it durable.
pub(crate) fn delivery(event: &str, received: Timestamp, items: &[(u64, Disposition)]) -> anyhow::Result<NewEvent> {
    let items = items.iter().map(|(number, disposition)| {
        Ok(Item {
            row: Some(RowId::new(*number)?),
            disposition: disposition.clone(),
        })
    });
    Ok(NewEvent {
        key: DeliveryKey {
            webhook: Some(WebhookId::new(7)?),
            event: EventId::parse(event)?,
            batch: 0,
        },
        source: SourceName::parse("projet-changed")?,
        kind: EventKind::Updated,
        table: Some(TableId::new(2)?),
        received,
        trace: None,
        items: items.collect::<anyhow::Result<_>>()?,
        payload: b"{}".to_vec(),
    })
}

/// The same as a fact of the ledger; entry `n`.
pub(crate) fn accepted(n: i64, event: &str, items: &[(u64, Disposition)]) -> anyhow::Result<LedgerRecord> {
    let event = delivery(event, at(n * 1000 - 4), items)?;
    Ok(LedgerRecord::Accepted(event))
}

/// An attempt at row 5's job that covers entry `covers`.
pub(crate) fn attempt(n: i64, covers: i64, number: u32, verdict: Verdict) -> anyhow::Result<LedgerRecord> {
    let step = |name: &str, request: &str, status: u16, duration_ms: u64| Step {
        name: name.to_owned(),
        request: Some(request.to_owned()),
        status: Some(status),
        duration_ms,
        at_ms: None,
        class: None,
        note: None,
    };
    let status = if matches!(verdict, Verdict::Done(_)) { 200 } else { 503 };
    Ok(LedgerRecord::Attempt(AttemptRecord {
        job: JobKey::Row(row(5)?),
        covers: seq(covers),
        attempt: number,
        worker: ProcessName::parse("worker-1")?,
        started: at(n * 1000 - 130),
        ended: at(n * 1000),
        verdict,
        steps: vec![
            step("read_row", "GET baserow rows/table/2/5", 200, 12),
            step("update_page", "POST docmost pages/update", status, 101),
        ],
    }))
}

pub(crate) fn failure(class: FailureClass) -> FailureRecord {
    FailureRecord {
        class,
        target: "docmost".to_owned(),
        message: "Docmost answered 503".to_owned(),
        status: Some(503),
        body: Some("upstream is starting".to_owned()),
    }
}
