//! What a worker does from time to time, whatever events arrive. One replica at a time runs a task,
//! under a lease in Redis ([`passerelle_queue::schedule`]). A task that fails is resumed a minute
//! later, by any replica, from its last progress.
//!
//! | task | does |
//! |---|---|
//! | `reconcile` | finds rows that differ from their pages, and requests their sync |
//! | `clean-up` | finds duplicate pages of one row |
//! | `comparisons` | compares tables of which a delivery had too many rows to name them |
//! | `orphans` | requests jobs that Redis has lost and the ledger knows as open |
//! | `went-back` | makes up for a Redis that lost data |
//! | `shares` | finds pages that anybody with the link can read |
//! | `wiki` | finds pages with a label of a rule |
//! | `sources` | switches on webhooks that Baserow switched off, and requests a sync of the rows they missed |

pub mod clean_up;
pub mod comparisons;
mod lease;
pub mod orphans;
mod reconcile;
mod settings;
mod shares;
mod sources;
mod went_back;
mod wiki;

use std::sync::Arc;

use passerelle_model::ledger::FailureClass;
use passerelle_model::time::LongAgo;
use passerelle_queue::schedule::{Schedule, Task};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use lease::Memo;
pub use settings::TaskSettings;

use crate::context::CurrentContext;
use crate::failure::{Failure, Target};
use crate::maintenance::sources::SourceWatch;
use lease::LeasedTask;

/// One kind of task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PeriodicTask {
    Reconcile,
    Wiki,
    CleanUp,
    Shares,
    Sources,
    Orphans,
    Comparisons,
    WentBack,
}

impl PeriodicTask {
    const ALL: [Self; 8] = [
        Self::Reconcile,
        Self::Wiki,
        Self::CleanUp,
        Self::Shares,
        Self::Sources,
        Self::Orphans,
        Self::Comparisons,
        Self::WentBack,
    ];
}

/// All tasks of this process, and what they need.
#[derive(Debug)]
pub struct PeriodicTasks {
    current: CurrentContext,
    schedule: Schedule,
    /// Only a user of Baserow may see webhooks.
    sources: Option<SourceWatch>,
    settings: TaskSettings,
}

impl PeriodicTasks {
    /// Tasks that take their leases from this schedule; without `sources` nothing looks after
    /// webhooks.
    pub fn new(
        current: CurrentContext,
        schedule: Schedule,
        sources: Option<SourceWatch>,
        settings: TaskSettings,
    ) -> Self {
        Self {
            current,
            schedule,
            sources,
            settings,
        }
    }

    /// Runs all tasks until `stop`; one that is running then is given back for another replica.
    pub async fn run(self, stop: CancellationToken) {
        let (tasks, mut running) = (Arc::new(self), JoinSet::new());
        for kind in PeriodicTask::ALL {
            let Some(task) = tasks.scheduled(kind) else { continue };
            let leased = LeasedTask {
                schedule: tasks.schedule.clone(),
                task,
                stop: stop.clone(),
            };
            let tasks = Arc::clone(&tasks);
            running.spawn(leased.run_when_due(move |memo| {
                let tasks = Arc::clone(&tasks);
                async move { tasks.run_once(kind, &memo).await }
            }));
        }
        while running.join_next().await.is_some() {}
    }

    /// How a task is scheduled; `None` if it is switched off.
    fn scheduled(&self, kind: PeriodicTask) -> Option<Task> {
        match kind {
            PeriodicTask::Reconcile => self.settings.reconcile(),
            PeriodicTask::Wiki => self.settings.wiki(),
            PeriodicTask::CleanUp => self.settings.clean_up(),
            PeriodicTask::Shares => self.settings.shares(),
            PeriodicTask::Orphans => Some(TaskSettings::orphans()),
            PeriodicTask::Comparisons => Some(TaskSettings::comparisons()),
            PeriodicTask::WentBack => Some(TaskSettings::went_back()),
            PeriodicTask::Sources => self.sources.as_ref().and_then(|_| self.settings.sources()),
        }
    }

    /// Runs a task once; it keeps its progress in the memo.
    async fn run_once(&self, kind: PeriodicTask, memo: &Memo) -> Result<(), Failure> {
        let (context, rows_per_second) = (&*self.current.get(), self.settings.rows_per_second);
        match (kind, &self.sources) {
            (PeriodicTask::Reconcile, _) => reconcile::run(context, rows_per_second, memo).await,
            (PeriodicTask::WentBack, _) => went_back::run(context, rows_per_second, memo).await,
            (PeriodicTask::Wiki, _) => wiki::run(context).await,
            (PeriodicTask::CleanUp, _) => clean_up::run(context).await.map(|_| ()),
            (PeriodicTask::Shares, _) => shares::run(context).await,
            (PeriodicTask::Sources, Some(watch)) => sources::run(context, watch, rows_per_second).await,
            (PeriodicTask::Sources, None) => Ok(()),
            (PeriodicTask::Comparisons, _) => comparisons::run(context, rows_per_second).await,
            (PeriodicTask::Orphans, _) => {
                let now = context.queue.clock().await;
                let now =
                    now.map_err(|error| Failure::new(FailureClass::Transient, Target::Redis, error.to_string()))?;
                orphans::run(context, LongAgo::of_age(orphans::OLD, now))
                    .await
                    .map(|_| ())
            }
        }
    }
}
