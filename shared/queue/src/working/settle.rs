//! Recording how attempts ended: a whole group of verdicts and their facts in one atomic step.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::time::sleep;

use crate::accepting::accept::ANSWER_SECONDS;
use crate::accepting::group_commit::Commit;
use crate::server::backoff::Reconnecting;
use crate::server::keys::Keys;
use crate::server::scripts::{Call, SETTLE};
use crate::working::ending::Ending;
use crate::{Queue, QueueError, Redis, short_id};

/// Where a settlement went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// It is recorded.
    Recorded,
    /// The lease had been lost; nothing was changed. Another worker runs or ran the job.
    LeaseLost,
}

impl Queue {
    pub(crate) async fn end(&self, ending: Ending) -> Settled {
        // Without a runtime to carry it the lease simply expires.
        self.inner.settler.submit(ending).await.unwrap_or(Settled::LeaseLost)
    }
}

/// Carries groups of endings to the script.
pub(crate) struct SettleCommit {
    redis: Redis,
    keys: Arc<Keys>,
    caller: String,
    calls: AtomicU64,
}

impl SettleCommit {
    pub(crate) fn new(redis: Redis, keys: Arc<Keys>) -> Self {
        Self {
            redis,
            keys,
            caller: short_id(),
            calls: AtomicU64::new(0),
        }
    }

    /// The script call for a group; each has a name of its own, under which Redis keeps its answer.
    pub(crate) fn call(&self, group: &[Ending]) -> Call {
        let keys = &self.keys;
        let number = self.calls.fetch_add(1, Ordering::Relaxed);
        let mut call = SETTLE.call(12);
        for key in [&keys.ledger, &keys.active, &keys.scheduled, &keys.leases, &keys.records] {
            call.arg(key);
        }
        call.arg(format!("{}:{}", keys.answers, self.caller));
        call.arg(&keys.dead).arg(&keys.letters);
        call.arg(&keys.suspects)
            .arg(&keys.waits)
            .arg(&keys.gates)
            .arg(&keys.life);
        call.arg(format!("{}{number:x}", self.caller))
            .arg(ANSWER_SECONDS)
            .arg(&keys.wake)
            .arg(group.len());
        for ending in group {
            call.arg(ending.holder.key_and_token().0);
        }
        for ending in group {
            ending.write(&mut call);
        }
        call
    }

    /// Sends the call until it is answered, however long Redis is away.
    async fn send(&self, group: &[Ending]) -> Result<Vec<Settled>, QueueError> {
        let call = self.call(group);
        let mut waits = Reconnecting::new();
        loop {
            match call.send::<String>(&self.redis).await {
                Ok(answers) => return parse_answers(&answers, group.len()),
                Err(QueueError::Unavailable(error)) => {
                    tracing::debug!(error, "settlements wait for Redis");
                    sleep(waits.next()).await;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

impl Commit for SettleCommit {
    type Item = Ending;
    type Answer = Settled;
    const MOST: usize = 100;

    fn weight(_: &Ending) -> usize {
        1
    }

    async fn commit(&self, group: &[Ending]) -> Vec<Settled> {
        let error = match self.send(group).await {
            Ok(settled) => return settled,
            Err(error) => error,
        };
        tracing::error!(%error, size = group.len(), "Redis refused settlements; each is tried by itself");
        let mut settled = Vec::with_capacity(group.len());
        for ending in group {
            settled.push(match self.send(std::slice::from_ref(ending)).await {
                Ok(one) => one.first().copied().unwrap_or(Settled::LeaseLost),
                Err(error) => {
                    tracing::error!(%error, key = %ending.holder.key_and_token().0.escape_ascii(), "a settlement was refused; the job will be run again");
                    Settled::LeaseLost
                }
            });
        }
        settled
    }
}

fn parse_answers(answers: &str, expected: usize) -> Result<Vec<Settled>, QueueError> {
    if answers.len() != expected {
        return Err(QueueError::Protocol(format!(
            "settle answered {answers:?} for {expected} endings"
        )));
    }
    Ok(answers
        .chars()
        .map(|digit| {
            if digit == '1' {
                Settled::Recorded
            } else {
                Settled::LeaseLost
            }
        })
        .collect())
}
