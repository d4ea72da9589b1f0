//! Jobs that are about no row: notices. What they are about stands in the store; the queue only
//! knows their keys.

use crate::server::scripts::ENQUEUE;
use crate::{Queue, QueueError};
use passerelle_model::id::{EventId, JobKey};

impl Queue {
    /// Queues a job, unless one of this key is there already. `event` is what its logs and its
    /// record name as the event behind it.
    pub async fn enqueue(&self, job: &JobKey, event: &EventId) -> Result<(), QueueError> {
        let keys = &self.inner.keys;
        let mut call = ENQUEUE.call(2);
        call.arg(&keys.active).arg(&keys.records);
        call.arg(job.to_string()).arg(event.as_str()).arg(&keys.wake);
        call.send::<u8>(&self.inner.redis).await.map(drop)
    }

    /// Whether there is a job of this key, whatever it waits for.
    pub async fn has_job(&self, job: &JobKey) -> Result<bool, QueueError> {
        let mut ask = redis::cmd("HEXISTS");
        ask.arg(&self.inner.keys.records).arg(job.to_string());
        self.inner.redis.query(&ask).await
    }
}
