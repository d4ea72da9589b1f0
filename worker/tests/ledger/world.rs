//! A queue and a database of the test's own, and writers between them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use passerelle_model::config::{Reader, RedisSettings, StoreSettings};
use passerelle_model::event::{DeliveryKey, Disposition, EventKind, Item, NewEvent};
use passerelle_model::id::{EventId, ProcessName, RowId, SourceName, TableId};
use passerelle_model::time::Timestamp;
use passerelle_queue::{Queue, QueueName, Redis};
use passerelle_store::Store;
use passerelle_worker::maintenance::ledger_writer::{LedgerWriter, Retention};
use secrecy::SecretString;
use tempfile::TempDir;
use test_support::{ErrorLog, Line, TestPostgres, TestRedis, eventually};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(crate) enum Database {
    Sqlite(TempDir),
    Postgres(Box<TestPostgres>),
}

impl Database {
    pub(crate) fn sqlite() -> anyhow::Result<Self> {
        Ok(Self::Sqlite(tempfile::tempdir()?))
    }

    pub(crate) fn postgres() -> anyhow::Result<Self> {
        Ok(Self::Postgres(Box::new(TestPostgres::start()?)))
    }

    fn url(&self) -> String {
        match self {
            Self::Sqlite(folder) => format!("sqlite://{}/store.sqlite", folder.path().display()),
            Self::Postgres(server) => server.url(),
        }
    }
}

pub(crate) struct World {
    pub(crate) database: Database,
    pub(crate) queue: Queue,
    pub(crate) store: Store,
    _errors: ErrorLog,
    redis: Redis,
    _server: TestRedis,
    events: AtomicU64,
}

impl World {
    pub(crate) async fn start(database: anyhow::Result<Database>) -> anyhow::Result<Self> {
        let (server, database) = (TestRedis::start()?, database?);
        let settings = [("REDIS_URL", server.url())];
        let redis = Redis::open(&RedisSettings::read(&mut Reader::from_pairs(settings)))?;
        Ok(Self {
            queue: Queue::new(redis.clone(), QueueName::Sync),
            store: open(&database.url()).await?,
            database,
            _errors: ErrorLog::watch(),
            redis,
            _server: server,
            events: AtomicU64::new(0),
        })
    }

    /// Accepts so many events, each of a row of its own.
    pub(crate) async fn accept(&self, count: u64) -> anyhow::Result<()> {
        self.accept_with(count, &[]).await
    }

    /// The same; each has these bytes as its body.
    pub(crate) async fn accept_with(&self, count: u64, payload: &[u8]) -> anyhow::Result<()> {
        for _ in 0..count {
            let number = self.events.fetch_add(1, Ordering::Relaxed) + 1;
            let payload = payload.to_vec();
            let event = event(number)?;
            let _durable = self.queue.accept(NewEvent { payload, ..event }).await?;
        }
        Ok(())
    }

    pub(crate) fn writer(&self, name: &str) -> anyhow::Result<Writer> {
        self.writer_on(name, self.store.clone(), None)
    }

    pub(crate) fn writer_on(&self, name: &str, store: Store, keep: Option<Duration>) -> anyhow::Result<Writer> {
        let name = ProcessName::parse(name)?;
        let writer = LedgerWriter::new(self.queue.clone(), store, self.redis.clone(), name).retaining(Retention {
            keep,
            may_remove_most: false,
        });
        let stop = CancellationToken::new();
        Ok(Writer {
            running: tokio::spawn(writer.run(stop.clone())),
            stop,
        })
    }

    /// Sets how much memory Redis may use, in bytes; 0: any amount.
    pub(crate) async fn limit_memory(&self, bytes: &str) -> anyhow::Result<()> {
        let mut command = redis::cmd("CONFIG");
        command.arg("SET").arg("maxmemory").arg(bytes);
        Ok(command.exec_async(&mut self.redis.clone()).await?)
    }

    /// Who holds the lease.
    pub(crate) async fn holder(&self) -> anyhow::Result<Option<String>> {
        Ok(redis::cmd("GET")
            .arg("bridge:ledger-writer")
            .query_async(&mut self.redis.clone())
            .await?)
    }

    pub(crate) async fn is_held_by(&self, name: &str) {
        eventually(&format!("{name} has the lease"), async || match self.holder().await {
            Ok(Some(holder)) if holder == name => Ok(()),
            other => Err(other),
        })
        .await;
    }

    /// Waits until the store has so many items and the stream is empty, and counts them one by one.
    pub(crate) async fn is_written(&self, items: i64) {
        eventually(&format!("{items} items are in the store"), async || {
            let written = self.store.counts().await.map(|counts| counts.items);
            let backlog = self.queue.stats().await.map(|stats| stats.ledger_backlog);
            match (&written, &backlog) {
                (Ok(written), Ok(0)) if *written == items => Ok(()),
                _ => Err(format!("{written:?} written, {backlog:?} waiting")),
            }
        })
        .await;
    }

    /// Nothing is written twice and nothing is missing.
    pub(crate) async fn adds_up(&self) -> anyhow::Result<()> {
        let (counts, recount) = (self.store.counts().await?, self.store.recount().await?);
        anyhow::ensure!(counts == recount && counts.missing() == 0, "{counts:?}\n{recount:?}");
        Ok(())
    }
}

pub(crate) struct Writer {
    stop: CancellationToken,
    running: JoinHandle<()>,
}

impl Writer {
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        self.stop.cancel();
        Ok(self.running.await?)
    }

    /// As a killed process: no last pass, and the lease stays.
    pub(crate) fn kill(self) {
        self.running.abort();
    }
}

async fn open(url: &str) -> anyhow::Result<Store> {
    let url = SecretString::from(url.to_owned());
    Ok(Store::open(&StoreSettings::at(url)).await?)
}

/// The store of a PostgreSQL at the end of a line; it counts as away when it takes longer than
/// this.
pub(crate) async fn store_behind(line: &Line, timeout: Duration) -> anyhow::Result<Store> {
    let url = format!("postgres://passerelle@127.0.0.1:{}/postgres", line.port());
    let settings = StoreSettings::at(SecretString::from(url));
    Ok(Store::open(&StoreSettings { timeout, ..settings }).await?)
}

fn event(number: u64) -> anyhow::Result<NewEvent> {
    Ok(NewEvent {
        key: DeliveryKey {
            webhook: None,
            event: EventId::parse(&format!("event-{number}"))?,
            batch: 0,
        },
        source: SourceName::parse("test")?,
        kind: EventKind::Updated,
        table: Some(TableId::new(2)?),
        received: Timestamp::now(),
        trace: None,
        items: vec![Item {
            row: Some(RowId::new(number)?),
            disposition: Disposition::Sync,
        }],
        payload: Vec::new(),
    })
}
