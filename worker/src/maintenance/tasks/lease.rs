//! Runs a task when it is due and no other replica holds its lease, and renews the lease meanwhile.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use passerelle_queue::schedule::{Schedule, Task, Turn};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use crate::failure::Failure;

/// How long a task rests after a failure.
const REST: Duration = Duration::from_mins(1);
/// Bounds of the time between two questions whether a task is due.
const ASK_AT_MOST_EVERY: Duration = Duration::from_millis(100);
const ASK_AT_LEAST_EVERY: Duration = Duration::from_mins(1);
/// How long to wait for a Redis that does not answer.
const REDIS_IS_AWAY: Duration = Duration::from_secs(5);

/// The progress of a task, for the replica that may have to resume it. Stored with every renewal of
/// the lease.
#[derive(Debug, Clone, Default)]
pub struct Memo(Arc<Mutex<String>>);

impl Memo {
    fn of(text: String) -> Self {
        Self(Arc::new(Mutex::new(text)))
    }

    /// What was written last; empty at the beginning.
    pub fn read(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn write(&self, text: String) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = text;
    }
}

enum TaskEnd {
    Done,
    Failed(String),
    LeaseLost,
    Stopped,
}

/// A task and the lease under which it runs.
pub(super) struct LeasedTask {
    pub(super) schedule: Schedule,
    pub(super) task: Task,
    pub(super) stop: CancellationToken,
}

impl LeasedTask {
    /// Runs the work whenever it is due, until stopped.
    pub(super) async fn run_when_due<W, F>(self, work: W)
    where
        W: Fn(Memo) -> F,
        F: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        loop {
            let wait = match self.schedule.take(&self.task).await {
                Ok(Turn::Mine { memo }) => {
                    let memo = Memo::of(memo);
                    let running = tokio::spawn(work(memo.clone()));
                    let end = self.attend(running, &memo).await;
                    self.finish(end).await;
                    Duration::ZERO
                }
                Ok(Turn::NotMine { ask_after, .. }) => ask_after,
                Err(error) => {
                    tracing::debug!(task = self.task.name, %error, "whether a task is due cannot be looked up");
                    REDIS_IS_AWAY
                }
            };
            let wait = wait.clamp(ASK_AT_MOST_EVERY, ASK_AT_LEAST_EVERY);
            if timeout(wait, self.stop.cancelled()).await.is_ok() {
                return;
            }
        }
    }

    /// Waits for the end of a run and renews its lease meanwhile.
    async fn attend(&self, mut running: JoinHandle<Result<(), Failure>>, memo: &Memo) -> TaskEnd {
        let mut beats = interval(self.task.lease / 3);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let end = loop {
            tokio::select! {
                ended = &mut running => return match ended {
                    Ok(Ok(())) => TaskEnd::Done,
                    Ok(Err(failure)) => TaskEnd::Failed(failure.to_string()),
                    Err(panicked) => TaskEnd::Failed(panicked.to_string()),
                },
                () = self.stop.cancelled() => break TaskEnd::Stopped,
                _ = beats.tick() => {}
            }
            // One renewal without an answer loses nothing: the lease lasts for two more.
            if let Ok(false) = self.schedule.keep(&self.task, &memo.read()).await {
                break TaskEnd::LeaseLost;
            }
        };
        running.abort();
        if matches!(end, TaskEnd::Stopped) {
            let _ = self.schedule.keep(&self.task, &memo.read()).await;
        }
        end
    }

    async fn finish(&self, end: TaskEnd) {
        let task = self.task.name;
        let (result, stored) = match end {
            TaskEnd::Done => ("done", self.schedule.done(&self.task).await),
            TaskEnd::Failed(error) => {
                tracing::warn!(task, %error, "a periodic task failed; it is resumed in a minute");
                ("failed", self.schedule.leave(&self.task, REST).await)
            }
            TaskEnd::LeaseLost => {
                tracing::warn!(task, "the lease of a periodic task was lost: another worker goes on");
                ("lost", Ok(false))
            }
            TaskEnd::Stopped => ("given_back", self.schedule.leave(&self.task, Duration::ZERO).await),
        };
        metrics::counter!("passerelle_tasks_total", "task" => task, "result" => result).increment(1);
        if let Err(error) = stored {
            tracing::warn!(task, %error, "the end of a periodic task could not be stored; its lease expires");
        }
    }
}
