//! Removes what is old from the ledger, a little at a time and only when there is nothing to write:
//! what comes in goes first.
//!
//! How old an event is, two clocks must say: that of Redis, which stamped it, and this process'
//! own. One of them may be wrong by months. A walk removes at most [`MOST_PER_WALK`] events, and a
//! walk that would remove most of a ledger asks first: a setting has to confirm it.

use std::time::Duration;

use passerelle_model::seq::Seq;
use passerelle_model::time::Timestamp;
use passerelle_queue::{Queue, QueueError};
use passerelle_store::{Store, StoreError};
use tokio::time::Instant;

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
    ended: Option<Instant>,
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
    pub(super) async fn step(&mut self, store: &Store, queue: &Queue) -> Result<bool, RetirementError> {
        let Some(keep) = self.retention.keep else {
            return Ok(false);
        };
        let now = Timestamp::now();
        let mut walk = match self.walk.take() {
            Some(walk) => walk,
            None if self.ended.is_some_and(|ended| ended.elapsed() < WALK_EVERY) => return Ok(false),
            None => {
                let before = old_before(now, queue.clock().await?, keep);
                if !self.may_remove(store, before).await? {
                    self.ended = Some(Instant::now());
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
        self.ended = self.walk.is_none().then(Instant::now);
        Ok(self.walk.is_some())
    }

    /// Whether a walk may begin: it removes a small part of the ledger, or an operator has
    /// confirmed it.
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

/// What came before this moment is old by both clocks.
fn old_before(worker: Timestamp, redis: Timestamp, keep: Duration) -> Timestamp {
    worker.min(redis).minus(keep)
}

#[cfg(test)]
mod tests {
    use passerelle_model::config::{Reader, RedisSettings, StoreSettings};
    use passerelle_model::event::{DeliveryKey, Disposition, EventKind, Item, NewEvent};
    use passerelle_model::id::{EventId, RowId, SourceName, TableId};
    use passerelle_model::ledger::{LedgerEntry, LedgerRecord};
    use passerelle_model::outcome::Outcome;
    use passerelle_queue::{QueueName, Redis};
    use test_support::TestRedis;

    use super::*;

    const DAY: Duration = Duration::from_hours(24);

    fn past_event(number: u64, received: Timestamp) -> anyhow::Result<LedgerEntry> {
        let id = format!("{}-{number}", received.as_millis());
        Ok(LedgerEntry {
            seq: Seq::from_stream_id(&id)?,
            id,
            answered: None,
            number: None,
            records: vec![Ok(LedgerRecord::Accepted(NewEvent {
                key: DeliveryKey {
                    webhook: None,
                    event: EventId::parse(&format!("past-{number}"))?,
                    batch: 0,
                },
                source: SourceName::parse("test")?,
                kind: EventKind::Updated,
                table: Some(TableId::new(2)?),
                received,
                trace: None,
                items: vec![Item {
                    row: Some(RowId::new(number)?),
                    disposition: Disposition::Closed(Outcome::Echo),
                }],
                payload: Vec::new(),
            }))],
        })
    }

    /// Events left after a walk over a ledger with so many old ones.
    async fn left_of(old: u64, may_remove_most: bool) -> anyhow::Result<i64> {
        let (server, folder) = (TestRedis::start()?, tempfile::tempdir()?);
        let settings = [("REDIS_URL", server.url())];
        let redis = Redis::open(&RedisSettings::read(&mut Reader::from_pairs(settings)))?;
        let queue = Queue::new(redis, QueueName::Sync);
        let url = format!("sqlite://{}/store.sqlite", folder.path().display());
        let store = Store::open(&StoreSettings::at(url)).await?;
        let long_ago = Timestamp::now().minus(DAY * 91);
        let past: Vec<LedgerEntry> = (1..=old)
            .map(|number| past_event(number, long_ago))
            .collect::<anyhow::Result<_>>()?;
        store.record(&past, None).await?;
        let mut retirement = Retirement::new(Retention {
            keep: Some(DAY * 90),
            may_remove_most,
        });
        while retirement.step(&store, &queue).await? {}
        Ok(store.events_older_than(Timestamp::now()).await?.all)
    }

    #[tokio::test]
    async fn most_of_a_ledger_is_removed_only_when_an_operator_has_confirmed_it() {
        assert_eq!(left_of(1200, false).await.unwrap(), 1200);
        assert_eq!(left_of(1200, true).await.unwrap(), 0);
        assert_eq!(left_of(900, false).await.unwrap(), 0, "a few may always go");
    }

    #[test]
    fn a_clock_that_is_ahead_makes_nothing_older() {
        let (right, ahead) = (Timestamp::from_millis(1_000_000), Timestamp::from_millis(9_000_000));
        let second = Duration::from_secs(1);
        assert_eq!(old_before(ahead, right, second), old_before(right, right, second));
        assert_eq!(old_before(right, ahead, second), right.minus(second));
    }
}
