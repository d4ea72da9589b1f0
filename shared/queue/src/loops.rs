//! Rows that go in circles (D5): more than ten identical events of one row within a minute are no
//! work of people. The row is then *parked*: its job is held for a cool-down, and the admin is
//! told. Nothing is lost: the job runs when the cool-down is over, and reads the row as it is then.
//!
//! The ingress counts, for it alone sees every event; the workers hold. What they share is in
//! Redis, and bounded: counts expire with their window, and a parked row leaves the set after its
//! cool-down.
//!
//! Without Redis nothing is counted and nothing is parked: this is a protection, not a promise, and
//! never a reason to refuse an event.

use std::time::Duration;

use crate::server::scripts::script;
use crate::{QueueError, Redis};
use passerelle_model::config::Reader;
use passerelle_model::id::RowKey;
use passerelle_model::time::Timestamp;

script!(COUNT, "server/scripts/clock.lua", "loops/count.lua");
script!(PARKED, "server/scripts/clock.lua", "loops/parked.lua");

/// When a row counts as going in circles, and what follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoopPolicy {
    /// `LOOP_EVENTS` (10): more identical events of a row than this within the window park it. 0
    /// switches the protection off.
    pub events: u32,
    /// `LOOP_WINDOW_SECONDS` (60).
    pub window: Duration,
    /// `LOOP_COOLDOWN_SECONDS` (300): how long the row is left alone.
    pub cool_down: Duration,
}

impl LoopPolicy {
    /// Reads `LOOP_*`.
    pub fn read(reader: &mut Reader) -> Self {
        Self {
            events: reader.parsed("LOOP_EVENTS", 10),
            window: reader.seconds("LOOP_WINDOW_SECONDS", 60),
            cool_down: reader.seconds("LOOP_COOLDOWN_SECONDS", 300),
        }
    }
}

/// A row that is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Parked {
    /// Which row.
    pub row: RowKey,
    /// Until when, by the clock of Redis.
    pub until: Timestamp,
    /// How long that is from now on.
    #[serde(skip)]
    pub left: Duration,
}

/// What all processes know of rows that go in circles. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Loops {
    redis: Redis,
    policy: LoopPolicy,
}

impl Loops {
    /// On this Redis.
    pub fn new(redis: Redis, policy: LoopPolicy) -> Self {
        Self { redis, policy }
    }

    /// The numbers that it goes by.
    pub fn policy(&self) -> LoopPolicy {
        self.policy
    }

    /// Counts identical events of a row. Says whether the row is parked by this call.
    pub async fn count(&self, row: RowKey, content: u64, times: u32) -> Result<bool, QueueError> {
        let mut call = COUNT.call(3);
        call.arg(format!("{}:{row}:{content:016x}", self.base()))
            .arg(self.parked_key())
            .arg(self.parked_since_key());
        call.arg(row.to_string()).arg(times).arg(self.policy.events);
        call.arg(millis(self.policy.window)).arg(millis(self.policy.cool_down));
        let parked: u8 = call.send(&self.redis).await?;
        Ok(parked == 1)
    }

    /// Whether a row is parked.
    pub async fn parked(&self, row: RowKey) -> Result<Option<Parked>, QueueError> {
        Ok(self.ask(&row.to_string(), 1).await?.pop())
    }

    /// All rows that are parked now, at most `count`.
    pub async fn list(&self, count: usize) -> Result<Vec<Parked>, QueueError> {
        self.ask("", count).await
    }

    async fn ask(&self, row: &str, count: usize) -> Result<Vec<Parked>, QueueError> {
        let mut call = PARKED.call(2);
        call.arg(self.parked_key()).arg(self.parked_since_key());
        call.arg(row).arg(count);
        let found: Vec<(String, i64, u64)> = call.send(&self.redis).await?;
        let read = |(row, until, left): (String, i64, u64)| {
            Some(Parked {
                row: row.parse().ok()?,
                until: Timestamp::from_millis(until),
                left: Duration::from_millis(left),
            })
        };
        Ok(found.into_iter().filter_map(read).collect())
    }

    fn base(&self) -> String {
        format!("{{{}}}:loop", self.redis.prefix())
    }

    fn parked_key(&self) -> String {
        format!("{}:parked", self.base())
    }

    fn parked_since_key(&self) -> String {
        format!("{}:parked-since", self.base())
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
