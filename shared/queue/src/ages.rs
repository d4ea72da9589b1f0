//! How long the oldest things wait in Redis: a queue that does not move is seen by its age.

use crate::server::scripts::OLDEST;
use crate::working::record;
use crate::{Queue, QueueError};
use passerelle_model::seq::Seq;
use passerelle_model::time::Timestamp;

/// A smaller score is a moment in seconds, a larger one in milliseconds.
const SECONDS_END: i64 = 100_000_000_000;

/// When the oldest of each kind arrived; nothing where there is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Oldest {
    /// The job that waits first in its table's list: when the first event that it covers was
    /// accepted; or the first job whose time has come and that nobody takes.
    pub queued: Option<Timestamp>,
    /// The ledger entry that the store does not have yet.
    pub ledger_entry: Option<Timestamp>,
}

impl Queue {
    /// The oldest queued job and the oldest ledger entry. A job that is fetched meanwhile is left
    /// out.
    pub async fn oldest(&self) -> Result<Oldest, QueueError> {
        let entries = self.read_ledger(None, 1).await?;
        Ok(Oldest {
            queued: self
                .oldest_queued()
                .await?
                .into_iter()
                .chain(self.oldest_due().await?)
                .min(),
            ledger_entry: entries.first().map(|entry| entry.seq).map(Seq::moment),
        })
    }

    async fn oldest_due(&self) -> Result<Option<Timestamp>, QueueError> {
        let mut first = redis::cmd("ZRANGE");
        first.arg(&self.inner.keys.scheduled).arg(0).arg(0).arg("WITHSCORES");
        let found: Vec<(Vec<u8>, f64)> = self.inner.redis.query(&first).await?;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a float cast saturates, and this is a moment"
        )]
        let score = found.first().map(|(_, score)| *score as i64);
        // Tasks of stock producers are scheduled by the second.
        let moment = score.map(|score| if score < SECONDS_END { score * 1000 } else { score });
        let now = self.clock().await?;
        Ok(moment.map(Timestamp::from_millis).filter(|due| *due <= now))
    }

    async fn oldest_queued(&self) -> Result<Option<Timestamp>, QueueError> {
        let mut call = OLDEST.call(2);
        call.arg(&self.inner.keys.active).arg(&self.inner.keys.records);
        let answer: Vec<Option<Vec<u8>>> = call.send(&self.inner.redis).await?;
        let (pairs, _) = answer.as_chunks::<2>();
        let jobs = pairs.iter().filter_map(|pair| match pair {
            [Some(job), Some(stored)] => record::decode(job, stored).ok(),
            _ => None,
        });
        Ok(jobs.map(|job| job.waiting_since).min())
    }
}
