//! Removes what is old from the ledger, a little at a time and only when there is nothing to write: what comes in goes first.
//!
//! How old an event is, two clocks must say: that of Redis, which stamped it, and this process' own. One of them may be wrong by months. A walk
//! removes at most [`MOST_PER_WALK`] events, and a walk that would remove most of a ledger asks first: a setting has to confirm it.

use std::time::Duration;

use passerelle_model::seq::Seq;
use passerelle_model::time::Timestamp;
use passerelle_queue::{QueueError, Redis};
use passerelle_store::{Store, StoreError};

/// From the end of one walk over the old part of the ledger to the beginning of the next.
const WALK_EVERY: Duration = Duration::from_hours(1);
/// Most events that one walk removes.
const MOST_PER_WALK: u64 = 200_000;
/// So many old events may go unasked, whatever part of the ledger they are.
const FEW: i64 = 1000;

/// How long finished events are kept.
#[derive(Debug, Clone, Copy, Default)]
pub struct Retention {
    /// `None`: for ever.
    pub keep: Option<Duration>,
    /// An operator has confirmed that most of the ledger may go.
    pub may_remove_most: bool,
}

/// One process' walk over what is old.
#[derive(Debug)]
pub(super) struct Retirement {
    retention: Retention,
    walk: Option<Walk>,
    ended: Option<Timestamp>,
}

#[derive(Debug)]
struct Walk {
    from: Seq,
    before: Timestamp,
    removed: u64,
}

/// Why a step failed. Every step may be repeated.
#[derive(Debug, thiserror::Error)]
pub(super) enum RetirementError {
    #[error(transparent)]
    Clock(#[from] QueueError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Retirement {
    pub(super) fn new(retention: Retention) -> Self {
        Self {
            retention,
            walk: None,
            ended: None,
        }
    }

    /// One small transaction of the walk, if one is due. Returns whether there is more to do.
    pub(super) async fn step(&mut self, store: &Store, redis: &Redis) -> Result<bool, RetirementError> {
        let Some(keep) = self.retention.keep else {
            return Ok(false);
        };
        let now = Timestamp::now();
        let mut walk = match self.walk.take() {
            Some(walk) => walk,
            None if self.ended.is_some_and(|ended| now.since(ended) < WALK_EVERY) => return Ok(false),
            None => {
                let before = now.min(redis.clock().await?).minus(keep);
                if !self.may_remove(store, before).await? {
                    self.ended = Some(now);
                    return Ok(false);
                }
                Walk {
                    from: Seq::ZERO,
                    before,
                    removed: 0,
                }
            }
        };
        let retired = store.retire(walk.from, walk.before).await?;
        if retired.events > 0 {
            tracing::debug!(events = retired.events, "old events were removed from the ledger");
            metrics::counter!("passerelle_ledger_events_retired_total").increment(retired.events);
        }
        walk.removed += retired.events;
        let next = retired.next.filter(|_| walk.removed < MOST_PER_WALK);
        self.walk = next.map(|from| Walk { from, ..walk });
        self.ended = self.walk.is_none().then_some(now);
        Ok(self.walk.is_some())
    }

    /// Whether a walk may begin: it removes a small part of the ledger, or an operator has confirmed it.
    async fn may_remove(&self, store: &Store, before: Timestamp) -> Result<bool, StoreError> {
        let age = store.events_older_than(before).await?;
        let is_small = age.old <= FEW || age.old <= age.all / 2;
        if !is_small && !self.retention.may_remove_most {
            tracing::error!(
                old = age.old,
                all = age.all,
                "LEDGER_KEEP_DAYS would remove most of the ledger, so nothing is removed: are the clocks of this machine and of Redis right? \
                 If it is meant, set LEDGER_REMOVE_MOST=true until it is done"
            );
        }
        Ok(is_small || self.retention.may_remove_most)
    }
}
