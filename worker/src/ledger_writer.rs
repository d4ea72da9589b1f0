//! Moves facts from the ledger stream into the store, in every worker process, one process at a time.
//!
//! Who writes is settled by a lease in Redis, only so that the others do not work in vain: that each fact is written exactly once is the
//! store's own promise (see `shared/src/store/record.rs`), whoever else writes. So the lease may be lost, doubled or forgotten without harm.
//! An outage of Redis or of the database makes the ledger late, never wrong: the stream keeps what the store has not taken, and the
//! writer tries again for ever. When the process is told to stop, it takes what is there, within [`LAST_PASS`], and lets the lease go.

use std::time::Duration;

use backoff::ExponentialBackoff;
use backoff::backoff::Backoff as _;
use passerelle_shared::id::ProcessName;
use passerelle_shared::queue::{Queue, QueueError, Redis};
use passerelle_shared::store::{Intake, IntakeError, Store, take_ledger};
use passerelle_shared::time::Timestamp;
use redis::Script;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::dead_budget::DeadBudget;

/// Entries per transaction: enough to spread the cost of a commit, few enough to hold in memory with their payloads.
const BATCH: usize = 500;
/// How long a writer that says nothing keeps the others waiting.
const LEASE: Duration = Duration::from_secs(10);
/// First wait when there is nothing to take; it doubles up to [`LONGEST_IDLE`].
const SHORTEST_IDLE: Duration = Duration::from_millis(50);
/// The ledger is at most about this late while the bridge is quiet.
const LONGEST_IDLE: Duration = Duration::from_secs(1);
/// How often the numbers of the ledger are measured for the metrics.
const MEASURE_EVERY: Duration = Duration::from_secs(5);
/// A step that takes longer than this hangs: it is given up and repeated.
const LONGEST_STEP: Duration = Duration::from_mins(1);
/// First wait when Redis or the database is away; it doubles up to [`LONGEST_WAIT_OF_OUTAGE`].
const FIRST_WAIT_OF_OUTAGE: Duration = Duration::from_millis(200);
/// How long after an outage the ledger may still rest.
const LONGEST_WAIT_OF_OUTAGE: Duration = Duration::from_secs(10);
/// How long a stopping process goes on writing.
const LAST_PASS: Duration = Duration::from_secs(5);

/// Takes the lease, or renews one's own; answers 1 if it is ours now.
const TAKE_LEASE: &str = "local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1";

/// Lets one's own lease go.
const DROP_LEASE: &str = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0";

/// The ledger writer of one process.
#[derive(Debug)]
pub struct LedgerWriter {
    queue: Queue,
    store: Store,
    redis: Redis,
    name: ProcessName,
    budget: Option<DeadBudget>,
}

impl LedgerWriter {
    /// A writer over any of the bridge's queues (they share one ledger). `name` is this process, for the lease.
    pub fn new(queue: Queue, store: Store, redis: Redis, name: ProcessName) -> Self {
        Self {
            queue,
            store,
            redis,
            name,
            budget: None,
        }
    }

    /// Also watches what the dead letters weigh.
    #[must_use]
    pub fn with_budget(self, budget: DeadBudget) -> Self {
        let budget = Some(budget);
        Self { budget, ..self }
    }

