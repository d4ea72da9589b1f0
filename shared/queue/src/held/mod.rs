//! Tables whose rule is broken: a field is gone, a right was taken away, a space does not exist. No
//! job of such a table can succeed, whichever row it is of, so none is tried but a probe now and
//! then; the jobs of other tables go on. Nothing dies, and no attempt is counted.
//!
//! **Properties.** (1) While a table is held, at most one of its jobs is let through in each wait
//! (5, 10, 20 … 60 s). (2) The probe's success and the end of the hold are one step. (3) A probe
//! whose worker vanished is followed by another after its wait. (4) While no table is held, a fetch
//! pays one `HGETALL` of a key that is not there, and a settlement one `EXISTS`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::server::scripts::script;
use crate::working::lease::millis;
use crate::{Queue, QueueError};
use passerelle_model::id::JobKey;
use passerelle_model::time::Timestamp;

script!(
    HOLD,
    "../server/scripts/clock.lua",
    "../server/scripts/record.lua",
    "../server/scripts/lanes.lua",
    "held.lua",
    "hold.lua"
);
script!(PROBE, "../server/scripts/clock.lua", "held.lua", "probe.lua");

/// A table whose jobs wait until its rule is mended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HeldTable {
    /// Its number, as in `t12`.
    pub table: String,
    /// Since when.
    pub since: Timestamp,
    /// What the last probe found.
    pub why: String,
    /// When the next job is let through as a probe.
    pub next_probe: Timestamp,
}

/// As the scripts keep it.
#[derive(Deserialize)]
struct Kept {
    since: Timestamp,
    why: String,
    next: Timestamp,
}

impl Queue {
    /// Holds the table of a job, whose rule cannot be carried out for any row. Returns since when
    /// it is held. The first probe may follow after `first`; each that fails doubles the wait, up
    /// to `longest`.
    pub async fn hold_table(
        &self,
        job: &JobKey,
        why: &str,
        first: Duration,
        longest: Duration,
    ) -> Result<Timestamp, QueueError> {
        let mut call = HOLD.call(1);
        call.arg(&self.inner.keys.gates).arg(job.to_string()).arg(why);
        call.arg(millis(first)).arg(millis(longest));
        let since: String = call.send(&self.inner.redis).await?;
        let since = since.parse();
        since
            .map(Timestamp::from_millis)
            .map_err(|_| QueueError::Protocol("hold answered no time".to_owned()))
    }

    /// Lets a probe of each held table through at once: its rule may be mended. The next may follow
    /// after `first`. Returns how many tables are held.
    pub async fn probe_held_tables(&self, first: Duration) -> Result<u64, QueueError> {
        let keys = &self.inner.keys;
        let mut call = PROBE.call(1);
        call.arg(&keys.gates).arg(millis(first)).arg(&keys.wake);
        call.send(&self.inner.redis).await
    }

    /// The tables that are held now, by their numbers.
    pub async fn held_tables(&self) -> Result<Vec<HeldTable>, QueueError> {
        let mut command = redis::cmd("HGETALL");
        command.arg(format!("{}:held", self.inner.keys.gates));
        let found: Vec<(String, String)> = self.inner.redis.query(&command).await?;
        let read = |(table, kept): (String, String)| {
            let kept: Kept = serde_json::from_str(&kept).map_err(|error| QueueError::Protocol(error.to_string()))?;
            Ok(HeldTable {
                table,
                since: kept.since,
                why: kept.why,
                next_probe: kept.next,
            })
        };
        let mut held: Vec<HeldTable> = found.into_iter().map(read).collect::<Result<_, QueueError>>()?;
        held.sort_by(|a, b| a.table.cmp(&b.table));
        Ok(held)
    }
}
