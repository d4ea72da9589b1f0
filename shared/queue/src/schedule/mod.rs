//! Tasks that are due from time to time: who does them, and when.
//!
//! Any number of replicas ask; one gets the turn, with a lease. A turn that ends well ends its
//! slot, and the next one begins a whole number of slots later, so a restart neither repeats nor
//! shifts anything. A holder that vanishes loses its lease, and whoever takes the turn then gets
//! the memo that it left: how far it had come. A time in which nobody ran is made up for by one
//! turn, not by many. All times are those of Redis, so that the clocks of the replicas need not
//! agree.

mod trail;

use std::fmt;
use std::time::Duration;

use crate::server::scripts::script;
use crate::{QueueError, Redis};
use passerelle_model::id::ProcessName;

pub use trail::Trail;

script!(TURN, "../server/scripts/clock.lua", "turn.lua");

/// A task that is done from time to time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Task {
    /// Its name; also in its key.
    pub name: &'static str,
    /// How often; `None` for a turn that somebody takes by hand, whatever the time.
    pub every: Option<Duration>,
    /// Whether the very first turn is due at once, or one interval after the first replica came.
    pub begins_at_once: bool,
    /// How long a turn stays with a process that says nothing.
    pub lease: Duration,
}

/// The answer to "is it my turn?".
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// Yes; with what an earlier holder of the same slot left behind (may be empty).
    Mine {
        /// Its memo.
        memo: String,
    },
    /// No.
    NotMine {
        /// When it is worth asking again.
        ask_after: Duration,
        /// Who has it, if somebody has.
        holder: Option<String>,
    },
}

/// Takes turns in the name of one process.
#[derive(Clone)]
pub struct Schedule {
    redis: Redis,
    me: ProcessName,
}

impl fmt::Debug for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Schedule").field(&self.me).finish()
    }
}

type Answer = (i64, i64, String, String);

impl Schedule {
    /// For the process of this name.
    pub fn new(redis: Redis, me: ProcessName) -> Self {
        Self { redis, me }
    }

    /// Asks for the turn.
    pub async fn take(&self, task: &Task) -> Result<Turn, QueueError> {
        let first = if task.begins_at_once { "now" } else { "later" };
        let (mine, wait, memo, holder) = self.ask(task, "take", task.lease, first).await?;
        if mine == 1 {
            return Ok(Turn::Mine { memo });
        }
        Ok(Turn::NotMine {
            ask_after: Duration::from_millis(u64::try_from(wait).unwrap_or(0)),
            holder: Some(holder).filter(|holder| !holder.is_empty()),
        })
    }

    /// When the slot of a task is due next, in ms of the clock of Redis, and whether somebody has
    /// its turn. `None` before the first replica has asked.
    pub async fn slot(redis: &Redis, task: &str) -> Result<Option<(u64, bool)>, QueueError> {
        let mut command = redis::cmd("HMGET");
        command.arg(key(redis, task)).arg("due").arg("holder");
        let (due, holder): (Option<u64>, Option<String>) = redis.query(&command).await?;
        Ok(due.map(|due| (due, holder.is_some_and(|holder| !holder.is_empty()))))
    }

    /// Prolongs the lease and leaves a memo for whoever may have to go on. `false`: the turn was
    /// lost, and the work has to stop.
    pub async fn keep(&self, task: &Task, memo: &str) -> Result<bool, QueueError> {
        Ok(self.ask(task, "keep", task.lease, memo).await?.0 == 1)
    }

    /// The task is done for this slot. `false`: the turn had been lost.
    pub async fn done(&self, task: &Task) -> Result<bool, QueueError> {
        Ok(self.ask(task, "done", Duration::ZERO, "").await?.0 == 1)
    }

    /// Gives the turn back unfinished; it may be taken up after the wait.
    pub async fn leave(&self, task: &Task, wait: Duration) -> Result<bool, QueueError> {
        Ok(self.ask(task, "leave", wait, "").await?.0 == 1)
    }

    async fn ask(&self, task: &Task, verb: &str, span: Duration, text: &str) -> Result<Answer, QueueError> {
        let mut call = TURN.call(1);
        call.arg(key(&self.redis, task.name));
        call.arg(verb).arg(self.me.as_str()).arg(millis(span));
        call.arg(task.every.map_or(0, millis)).arg(text);
        call.send(&self.redis).await
    }
}

fn key(redis: &Redis, task: &str) -> String {
    format!("{}:schedule:{task}", redis.prefix())
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