    /// Writes until told to stop, then once more what is there. Stop it after everything that still adds facts.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut waits = Waits::default();
        let mut measured = None;
        while !stop.is_cancelled() {
            let result = tokio::select! {
                result = self.step() => result,
                // A step that is dropped halfway has written nothing.
                () = stop.cancelled() => break,
            };
            let wait = match result {
                Ok(found) => waits.after(found),
                Err(trouble) => waits.after_trouble(&trouble),
            };
            if measured.is_none_or(|when| Timestamp::now().since(when) >= MEASURE_EVERY) {
                measured = Some(Timestamp::now());
                self.measure().await;
            }
            tokio::select! {
                () = sleep(wait) => {}
                () = stop.cancelled() => {}
            }
        }
        self.finish().await;
    }

    /// One look at the stream, if it is this process' turn.
    async fn step(&self) -> Result<Found, Trouble> {
        timeout(LONGEST_STEP, async {
            if !self.take_lease().await? {
                return Ok(Found::NotOurTurn);
            }
            Ok(match take_ledger(&self.queue, &self.store, BATCH).await? {
                Intake::Taken(count) => {
                    let written = u64::try_from(count).unwrap_or(u64::MAX);
                    metrics::counter!("passerelle_ledger_entries_written_total").increment(written);
                    if count == BATCH { Found::Much } else { Found::Little }
                }
                Intake::Empty => Found::Nothing,
                Intake::Moved => Found::Much,
            })
        })
        .await?
    }

    /// Takes what is left, if it is this process' turn, and lets the lease go for the next writer.
    async fn finish(&self) {
        let last_pass = async {
            while matches!(self.step().await, Ok(Found::Much | Found::Little)) {}
            self.drop_lease().await
        };
        match timeout(LAST_PASS, last_pass).await {
            Ok(Ok(())) => tracing::debug!("the ledger writer has stopped"),
            Ok(Err(error)) => tracing::debug!(%error, "the ledger writer has stopped; its lease will lapse"),
            Err(_) => tracing::warn!("the ledger could not be written to its end in time; another process will do it"),
        }
    }

    async fn take_lease(&self) -> Result<bool, QueueError> {
        let mut connection = self.redis.connection().await?;
        let taken: u8 = Script::new(TAKE_LEASE)
            .key(self.lease_key())
            .arg(self.name.as_str())
            .arg(u64::try_from(LEASE.as_millis()).unwrap_or(u64::MAX))
            .invoke_async(&mut connection)
            .await
            .map_err(|error| QueueError::Unavailable(error.to_string()))?;
        Ok(taken == 1)
    }

    async fn drop_lease(&self) -> Result<(), QueueError> {
        let mut connection = self.redis.connection().await?;
        let dropped: Result<u8, _> = Script::new(DROP_LEASE)
            .key(self.lease_key())
            .arg(self.name.as_str())
            .invoke_async(&mut connection)
            .await;
        dropped
            .map(drop)
            .map_err(|error| QueueError::Unavailable(error.to_string()))
    }

    fn lease_key(&self) -> String {
        format!("{}:ledger-writer", self.redis.prefix())
    }

    /// The conservation line and the backlog, as gauges. A measurement that fails is left out; the step before has said why.
    async fn measure(&mut self) {
        if let Ok(Ok(counts)) = timeout(LONGEST_STEP, self.store.counts()).await {
            metrics::gauge!("passerelle_ledger_items").set(as_gauge(counts.items));
            metrics::gauge!("passerelle_ledger_items_open").set(as_gauge(counts.open));
            metrics::gauge!("passerelle_ledger_items_missing").set(as_gauge(counts.missing()));
            for (outcome, items) in counts.outcomes {
                metrics::gauge!("passerelle_ledger_items_ended", "outcome" => outcome).set(as_gauge(items));
            }
        }
        if let Ok(stats) = self.queue.stats().await {
            let backlog = i64::try_from(stats.ledger_backlog).unwrap_or(i64::MAX);
            metrics::gauge!("passerelle_ledger_backlog_entries").set(as_gauge(backlog));
        }
        if let (Some(budget), Ok(load)) = (&mut self.budget, self.redis.dead_load().await) {
            budget.look(load);
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a gauge is a floating-point number; below 2^53 it is exact"
)]
fn as_gauge(number: i64) -> f64 {
    number as f64
}

/// What the writer found at one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    /// More is waiting, probably.
    Much,
    /// The end of the stream was reached, with something taken.
    Little,
    /// Nothing was there.
    Nothing,
    /// Another process writes.
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

/// How long to wait before the next step: nothing while there is much to do, longer and longer while there is nothing, and by a growing
/// schedule with chance in it while Redis or the database is away.
#[derive(Debug, Default)]
struct Waits {
    idle: Duration,
    outage: Option<ExponentialBackoff>,
}

impl Waits {
    fn after(&mut self, found: Found) -> Duration {
        if self.outage.take().is_some() {
            tracing::info!("the ledger is being written again");
        }
        self.idle = match found {
            Found::Much => Duration::ZERO,
            Found::Little => SHORTEST_IDLE,
            Found::Nothing => (self.idle * 2).clamp(SHORTEST_IDLE, LONGEST_IDLE),
            Found::NotOurTurn => LEASE / 3,
        };
        self.idle
    }

    fn after_trouble(&mut self, trouble: &Trouble) -> Duration {
        let schedule = self.outage.get_or_insert_with(|| {
            tracing::warn!(error = %trouble, "the ledger cannot be written now; its facts wait in Redis, and it is tried again");
            ExponentialBackoff {
                current_interval: FIRST_WAIT_OF_OUTAGE,
                initial_interval: FIRST_WAIT_OF_OUTAGE,
                multiplier: 2.0,
                max_interval: LONGEST_WAIT_OF_OUTAGE,
                max_elapsed_time: None,
                ..ExponentialBackoff::default()
            }
        });
        self.idle = Duration::ZERO;
        schedule.next_backoff().unwrap_or(LONGEST_WAIT_OF_OUTAGE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quiet_ledger_is_looked_at_less_and_less_often_but_every_second() {
        let mut waits = Waits::default();
        let idle: Vec<u128> = (0..7).map(|_| waits.after(Found::Nothing).as_millis()).collect();
        assert_eq!(idle, [50, 100, 200, 400, 800, 1000, 1000]);
        assert_eq!(waits.after(Found::Little), SHORTEST_IDLE);
        assert_eq!(waits.after(Found::Much), Duration::ZERO);
    }

    #[test]
    fn an_outage_is_waited_out_for_ever_with_growing_waits() {
        let mut waits = Waits::default();
        let trouble = Trouble::Lease(QueueError::Unavailable("gone".to_owned()));
        let growing: Vec<Duration> = (0..40).map(|_| waits.after_trouble(&trouble)).collect();
        assert!(growing[0] <= FIRST_WAIT_OF_OUTAGE * 2);
        assert!(growing[39] >= LONGEST_WAIT_OF_OUTAGE / 2 && growing[39] <= LONGEST_WAIT_OF_OUTAGE * 2);
    }
}
