//! What only one process may do at a time, and what all together may do only so often. Both expire
//! by the clock of Redis, and outlive their own length by no jump of it.

use std::time::Duration;

use crate::server::scripts::script;
use crate::working::lease::millis;
use crate::{QueueError, Redis};
use passerelle_model::id::ProcessName;

script!(LOCK, "../server/scripts/clock.lua", "lock.lua");
script!(COUNT, "../server/scripts/clock.lua", "count.lua");
script!(BUDGET, "../server/scripts/clock.lua", "budget.lua");

/// So many of something in any window of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// The most.
    pub most: u32,
    /// The window.
    pub window: Duration,
}

/// A lock, as one process sees it.
#[derive(Debug, Clone)]
pub struct Lock {
    redis: Redis,
    key: String,
    holder: ProcessName,
    length: Duration,
}

impl Lock {
    /// The lock of this key, for this process. It expires when its holder has not taken it again
    /// within `length`.
    pub fn new(redis: Redis, key: String, holder: ProcessName, length: Duration) -> Self {
        Self {
            redis,
            key,
            holder,
            length,
        }
    }

    /// Takes the lock, or takes one's own again. `false`: another process has it.
    pub async fn take(&self) -> Result<bool, QueueError> {
        self.ask("take").await
    }

    /// Lets the others have it. `false`: it was not ours.
    pub async fn let_go(&self) -> Result<bool, QueueError> {
        self.ask("let_go").await
    }

    async fn ask(&self, verb: &str) -> Result<bool, QueueError> {
        let mut call = LOCK.call(1);
        call.arg(&self.key)
            .arg(verb)
            .arg(self.holder.as_str())
            .arg(millis(self.length));
        let answer: u8 = call.send(&self.redis).await?;
        Ok(answer == 1)
    }
}

impl Redis {
    /// Counts something that may be done only so often in a window of time, which begins with the
    /// first. Returns how often it was done in this window, this time included, and how much of the
    /// window is left.
    pub async fn count_within(&self, key: &str, window: Duration) -> Result<(u64, Duration), QueueError> {
        let mut call = COUNT.call(1);
        call.arg(key).arg(millis(window));
        let (count, left): (u64, u64) = call.send(self).await?;
        Ok((count, Duration::from_millis(left)))
    }

    /// Whether something may be done within a budget that all processes share: `None`, or how long
    /// to wait. What was allowed once under its name stays so and counts once.
    pub async fn spend(&self, key: &str, name: &str, budget: Budget) -> Result<Option<Duration>, QueueError> {
        let mut call = BUDGET.call(1);
        call.arg(format!("{{{}}}:{key}", self.prefix()));
        call.arg(name).arg(budget.most).arg(millis(budget.window));
        let wait: u64 = call.send(self).await?;
        Ok((wait > 0).then(|| Duration::from_millis(wait)))
    }
}
