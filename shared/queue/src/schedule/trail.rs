//! What a task that was broken off leaves for whoever goes on with it: a line for each step that it
//! has finished. Lines are only added, so a step costs the same after a hundred thousand rows as
//! after the first; and they are forgotten by themselves when nobody goes on for long.

use std::fmt;
use std::time::Duration;

use crate::{QueueError, Redis};

/// Lines that are read at once, so that Redis never blocks others for long.
const PAGE: i64 = 200;

/// The lines of one task in Redis.
#[derive(Clone)]
pub struct Trail {
    redis: Redis,
    key: String,
    keep: Duration,
}

impl fmt::Debug for Trail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Trail").field(&self.key).finish()
    }
}

impl Trail {
    /// Of the task of this name; it is kept for so long after the last line.
    pub fn new(redis: Redis, name: &str, keep: Duration) -> Self {
        let key = format!("{}:schedule:trail:{name}", redis.prefix());
        Self { redis, key, keep }
    }

    /// All lines, oldest first.
    pub async fn read(&self) -> Result<Vec<String>, QueueError> {
        let mut lines: Vec<String> = Vec::new();
        loop {
            let from = i64::try_from(lines.len()).unwrap_or(i64::MAX);
            let mut command = redis::cmd("LRANGE");
            command.arg(&self.key).arg(from).arg(from + PAGE - 1);
            let page: Vec<String> = self.redis.query(&command).await?;
            if page.is_empty() {
                return Ok(lines);
            }
            lines.extend(page);
        }
    }

    /// Adds a line.
    pub async fn add(&self, line: &str) -> Result<(), QueueError> {
        let _length: i64 = self.redis.query(redis::cmd("RPUSH").arg(&self.key).arg(line)).await?;
        self.prolong().await
    }

    /// Adds a line that says all that those before it said, and drops them. Broken off in between,
    /// they are still there, before it.
    pub async fn sum_up(&self, line: &str) -> Result<(), QueueError> {
        self.add(line).await?;
        let mut command = redis::cmd("LTRIM");
        command.arg(&self.key).arg(-1).arg(-1);
        let _done: String = self.redis.query(&command).await?;
        Ok(())
    }

    /// Drops everything: the task is finished, or begins anew.
    pub async fn forget(&self) -> Result<(), QueueError> {
        let _dropped: i64 = self.redis.query(redis::cmd("UNLINK").arg(&self.key)).await?;
        Ok(())
    }

    async fn prolong(&self) -> Result<(), QueueError> {
        let seconds = self.keep.as_secs().max(1);
        let _kept: i64 = self
            .redis
            .query(redis::cmd("EXPIRE").arg(&self.key).arg(seconds))
            .await?;
        Ok(())
    }
}
