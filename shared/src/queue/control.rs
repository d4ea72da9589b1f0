//! What operators see and switch: numbers, pause, resume.

use super::scripts::STATS;
use super::{Queue, QueueError};

/// The state of the queue, in numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueueStats {
    /// Jobs ready to run.
    pub active: u64,
    /// Jobs in workers' hands.
    pub running: u64,
    /// Jobs waiting for their time.
    pub scheduled: u64,
    /// Dead letters.
    pub dead: u64,
    /// Ledger entries that the store has not taken yet.
    pub ledger_backlog: u64,
    /// Whether fetching is paused.
    pub paused: bool,
}

impl Queue {
    /// The queue in numbers, all of one moment. Its cost does not depend on them.
    pub async fn stats(&self) -> Result<QueueStats, QueueError> {
        let (keys, redis) = (&self.inner.keys, &self.inner.redis);
        let mut call = STATS.call(6);
        for key in [
            &keys.active,
            &keys.leases,
            &keys.scheduled,
            &keys.dead,
            &keys.ledger,
            &keys.paused,
        ] {
            call.arg(key);
        }
        let [active, running, scheduled, dead, ledger_backlog, paused]: [u64; 6] = call.send(redis).await?;
        Ok(QueueStats {
            active,
            running,
            scheduled,
            dead,
            ledger_backlog,
            paused: paused == 1,
        })
    }

    /// Stops fetching by all workers until resumed. What runs is finished; what arrives is accepted.
    pub async fn pause(&self) -> Result<(), QueueError> {
        self.inner
            .redis
            .query(redis::cmd("SET").arg(&self.inner.keys.paused).arg(1))
            .await
    }

    /// Ends a pause.
    pub async fn resume(&self) -> Result<(), QueueError> {
        let (keys, redis) = (&self.inner.keys, &self.inner.redis);
        redis.query::<()>(redis::cmd("DEL").arg(&keys.paused)).await?;
        redis.query(redis::cmd("PUBLISH").arg(&keys.wake).arg("")).await
    }
}
