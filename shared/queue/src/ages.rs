//! How long the oldest things wait in Redis: a queue that does not move is seen by its age.

use crate::working::record;
use crate::{Queue, QueueError};
use passerelle_model::seq::Seq;
use passerelle_model::time::Timestamp;

/// When the oldest of each kind arrived; nothing where there is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Oldest {
    /// The job at the front of the queue: when the first event that it covers was accepted.
    pub queued: Option<Timestamp>,
    /// The ledger entry that the store does not have yet.
    pub ledger_entry: Option<Timestamp>,
}

impl Queue {
    /// The oldest queued job and the oldest ledger entry. A job that is fetched meanwhile is left out.
    pub async fn oldest(&self) -> Result<Oldest, QueueError> {
        let entries = self.read_ledger(None, 1).await?;
        Ok(Oldest {
            queued: self.oldest_queued().await?,
            ledger_entry: entries.first().map(|entry| entry.seq).map(Seq::moment),
        })
    }

    async fn oldest_queued(&self) -> Result<Option<Timestamp>, QueueError> {
        let (keys, redis) = (&self.inner.keys, &self.inner.redis);
        let mut front = redis::cmd("LINDEX");
        front.arg(&keys.active).arg(0);
        let Some(job) = redis.query::<Option<Vec<u8>>>(&front).await? else {
            return Ok(None);
        };
        let mut ask = redis::cmd("HGET");
        ask.arg(&keys.records).arg(&job);
        let stored: Option<Vec<u8>> = redis.query(&ask).await?;
        let job = stored.and_then(|stored| record::decode(&job, &stored).ok());
        Ok(job.map(|job| job.waiting_since))
    }
}
