//! The request that all workers and ingresses read their rules again.
//!
//! **Properties.** (1) A request is a number in Redis that only rises: a process that was away sees
//! it when it looks again. (2) Each process says in its heartbeat which request it has answered, by
//! which rules it works since, and why it kept the earlier ones if it did.

use crate::{Queue, QueueError};

impl Queue {
    /// Asks all processes to read their rules again. Kept in the ledger. Returns the request's number.
    pub async fn request_reload(&self, by: &str, why: &str) -> Result<u64, QueueError> {
        let mut next = redis::cmd("INCR");
        next.arg(&self.inner.keys.reloads);
        let number = self.inner.redis.query(&next).await?;
        self.note_act("rules", "reload", by, why).await?;
        Ok(number)
    }

    /// The number of the last request; 0 if there was none.
    pub async fn last_reload_request(&self) -> Result<u64, QueueError> {
        let mut last = redis::cmd("GET");
        last.arg(&self.inner.keys.reloads);
        let number: Option<u64> = self.inner.redis.query(&last).await?;
        Ok(number.unwrap_or_default())
    }
}
