//! Who is alive: each worker process sends a heartbeat every few seconds; its entry expires without
//! one.

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::server::scripts::BEAT;
use crate::working::lease::millis;
use crate::working::record;
use crate::{Queue, QueueError};
use passerelle_model::id::{JobKey, ProcessName};
use passerelle_model::time::Timestamp;

/// How long a heartbeat counts. A worker sends three in this time.
const ALIVE_FOR: Duration = Duration::from_secs(15);
/// When a worker that gave no sign is taken off the list.
const FORGOTTEN_AFTER: Duration = Duration::from_hours(1);
/// Most workers and most running jobs that are looked at.
const MOST: isize = 500;

/// A worker process, as it describes itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerInfo {
    /// Its name; unique to this start.
    pub name: ProcessName,
    /// The machine.
    pub host: String,
    /// Its process number there.
    pub pid: u32,
    /// When it started.
    pub started: Timestamp,
    /// Most jobs at once.
    pub concurrency: usize,
    /// By which rules it works; workers of earlier versions do not say it.
    #[serde(default)]
    pub rules: Option<RulesInUse>,
}

/// The rules that a process works by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RulesInUse {
    /// Equal in two workers if `bridge.toml` and all templates are; in two ingresses if what they read
    /// of `bridge.toml` is.
    pub hash: String,
    /// Since when.
    pub since: Timestamp,
    /// The last request to read them again that it has answered.
    pub answered: u64,
    /// Why it kept the earlier ones then, if it did.
    pub refused: Option<String>,
}

impl RulesInUse {
    /// As a process has them at its start.
    pub fn at_start(hash: String) -> Self {
        Self {
            hash,
            since: Timestamp::now(),
            answered: 0,
            refused: None,
        }
    }

    /// So much of a hash as people compare.
    pub fn short(hash: &str) -> &str {
        hash.get(..12).unwrap_or(hash)
    }
}

/// A job in a worker's hands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// The job.
    pub job: JobKey,
    /// The process that has it.
    pub worker: String,
    /// Since when, by the clock of Redis.
    pub since: Timestamp,
}

impl WorkerInfo {
    /// How often a process sends a heartbeat.
    pub const BEAT: Duration = Duration::from_secs(5);

    /// The name of this machine.
    pub fn host() -> String {
        // Linux says it here; elsewhere the process number has to do.
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        host.trim().to_owned()
    }

    /// This process, started now.
    pub fn of_this_process(name: ProcessName, concurrency: usize) -> Self {
        Self {
            name,
            host: Self::host(),
            pid: std::process::id(),
            started: Timestamp::now(),
            concurrency,
            rules: None,
        }
    }
}

/// The key of what is known of a process; it expires without a heartbeat.
fn known(list: &str, name: &str) -> String {
    format!("{list}:{name}")
}

impl Queue {
    /// Sends a heartbeat.
    pub async fn beat(&self, worker: &WorkerInfo) -> Result<(), QueueError> {
        self.beat_in(&self.inner.keys.workers, &worker.name, worker).await
    }

    /// The last sign: the process ends.
    pub async fn leave(&self, name: &ProcessName) -> Result<(), QueueError> {
        self.leave_from(&self.inner.keys.workers, name).await
    }

    /// The worker processes that sent a heartbeat within the last 15 seconds; the oldest first, at
    /// most 500.
    pub async fn workers(&self) -> Result<Vec<WorkerInfo>, QueueError> {
        let mut workers: Vec<WorkerInfo> = self.alive_in(&self.inner.keys.workers).await?;
        workers.sort_by_key(|worker| worker.started);
        Ok(workers)
    }

    /// A heartbeat in this list of processes: what a process says of itself.
    pub(crate) async fn beat_in(
        &self,
        list: &str,
        name: &ProcessName,
        said: &impl Serialize,
    ) -> Result<(), QueueError> {
        let stored = serde_json::to_vec(said).map_err(|error| QueueError::Protocol(error.to_string()))?;
        let name = name.as_str();
        let mut call = BEAT.call(2);
        call.arg(list).arg(known(list, name));
        call.arg(name).arg(stored);
        call.arg(millis(ALIVE_FOR)).arg(millis(FORGOTTEN_AFTER));
        call.arg(MOST).arg(known(list, ""));
        call.send(&self.inner.redis).await
    }

    pub(crate) async fn leave_from(&self, list: &str, name: &ProcessName) -> Result<(), QueueError> {
        let redis = &self.inner.redis;
        redis
            .query::<()>(redis::cmd("DEL").arg(known(list, name.as_str())))
            .await?;
        redis.query(redis::cmd("ZREM").arg(list).arg(name.as_str())).await
    }

    /// What those say of themselves that have sent a heartbeat lately.
    pub(crate) async fn alive_in<T: DeserializeOwned>(&self, list: &str) -> Result<Vec<T>, QueueError> {
        let redis = &self.inner.redis;
        let mut latest = redis::cmd("ZREVRANGE");
        latest.arg(list).arg(0).arg(MOST - 1);
        let names: Vec<String> = redis.query(&latest).await?;
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let mut ask = redis::cmd("MGET");
        for name in &names {
            ask.arg(known(list, name));
        }
        let stored: Vec<Option<Vec<u8>>> = redis.query(&ask).await?;
        let read = |bytes: Vec<u8>| serde_json::from_slice(&bytes);
        let alive = stored.into_iter().flatten().map(read).collect::<Result<_, _>>();
        alive.map_err(|error| QueueError::Protocol(error.to_string()))
    }

    /// The jobs in workers' hands, at most 500. A job that ends while this looks is left out.
    pub async fn running(&self) -> Result<Vec<Running>, QueueError> {
        let (keys, redis) = (&self.inner.keys, &self.inner.redis);
        let mut ask = redis::cmd("ZRANGE");
        ask.arg(&keys.leases).arg(0).arg(MOST - 1);
        let jobs: Vec<String> = redis.query(&ask).await?;
        if jobs.is_empty() {
            return Ok(Vec::new());
        }
        let mut ask = redis::cmd("HMGET");
        ask.arg(&keys.records).arg(&jobs);
        let records: Vec<Option<Vec<u8>>> = redis.query(&ask).await?;
        let running = |(job, record): (String, Option<Vec<u8>>)| {
            let lease = record::lease(&record?)?;
            Some(Running {
                job: JobKey::parse(&job).ok()?,
                worker: lease.owner,
                since: lease.began,
            })
        };
        Ok(jobs.into_iter().zip(records).filter_map(running).collect())
    }
}
