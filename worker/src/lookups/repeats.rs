//! The identical sync of a row is carried out at most once in five minutes (D4): the last layer
//! against two writers who undo each other's work.
//!
//! The same pages again normally need no write at all, and are not kept back. If they need one
//! although the very same state was written a moment ago, that write was undone (the page's id was
//! taken out of the row, say): it is repeated, but only when the time is over. A *different* state
//! is never kept back. Nothing is dropped: the job is held. A sync that an operator forces is not
//! kept back either.
//!
//! Kept in Redis as `<prefix>:sync:<table id>:<row id>`. Without Redis nothing is kept back.

use std::time::Duration;

use passerelle_model::event::EventKind;
use passerelle_model::id::RowKey;
use passerelle_model::job::Job;
use passerelle_model::ledger::FailureClass;
use passerelle_queue::Redis;
use redis::AsyncCommands as _;
use sha2::{Digest as _, Sha256};

use crate::failure::{Failure, Target};
use crate::rules::Plan;

/// What was synced lately.
#[derive(Debug, Clone)]
pub struct Repeats {
    redis: Redis,
    apart: Duration,
}

impl Repeats {
    /// On this Redis; no time at all switches it off.
    pub fn new(redis: Redis, apart: Duration) -> Self {
        Self { redis, apart }
    }

    /// How long to wait if this very state of a row was synced lately. Another one is forgotten: it
    /// is about to be overwritten, whatever comes of that, so who wants it again undoes nothing.
    pub async fn wait(&self, row: RowKey, state: &str) -> Option<Duration> {
        if self.apart.is_zero() {
            return None;
        }
        let key = self.key(row);
        let mut both = redis::pipe();
        both.get(&key).pttl(&key);
        let answer: Result<(Option<String>, i64), _> = both.query_async(&mut self.redis.clone()).await;
        let (last, left) = answer
            .inspect_err(|error| tracing::warn!(%error, "the last sync of the row could not be looked up"))
            .ok()?;
        if last? != state {
            self.forget(row).await;
            return None;
        }
        u64::try_from(left).ok().map(Duration::from_millis)
    }

    /// Remembers that this state was written.
    pub async fn remember(&self, row: RowKey, state: &str) {
        if self.apart.is_zero() {
            return;
        }
        let millis = u64::try_from(self.apart.as_millis()).unwrap_or(u64::MAX);
        let kept: Result<(), _> = self.redis.clone().pset_ex(self.key(row), state, millis).await;
        if let Err(error) = kept {
            tracing::warn!(%error, "the sync of the row could not be remembered");
        }
    }

    /// Forgets what was synced of a row. One that is gone may come back as it was: its page has to
    /// come back with it at once.
    pub async fn forget(&self, row: RowKey) {
        let forgotten: Result<(), _> = self.redis.clone().del(self.key(row)).await;
        if let Err(error) = forgotten {
            tracing::warn!(%error, "the last sync of the row could not be forgotten");
        }
    }

    fn key(&self, row: RowKey) -> String {
        format!("{}:sync:{}:{}", self.redis.prefix(), row.table, row.row)
    }
}

/// Whether a job may be kept back: not if an operator asked for it.
pub fn applies_to(job: &Job) -> bool {
    !job.kinds.contains(EventKind::Forced)
}

/// The failure of a job that is kept back; its attempt does not count.
pub fn too_soon(wait: Duration) -> Failure {
    let message = "this very state was synced a moment ago and has been undone since; it is written again when five minutes are over";
    Failure::new(FailureClass::Throttled, Target::Bridge, message).after(wait)
}

/// What a sync wants, in short: the states of all its pages.
pub fn state_of(plan: &Plan<'_>) -> String {
    let mut hasher = Sha256::new();
    hasher.update(&plan.page.hash);
    for (_, page) in &plan.sub_pages {
        hasher.update(&page.hash);
    }
    hex::encode(hasher.finalize())
}
