//! Moves facts from the ledger stream into the store, in every worker process, one process at a
//! time.
//!
//! A lease in Redis says which process writes, only so that the others do not work in vain: that
//! each fact is written exactly once is the store's own promise (see `shared/store/src/record.rs`).
//! So the lease may be lost, doubled or forgotten without harm, and a Redis that takes no write any
//! more (it is full, or read-only) is drained without one. An outage of Redis or of the database
//! makes the ledger late, never wrong: the stream keeps what the store has not taken, and the
//! writer tries again for ever. A writer that cannot reach the database lets the lease go: perhaps
//! another one can. When the process stops, it takes what is there, within [`LAST_PASS`], and lets
//! the lease go.

mod measure;
mod retirement;
mod waits;

use std::time::Duration;

use passerelle_model::id::ProcessName;
use passerelle_queue::{Lock, Queue, QueueError, Redis};
use passerelle_store::{Intake, IntakeError, Store, take_ledger};
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

pub use retirement::Retention;
use retirement::Retirement;
use waits::{Waits, rest};

/// Most entries per transaction: enough to spread the cost of a commit. Heavy entries make smaller
/// batches, and so does a slow database.
const LARGEST_BATCH: usize = 500;
/// How long a writer that says nothing keeps the others waiting.
const LEASE: Duration = Duration::from_secs(10);
/// A step that takes longer than this hangs: it is given up and repeated.
const LONGEST_STEP: Duration = Duration::from_mins(1);
/// How long a stopping process goes on writing.
const LAST_PASS: Duration = Duration::from_secs(5);

/// The ledger writer of one process.
#[derive(Debug)]
pub struct LedgerWriter {
    queue: Queue,
    store: Store,
    lease: Lock,
    retention: Retention,
}

impl LedgerWriter {
    /// A writer over any of the bridge's queues (they share one ledger). `name` is this process,
    /// for the lease.
    pub fn new(queue: Queue, store: Store, redis: Redis, name: ProcessName) -> Self {
        let key = format!("{}:ledger-writer", redis.prefix());
        Self {
            queue,
            store,
            lease: Lock::new(redis, key, name, LEASE),
            retention: Retention::default(),
        }
    }

    /// How long finished events are kept; without it, for ever.
    #[must_use]
    pub fn retaining(self, retention: Retention) -> Self {
        Self { retention, ..self }
    }

    /// Writes until `stop`, then once more what is there. Stop it after everything that still adds
    /// facts.
    pub async fn run(self, stop: CancellationToken) {
        let fact = Notify::new();
        tokio::select! {
            // A step that is dropped halfway has written nothing, or all of it.
            () = self.write_for_ever(&fact) => {}
            () = self.queue.listen_to_ledger(&fact) => {}
            () = measure::for_ever(&self.queue, &self.store) => {}
            () = stop.cancelled() => {}
        }
        self.finish().await;
    }

    async fn write_for_ever(&self, fact: &Notify) {
        let mut waits = Waits::default();
        let mut batch = LARGEST_BATCH;
        let mut retirement = Retirement::new(self.retention);
        loop {
            let (wait, ends_it) = match self.careful_step(waits.is_outage(), batch).await {
                Ok(found) => {
                    batch = (batch * 2).min(LARGEST_BATCH);
                    let wait = waits.after(found);
                    let has_more = self.retire(found, &mut retirement).await;
                    let wait = if has_more { Duration::ZERO } else { wait };
                    (wait, (found == Found::Nothing).then_some(fact))
                }
                Err(trouble) => {
                    // A batch that a slow database does not finish in time would be rolled back for
                    // ever.
                    batch = (batch / 2).max(1);
                    if let Err(error) = self.lease.let_go().await {
                        tracing::debug!(%error, "the lease could not be let go; it will lapse");
                    }
                    (waits.after_trouble(&trouble), None)
                }
            };
            rest(wait, ends_it).await;
        }
    }

    /// After a failure the lease is taken only when the database can be written: a holder in vain
    /// would keep it from a process that can write.
    async fn careful_step(&self, has_failed: bool, batch: usize) -> Result<Found, Trouble> {
        if has_failed {
            timeout(LONGEST_STEP, self.store.check_write())
                .await?
                .map_err(IntakeError::from)?;
        }
        self.step(batch).await
    }

    /// One look at the stream, if it is this process' turn.
    async fn step(&self, batch: usize) -> Result<Found, Trouble> {
        timeout(LONGEST_STEP, async {
            match self.lease.take().await {
                Ok(true) => {}
                Ok(false) => return Ok(Found::NotOurTurn),
                Err(error) => tracing::debug!(%error, "the lease cannot be taken; the ledger is written without it"),
            }
            Ok(match take_ledger(&self.queue, &self.store, batch).await? {
                Intake::Taken(count) => {
                    let written = u64::try_from(count).unwrap_or(u64::MAX);
                    metrics::counter!("passerelle_ledger_entries_written_total").increment(written);
                    if count >= batch { Found::Much } else { Found::Little }
                }
                Intake::Empty => Found::Nothing,
                Intake::Moved => Found::Much,
            })
        })
        .await?
    }

    /// Removes a little of what is old, if there is time for it; says whether there is more to
    /// remove.
    async fn retire(&self, found: Found, retirement: &mut Retirement) -> bool {
        match found {
            Found::Little | Found::Nothing => {}
            Found::Much | Found::NotOurTurn => return false,
        }
        match timeout(LONGEST_STEP, retirement.step(&self.store, &self.queue)).await {
            Ok(Ok(has_more)) => has_more,
            Ok(Err(error)) => {
                tracing::debug!(%error, "old events could not be removed now");
                false
            }
            Err(_) => false,
        }
    }

    /// Takes what is left, if it is this process' turn, and lets the lease go for the next writer.
    async fn finish(&self) {
        let last_pass = async {
            while matches!(self.step(LARGEST_BATCH).await, Ok(Found::Much | Found::Little)) {}
            self.lease.let_go().await.map(drop)
        };
        match timeout(LAST_PASS, last_pass).await {
            Ok(Ok(())) => tracing::debug!("the ledger writer has stopped"),
            Ok(Err(error)) => tracing::debug!(%error, "the ledger writer has stopped; its lease will lapse"),
            Err(_) => tracing::warn!("the ledger could not be written to its end in time; another process will do it"),
        }
    }
}

/// What the writer found at one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    /// More is waiting, probably.
    Much,
    /// The end of the stream was reached, with something taken.
    Little,
    Nothing,
    NotOurTurn,
}

/// Why a step failed. Every step may be repeated.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Intake(#[from] IntakeError),
    #[error(transparent)]
    Lease(#[from] QueueError),
    #[error("the database or Redis did not finish within {LONGEST_STEP:?}")]
    Slow(#[from] tokio::time::error::Elapsed),
}
