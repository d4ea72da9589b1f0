//! The durable work queue, keyed by row.

use std::time::Duration;

use crate::config::RedisSettings;
use crate::event::NewEvent;
use crate::id::ProcessName;
use crate::job::{Job, JobKey};
use crate::ledger::{FailureRecord, LedgerEntry, Seq, Settlement};
use crate::time::Timestamp;

/// A Redis that reconnects by itself. Cheap to clone; one multiplexed connection per process.
#[derive(Debug, Clone)]
pub struct Redis {}

impl Redis {
    /// Prepares the connection; the first use connects. Fails only on an unusable URL.
    pub fn open(_settings: &RedisSettings) -> Result<Self, QueueError> {
        todo!()
    }
    /// A connection for other uses (caches, leases, sessions): explicit time-outs, reconnects by itself.
    pub async fn connection(&self) -> Result<redis::aio::ConnectionManager, QueueError> {
        todo!()
    }
    /// The prefix of every key (`bridge`).
    pub fn prefix(&self) -> &str {
        todo!()
    }
    /// Writes and reads back a key that expires: the readiness check.
    pub async fn check_write(&self) -> Result<(), QueueError> {
        todo!()
    }
    /// What an operator should know about this server's settings.
    pub async fn durability(&self) -> Result<Durability, QueueError> {
        todo!()
    }
}

/// Whether this Redis keeps what it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Durability {
    /// `appendonly yes`.
    pub append_only: bool,
    /// `maxmemory-policy`; anything but `noeviction` may drop jobs.
    pub eviction_policy: String,
    /// `maxmemory` in bytes; 0 = no limit.
    pub max_memory: u64,
}

/// Why the queue could not answer.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// Redis could not be reached, or did not answer in time: the outcome of the call is unknown; every call may be repeated.
    #[error("Redis does not answer: {0}")]
    Unavailable(String),
    /// Redis answered with an error of its own.
    #[error("Redis refused: {0}")]
    Refused(String),
    /// The URL is not usable.
    #[error("REDIS_URL is not usable: {0}")]
    Url(String),
    /// What Redis answered is not what our scripts answer.
    #[error("Redis answered something unexpected: {0}")]
    Protocol(String),
}

/// Which queue: one per set of targets, so that trouble with one never delays another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum QueueName {
    /// Rows to pages: needs Baserow and Docmost.
    Sync,
    /// E-mail notices.
    Mail,
    /// Slack notices.
    Slack,
}

/// The queue.
#[derive(Debug, Clone)]
pub struct Queue {}

/// Proof that a delivery is durable: the only licence to answer 200. Only [`Queue::accept`] makes it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Accepted {
    status: AcceptStatus,
}

/// What became of an accepted delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AcceptStatus {
    /// At least one row's job will cover it.
    Queued,
    /// It had been accepted before.
    Duplicate,
    /// Recorded; nothing to do.
    Ignored,
}

impl Accepted {
    /// What became of it.
    pub fn status(&self) -> AcceptStatus {
        self.status
    }
}

/// Where a settlement went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// It is recorded.
    Recorded,
    /// The lease had been lost; nothing was changed. Another worker runs or ran the job.
    LeaseLost,
}

/// A job in a worker's hands. Dropping it unsettled (a panic) counts as a crash of the job.
#[derive(Debug)]
pub struct Leased {}

impl Leased {
    /// The job.
    pub fn job(&self) -> &Job {
        todo!()
    }
    /// Ends the attempt. Waits through Redis outages until the settlement is recorded or the lease is lost.
    pub async fn settle(self, _settlement: Settlement) -> Settled {
        todo!()
    }
}

/// How a worker takes jobs.
#[derive(Debug, Clone)]
pub struct BackendSettings {
    /// Unique per process start.
    pub worker: ProcessName,
    /// Most jobs at once.
    pub concurrency: usize,
    /// How long a job stays with a worker that says nothing (default 30 s; renewed at a third).
    pub lease: Duration,
}

/// A dead letter.
#[derive(Debug, Clone, PartialEq)]
pub struct DeadLetter {
    /// Its id.
    pub id: String,
    /// The job that it was.
    pub job: JobKey,
    /// The word for filters: `permanent`, `exhausted`, `poison`.
    pub reason: String,
    /// The last failure.
    pub failure: FailureRecord,
    /// Counted attempts.
    pub attempts: u32,
    /// When it was buried.
    pub died: Timestamp,
    /// The last ledger entry that it answered for.
    pub covers: Seq,
    /// The last event that it answered for.
    pub last_event: String,
}

/// The state of the queue, in numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueueStats {
    /// Jobs ready to run.
    pub active: u64,
    /// Jobs in workers' hands.
    pub running: u64,
    /// Jobs waiting for their time.
    pub scheduled: u64,
    /// Dead letters.
    pub dead: u64,
    /// Ledger entries that the store has not taken yet.
    pub ledger_backlog: u64,
    /// Whether fetching is paused.
    pub paused: bool,
}

impl Queue {
    /// The queue of this name on this Redis.
    pub fn new(_redis: Redis, _name: QueueName) -> Self {
        todo!()
    }
    /// Makes a delivery durable: claim, ledger entry and jobs in one atomic step, together with whatever else arrives meanwhile.
    pub async fn accept(&self, _event: NewEvent) -> Result<Accepted, QueueError> {
        todo!()
    }
    /// The queue in numbers.
    pub async fn stats(&self) -> Result<QueueStats, QueueError> {
        todo!()
    }
    /// A page of dead letters, newest first; `after` is the last id of the page before.
    pub async fn dead_letters(&self, _after: Option<&str>, _count: usize) -> Result<Vec<DeadLetter>, QueueError> {
        todo!()
    }
    /// One dead letter.
    pub async fn dead_letter(&self, _id: &str) -> Result<Option<DeadLetter>, QueueError> {
        todo!()
    }
    /// Turns dead letters into new forced events; returns how many were there.
    pub async fn replay(&self, _ids: &[String], _by: &str) -> Result<u64, QueueError> {
        todo!()
    }
    /// Removes dead letters; returns how many were there.
    pub async fn discard(&self, _ids: &[String], _by: &str, _why: &str) -> Result<u64, QueueError> {
        todo!()
    }
    /// Stops fetching by all workers until resumed.
    pub async fn pause(&self) -> Result<(), QueueError> {
        todo!()
    }
    /// Ends a pause.
    pub async fn resume(&self) -> Result<(), QueueError> {
        todo!()
    }
    /// The oldest ledger entries after a stream id (or from the start).
    pub async fn read_ledger(&self, _after: Option<&str>, _count: usize) -> Result<Vec<LedgerEntry>, QueueError> {
        todo!()
    }
    /// Forgets ledger entries up to and with a stream id: the store has them.
    pub async fn trim_ledger(&self, _up_to: &str) -> Result<(), QueueError> {
        todo!()
    }
}
