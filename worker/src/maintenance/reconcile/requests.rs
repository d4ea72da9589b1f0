//! Requests syncs of rows: ordinary forced events, a few rows per second, and only while few jobs
//! wait. Fresh events must not queue behind ten thousand repairs.

use std::time::Duration;

use passerelle_model::event::{EventKind, NewEvent, OwnEvent};
use passerelle_model::id::{InvalidId, JobKey, RowKey};
use passerelle_queue::{Queue, QueueError};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio::time::{Interval, MissedTickBehavior};

use super::{Finding, SOURCE};

/// Most rows in one event, as in Baserow's own.
const LARGEST_EVENT: u32 = 200;
/// While more jobs than this wait for a worker, nothing is asked for.
const MOST_WAITING: u64 = 200;

/// Asks in the name of one run.
#[derive(Debug)]
pub struct Requests {
    queue: Queue,
    run: String,
    by: String,
    why: String,
    with_dead: bool,
    ticks: Interval,
    at_once: usize,
}

/// The default reason in the ledger.
const WHY: &str = "they differ from their pages";

impl Requests {
    /// For one run: `rows_per_second` (at least 1) rows are asked for in events of up to as many
    /// rows. `by` is kept in the ledger.
    pub fn new(queue: Queue, run: &str, by: &str, rows_per_second: u32) -> Self {
        let rows = rows_per_second.clamp(1, 10_000);
        let at_once = rows.min(LARGEST_EVENT);
        let mut ticks = tokio::time::interval(Duration::from_secs(1) * at_once / rows);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            queue,
            run: run.to_owned(),
            by: by.to_owned(),
            why: WHY.to_owned(),
            with_dead: false,
            ticks,
            at_once: usize::try_from(at_once).unwrap_or(1),
        }
    }

    /// The reason that the ledger keeps.
    #[must_use]
    pub fn because(self, why: Option<&str>) -> Self {
        let why = why.unwrap_or(WHY).to_owned();
        Self { why, ..self }
    }

    /// Also requests rows whose dead letters speak against it.
    #[must_use]
    pub fn with_dead(self, with_dead: bool) -> Self {
        Self { with_dead, ..self }
    }

    /// Requests those of the findings that a sync can mend; `each` gets the number of rows of each
    /// event. Dropping the future stops between two events; what was asked for stays.
    pub async fn ask(&mut self, findings: &[Finding], mut each: impl FnMut(usize)) -> Result<(), QueueError> {
        let mendable: Vec<&Finding> = findings
            .iter()
            .filter(|finding| finding.can_be_mended() || self.with_dead && finding.reason.can_be_mended())
            .collect();
        for some in mendable.chunks(self.at_once) {
            self.wait().await?;
            let event = self
                .event(some)
                .map_err(|error| QueueError::Protocol(error.to_string()))?;
            let _durable = self.queue.accept(event).await?;
            each(some.len());
        }
        Ok(())
    }

    async fn wait(&mut self) -> Result<(), QueueError> {
        loop {
            self.ticks.tick().await;
            let stats = self.queue.stats().await?;
            if stats.active.saturating_sub(stats.held) <= MOST_WAITING {
                return Ok(());
            }
        }
    }

    /// The findings are rows of one table. The same rows in the same run are the same event.
    fn event(&self, findings: &[&Finding]) -> Result<NewEvent, InvalidId> {
        let rows: Vec<RowKey> = findings.iter().map(|finding| finding.row).collect();
        let reasons: Vec<String> = findings
            .iter()
            .map(|finding| format!("{} {}", finding.row, finding.reason.as_str()))
            .collect();
        let payload =
            json!({"reconciliation": self.run, "by": self.by, "why": self.why, "findings": reasons}).to_string();
        let name = hex::encode(Sha256::digest(format!("{} {rows:?}", self.run)));
        OwnEvent {
            source: SOURCE,
            name: &format!("{SOURCE}-{}", name.get(..32).unwrap_or_default()),
            kind: EventKind::Forced,
            payload: payload.into_bytes(),
        }
        .asking_for(rows.into_iter().map(JobKey::Row))
    }
}
