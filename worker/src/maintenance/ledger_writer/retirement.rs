//! Removes what is old from the ledger, a little at a time and only when there is nothing to write: what comes in goes first.

use std::time::Duration;

use passerelle_model::seq::Seq;
use passerelle_model::time::Timestamp;
use passerelle_store::{Store, StoreError};

/// From the end of one walk over the old part of the ledger to the beginning of the next.
const WALK_EVERY: Duration = Duration::from_hours(1);

/// One process' walk over what is old.
#[derive(Debug)]
pub(super) struct Retirement {
    keep: Option<Duration>,
    walk: Option<Seq>,
    ended: Option<Timestamp>,
}

impl Retirement {
    /// `keep` is how long a finished event is kept; without it, for ever.
    pub(super) fn new(keep: Option<Duration>) -> Self {
        Self {
            keep,
            walk: None,
            ended: None,
        }
    }

    /// One small transaction of the walk, if one is due. Returns whether there is more to do.
    pub(super) async fn step(&mut self, store: &Store) -> Result<bool, StoreError> {
        let Some(keep) = self.keep else { return Ok(false) };
        let now = Timestamp::now();
        if self.walk.is_none() && self.ended.is_some_and(|ended| now.since(ended) < WALK_EVERY) {
            return Ok(false);
        }
        let retired = store.retire(self.walk.unwrap_or(Seq::ZERO), now.minus(keep)).await?;
        if retired.events > 0 {
            tracing::debug!(events = retired.events, "old events were removed from the ledger");
            metrics::counter!("passerelle_ledger_events_retired_total").increment(retired.events);
        }
        self.walk = retired.next;
        self.ended = self.walk.is_none().then_some(now);
        Ok(self.walk.is_some())
    }
}
