//! How long a lease is valid, by the clock of its holder.
//!
//! Redis decides who has a job, but a holder that cannot reach Redis does not hear it. So a holder
//! counts by itself: a lease that was not renewed within its length is over, whatever else the
//! process can reach. The count begins before the call that took or renewed the lease was sent;
//! Redis counts from when it carried the call out. So the holder always stops first.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::working::roster::RosterEntry;

/// A lease, as its holder sees it. Clones are the same lease.
#[derive(Debug, Clone)]
pub struct Lease {
    /// `None`: it ends only when Redis says so.
    until: Arc<Mutex<Option<Instant>>>,
    lost: CancellationToken,
    /// Its job among all that the process has leased.
    entry: Option<Arc<RosterEntry>>,
}

impl Lease {
    /// A lease that is over after this time, unless it is renewed.
    pub fn lasting(length: Duration) -> Self {
        let lease = Self::unbounded();
        lease.extend(Instant::now() + length);
        lease
    }

    /// A lease that ends only when Redis says so.
    pub(crate) fn unbounded() -> Self {
        Self {
            until: Arc::default(),
            lost: CancellationToken::new(),
            entry: None,
        }
    }

    /// The same lease, with its job's entry among all that the process has leased.
    #[must_use]
    pub fn entered(self, entry: RosterEntry) -> Self {
        Self {
            entry: Some(Arc::new(entry)),
            ..self
        }
    }

    /// Its job among all that the process has leased, if it is known.
    pub fn entry(&self) -> Option<&RosterEntry> {
        self.entry.as_deref()
    }

    /// Redis has confirmed the lease until then; it never gets shorter.
    pub(crate) fn extend(&self, until: Instant) {
        let mut known = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        *known = (*known).max(Some(until));
    }

    /// Redis has given the job to another worker.
    pub(crate) fn lose(&self) {
        self.lost.cancel();
    }

    /// Whether Redis has said so.
    pub(crate) fn is_lost(&self) -> bool {
        self.lost.is_cancelled()
    }

    /// Whether another worker may have the job by now. Then nothing may be written for it any more.
    pub fn is_over(&self) -> bool {
        self.is_lost() || self.until().is_some_and(|until| Instant::now() >= until)
    }

    /// Ends when the lease is over: for a `select!` around the work.
    pub async fn over(&self) {
        while !self.is_over() {
            let expired = async {
                match self.until() {
                    Some(until) => sleep_until(until).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = self.lost.cancelled() => {}
                () = expired => {}
            }
        }
    }

    fn until(&self) -> Option<Instant> {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(30);
    const LONG: Duration = Duration::from_mins(10);

    #[tokio::test]
    async fn a_lease_that_is_not_renewed_in_time_is_over_without_a_word_from_redis() {
        let began = Instant::now();
        let lease = Lease::lasting(SHORT);
        lease.over().await;
        assert!(lease.is_over() && began.elapsed() >= SHORT);
    }

    #[tokio::test]
    async fn a_renewed_lease_lasts_from_its_renewal_and_never_gets_shorter() {
        let began = Instant::now();
        let lease = Lease::lasting(SHORT);
        lease.extend(began + 3 * SHORT);
        lease.extend(began + 2 * SHORT);
        lease.over().await;
        assert!(began.elapsed() >= 3 * SHORT);
    }

    #[tokio::test]
    async fn a_lease_that_redis_gave_away_is_over_at_once() {
        let began = Instant::now();
        let lease = Lease::lasting(LONG);
        assert!(!lease.is_over());
        let holder = lease.clone();
        lease.lose();
        holder.over().await;
        assert!(holder.is_over() && began.elapsed() < LONG);
    }
}
