//! How often each periodic task runs.

use std::time::Duration;

use passerelle_model::config::Reader;
use passerelle_queue::schedule::Task;

/// How long a task stays with a worker that does not renew its lease.
const LEASE: Duration = Duration::from_mins(1);

/// How often lost jobs are looked for: one read of the open items.
const ORPHANS_EVERY: Duration = Duration::from_mins(5);

/// How often it is looked whether a table is to be compared.
const COMPARISONS_EVERY: Duration = Duration::from_secs(10);
/// How often is looked whether Redis went back.
const WENT_BACK_EVERY: Duration = Duration::from_secs(5);

/// Settings of the periodic tasks.
#[derive(Debug, Clone, Copy)]
pub struct TaskSettings {
    /// `WORKER_RECONCILE_SECONDS`: how often all rows are compared with their pages; 0: never.
    pub reconcile_every: Duration,
    /// `WORKER_SWEEP_SECONDS`: how often pages are looked after whose create had an unknown
    /// outcome; 0: never.
    pub clean_up_every: Duration,
    /// `WORKER_WIKI_SECONDS`: how often the wiki is looked through for labels; 0: never.
    pub wiki_every: Duration,
    /// `WORKER_SOURCES_SECONDS`: how often Baserow's webhooks are looked after, where there is a
    /// user who may; 0: never.
    pub sources_every: Duration,
    /// `WORKER_RECONCILE_ROWS_PER_SECOND`: how fast rows that differ are asked for.
    pub rows_per_second: u32,
}

impl TaskSettings {
    /// Reads `WORKER_RECONCILE_…`.
    pub fn read(reader: &mut Reader) -> Self {
        Self {
            reconcile_every: Duration::from_secs(reader.parsed("WORKER_RECONCILE_SECONDS", 6 * 60 * 60)),
            clean_up_every: Duration::from_secs(reader.parsed("WORKER_SWEEP_SECONDS", 15 * 60)),
            wiki_every: reader.decimal_interval("WORKER_WIKI_SECONDS", Duration::from_mins(1)),
            sources_every: Duration::from_secs(reader.parsed("WORKER_SOURCES_SECONDS", 300)),
            rows_per_second: reader.parsed("WORKER_RECONCILE_ROWS_PER_SECOND", 10_u32).max(1),
        }
    }

    /// The reconciliation. A new installation begins it one interval later: its first rows come by
    /// webhook, and `passerelle reconcile` makes the pages of old rows.
    pub(super) fn reconcile(&self) -> Option<Task> {
        task("reconcile", self.reconcile_every)
    }

    pub(super) fn clean_up(&self) -> Option<Task> {
        task("clean-up", self.clean_up_every)
    }

    pub(super) fn shares(&self) -> Option<Task> {
        task("shares", self.wiki_every)
    }

    pub(super) fn sources(&self) -> Option<Task> {
        task("sources", self.sources_every)
    }

    pub(super) fn orphans() -> Task {
        Task {
            name: "orphans",
            every: Some(ORPHANS_EVERY),
            begins_at_once: false,
            lease: LEASE,
        }
    }

    pub(super) fn comparisons() -> Task {
        Task {
            name: "comparisons",
            every: Some(COMPARISONS_EVERY),
            begins_at_once: false,
            lease: LEASE,
        }
    }

    pub(super) fn went_back() -> Task {
        Task {
            name: "went-back",
            every: Some(WENT_BACK_EVERY),
            begins_at_once: true,
            lease: LEASE,
        }
    }

    pub(super) fn wiki(&self) -> Option<Task> {
        task("wiki", self.wiki_every)
    }
}

/// No task runs at the start of the process: a worker that restarts again and again would do
/// nothing else.
fn task(name: &'static str, every: Duration) -> Option<Task> {
    (!every.is_zero()).then_some(Task {
        name,
        every: Some(every),
        begins_at_once: false,
        lease: LEASE,
    })
}
