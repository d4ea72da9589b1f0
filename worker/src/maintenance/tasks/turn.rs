//! Taking turns: waits until a round is due and nobody else has it, goes it in a task of its own, and prolongs the lease meanwhile.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use passerelle_queue::schedule::{Schedule, Task, Turn};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use crate::context::Context;
use crate::failure::Failure;

/// How long a round that failed rests.
const REST: Duration = Duration::from_mins(1);
/// Nobody asks more often, or more seldom, whether it is time.
const ASK_AT_MOST_EVERY: Duration = Duration::from_millis(100);
const ASK_AT_LEAST_EVERY: Duration = Duration::from_mins(1);
/// How long to wait for a Redis that does not answer.
const REDIS_IS_AWAY: Duration = Duration::from_secs(5);

/// How far a round has come, for whoever may have to go on. Written down with every prolonging of the lease.
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

    /// Replaces it.
    pub fn write(&self, text: String) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = text;
    }
}

/// How a turn ended.
enum Ended {
    Done,
    Failed(String),
    LeaseLost,
    Stopped,
}

/// Goes a round whenever it is due, until told to stop.
pub(super) async fn take_turns<W, F>(context: Arc<Context>, task: Task, stop: CancellationToken, work: W)
where
    W: Fn(Arc<Context>, Memo) -> F,
    F: Future<Output = Result<(), Failure>> + Send + 'static,
{
    let schedule = context.schedule.clone();
    loop {
        let wait = match schedule.take(&task).await {
            Ok(Turn::Mine { memo }) => {
                let memo = Memo::of(memo);
                let working = tokio::spawn(work(Arc::clone(&context), memo.clone()));
                let ended = attend(&schedule, &task, (&memo, working), &stop).await;
                finish(&schedule, &task, ended).await;
                Duration::ZERO
            }
            Ok(Turn::NotMine { ask_after, .. }) => ask_after,
            Err(error) => {
                tracing::debug!(round = task.name, %error, "whose turn it is cannot be asked");
                REDIS_IS_AWAY
            }
        };
        let wait = wait.clamp(ASK_AT_MOST_EVERY, ASK_AT_LEAST_EVERY);
        if timeout(wait, stop.cancelled()).await.is_ok() {
            return;
        }
    }
}

/// Waits for the end of a round and prolongs its lease meanwhile.
async fn attend(
    schedule: &Schedule,
    task: &Task,
    (memo, mut working): (&Memo, JoinHandle<Result<(), Failure>>),
    stop: &CancellationToken,
) -> Ended {
    let mut beats = interval(task.lease / 3);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let ended = loop {
        tokio::select! {
            ended = &mut working => return match ended {
                Ok(Ok(())) => Ended::Done,
                Ok(Err(failure)) => Ended::Failed(failure.to_string()),
                Err(panicked) => Ended::Failed(panicked.to_string()),
            },
            () = stop.cancelled() => break Ended::Stopped,
            _ = beats.tick() => {}
        }
        // An unanswered prolonging is no loss yet: the lease lasts for two more.
        if let Ok(false) = schedule.keep(task, &memo.read()).await {
            break Ended::LeaseLost;
        }
    };
    working.abort();
    if matches!(ended, Ended::Stopped) {
        let _ = schedule.keep(task, &memo.read()).await;
    }
    ended
}

async fn finish(schedule: &Schedule, task: &Task, ended: Ended) {
    let round = task.name;
    let (word, told) = match ended {
        Ended::Done => ("done", schedule.done(task).await),
        Ended::Failed(error) => {
            tracing::warn!(round, %error, "a round failed; it goes on in a minute");
            ("failed", schedule.leave(task, REST).await)
        }
        Ended::LeaseLost => {
            tracing::warn!(round, "the turn was lost: another worker goes on");
            ("lost", Ok(false))
        }
        Ended::Stopped => ("given_back", schedule.leave(task, Duration::ZERO).await),
    };
    metrics::counter!("passerelle_rounds_total", "round" => round, "result" => word).increment(1);
    if let Err(error) = told {
        tracing::warn!(round, %error, "the end of a round could not be told; its lease expires");
    }
}
