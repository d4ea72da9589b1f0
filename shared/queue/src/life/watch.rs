//! Looks at the life of the data again and again, in each process that accepts: who has seen a
//! higher count than Redis has now begins a new life.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use super::EndedLife;
use crate::{Queue, QueueError};

/// How often to look.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The watch of one process.
#[derive(Debug)]
pub struct LifeWatch {
    queue: Queue,
    /// The epoch of the last look.
    epoch: Option<String>,
}

impl LifeWatch {
    /// Watches what this queue, and those that share its memory ([`Queue::on`]), see.
    pub fn new(queue: Queue) -> Self {
        Self { queue, epoch: None }
    }

    /// Looks until a later version of the programs has written this Redis; returns that error.
    pub async fn run(mut self) -> QueueError {
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            if !self.queue.inner.redis.is_up() {
                continue;
            }
            match self.look().await {
                Err(error @ QueueError::NewerLayout { .. }) => return error,
                Err(error) => tracing::debug!(%error, "the life of the data in Redis cannot be looked at"),
                Ok(()) => {}
            }
        }
    }

    /// One look. Begins the first life, and a new one where Redis went back.
    pub async fn look(&mut self) -> Result<(), QueueError> {
        let memory = &self.queue.inner.memory;
        // Before Redis is asked: what was seen by now it must know.
        let (most, has_gone_back) = memory.suspicion();
        let look = self.queue.life(None).await?;
        let epoch = look.life.map(|life| life.epoch);
        let is_the_same = epoch.is_some() && epoch == self.epoch;
        if is_the_same && !has_gone_back && look.answered >= most {
            return Ok(());
        }
        let replaced = match (&epoch, &self.epoch) {
            (Some(_), Some(_)) if is_the_same => epoch,
            (None, _) => None,
            // Another process was faster, or this one has just started: nothing is replaced, but
            // what was seen is told.
            (Some(_), former) => former.clone().or_else(|| Some(String::new())),
        };
        let ending = EndedLife {
            replaced,
            former: self.epoch.clone(),
            known: most,
        };
        let begun = self.queue.begin_life(&ending).await?;
        let begun = begun.life.map(|life| life.epoch);
        if let (Some(former), Some(epoch)) = (&self.epoch, &begun) {
            tracing::warn!(
                former,
                epoch,
                seen = most,
                "Redis went back: a new life of its data has begun"
            );
        }
        if begun != self.epoch {
            memory.begin_anew();
        }
        self.epoch = begun;
        Ok(())
    }
}
