//! How long to wait before the next step: nothing while there is much to do, longer and longer
//! while there is nothing, and by a growing schedule with chance in it while Redis or the database
//! is away. A fact ends the rest of a quiet ledger, and no other wait.

use std::time::Duration;

use passerelle_queue::backoff::Growing;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use super::LEASE;
use super::{Found, Trouble};

/// First wait when there is nothing to take; it doubles up to [`LONGEST_IDLE`]. A fact does not end
/// it: what comes meanwhile is written together.
const SHORTEST_IDLE: Duration = Duration::from_millis(50);
/// The ledger is at most about this late where the call that wakes the writer is lost.
const LONGEST_IDLE: Duration = Duration::from_secs(1);
/// First wait when Redis or the database is away; it doubles up to [`LONGEST_WAIT_OF_OUTAGE`].
const FIRST_WAIT_OF_OUTAGE: Duration = Duration::from_millis(200);
/// How long after an outage the ledger may still rest.
const LONGEST_WAIT_OF_OUTAGE: Duration = Duration::from_secs(10);

/// The waits of one writer, and whether an outage lasts: its beginning and its end are logged once
/// each.
#[derive(Debug, Default)]
pub(super) struct Waits {
    idle: Duration,
    outage: Option<Growing>,
}

impl Waits {
    /// Whether the last step failed.
    pub(super) fn is_outage(&self) -> bool {
        self.outage.is_some()
    }

    pub(super) fn after(&mut self, found: Found) -> Duration {
        if self.outage.take().is_some() {
            match found {
                Found::NotOurTurn => tracing::info!("another process writes the ledger now"),
                Found::Much | Found::Little | Found::Nothing => tracing::info!("the ledger is being written again"),
            }
        }
        self.idle = match found {
            Found::Much => Duration::ZERO,
            Found::Little => SHORTEST_IDLE,
            Found::Nothing => (self.idle * 2).clamp(SHORTEST_IDLE, LONGEST_IDLE),
            Found::NotOurTurn => LEASE / 3,
        };
        self.idle
    }

    pub(super) fn after_trouble(&mut self, trouble: &Trouble) -> Duration {
        let schedule = self.outage.get_or_insert_with(|| {
            tracing::warn!(error = %trouble, "the ledger cannot be written now; its facts wait in Redis, and it is tried again");
            Growing::new(FIRST_WAIT_OF_OUTAGE, LONGEST_WAIT_OF_OUTAGE)
        });
        self.idle = Duration::ZERO;
        schedule.next_wait()
    }
}

/// Waits, less long where a fact may end it.
pub(super) async fn rest(wait: Duration, fact: Option<&Notify>) {
    sleep(wait.min(SHORTEST_IDLE)).await;
    let rest = wait.saturating_sub(SHORTEST_IDLE);
    match fact {
        Some(fact) => drop(timeout(rest, fact.notified()).await),
        None => sleep(rest).await,
    }
}

#[cfg(test)]
mod tests {
    use passerelle_queue::QueueError;
    use tokio::time::Instant;

    use super::*;

    #[test]
    fn a_quiet_ledger_is_looked_at_less_and_less_often_but_every_second() {
        let mut waits = Waits::default();
        let idle: Vec<u128> = (0..7).map(|_| waits.after(Found::Nothing).as_millis()).collect();
        assert_eq!(idle, [50, 100, 200, 400, 800, 1000, 1000]);
        assert_eq!(waits.after(Found::Little), SHORTEST_IDLE);
        assert_eq!(waits.after(Found::Much), Duration::ZERO);
    }

    #[tokio::test]
    async fn a_fact_ends_the_rest_of_a_quiet_ledger_but_not_the_time_in_which_facts_gather() {
        let (fact, began) = (Notify::new(), Instant::now());
        fact.notify_one();
        rest(Duration::from_mins(10), Some(&fact)).await;
        let took = began.elapsed();
        assert!(took >= SHORTEST_IDLE && took < Duration::from_mins(5), "{took:?}");
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
