//! How often each round is gone.

use std::time::Duration;

use passerelle_shared::config::Reader;
use passerelle_shared::schedule::Task;

/// How long a round stays with a worker that says nothing.
const LEASE: Duration = Duration::from_mins(1);

/// Settings of the rounds.
#[derive(Debug, Clone, Copy)]
pub struct RoundSettings {
    /// `WORKER_RECONCILE_SECONDS`: how often all rows are compared with their pages; 0: never.
    pub reconcile_every: Duration,
    /// `WORKER_RECONCILE_ROWS_PER_SECOND`: how fast rows that differ are asked for.
    pub rows_per_second: u32,
}

impl RoundSettings {
    /// Reads `WORKER_RECONCILE_…`.
    pub fn read(reader: &mut Reader) -> Self {
        Self {
            reconcile_every: Duration::from_secs(reader.parsed("WORKER_RECONCILE_SECONDS", 6 * 60 * 60)),
            rows_per_second: reader.parsed("WORKER_RECONCILE_ROWS_PER_SECOND", 10_u32).max(1),
        }
    }

    /// The reconciliation. A new installation begins it one interval later: its first rows come by webhook, and whoever wants pages for old rows
    /// says so (`passerelle reconcile`).
    pub(super) fn reconcile(&self) -> Option<Task> {
        task("reconcile", self.reconcile_every, false)
    }
}

fn task(name: &'static str, every: Duration, begins_at_once: bool) -> Option<Task> {
    (!every.is_zero()).then_some(Task {
        name,
        every: Some(every),
        begins_at_once,
        lease: LEASE,
    })
}
