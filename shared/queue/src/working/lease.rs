//! A job in a worker's hands, and the register of all jobs that a worker process holds, running or
//! buffered.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::server::backoff::Reconnecting;
use crate::server::scripts::RENEW;
use crate::working::crash::{Company, CrashPolicy};
use crate::working::ending::{Crash, Ending};
use crate::working::roster::Roster;
use crate::working::validity::Lease;
use crate::{Queue, QueueError, Settled};
use passerelle_model::id::ProcessName;
use passerelle_model::job::Job;
use passerelle_model::ledger::{Settlement, Verdict};
use passerelle_model::time::Timestamp;

/// A job in a worker's hands. Dropping it unsettled (a panic) counts as a crash of the job;
/// dropping it while the worker stops gives it back.
#[derive(Debug)]
pub struct Leased {
    job: Job,
    queue: Queue,
    held: Option<HeldLease>,
    began: Option<Timestamp>,
    is_probe: bool,
}

impl Leased {
    pub(crate) fn new(queue: Queue, job: Job, mut held: HeldLease) -> Self {
        let entry = held.leases.roster.enter(&job.key);
        held.lease = held.lease.clone().entered(entry);
        Self {
            job,
            queue,
            held: Some(held),
            began: None,
            is_probe: false,
        }
    }

    /// Marks the job as the one that a stopped gate let through.
    pub(crate) fn mark_probe(mut self, is_probe: bool) -> Self {
        self.is_probe = is_probe;
        self
    }

    /// Whether a stopped gate let this one job through, to see whether its target works again.
    pub fn is_probe(&self) -> bool {
        self.is_probe
    }

    /// The job.
    pub fn job(&self) -> &Job {
        &self.job
    }

    /// Its lease. While it is over, another worker may have the job: nothing may be written for it.
    pub fn lease(&self) -> Lease {
        self.held
            .as_ref()
            .map_or_else(Lease::unbounded, |held| held.lease.clone())
    }

    /// Ends the attempt. Waits through Redis outages until the settlement is recorded or the lease
    /// is lost.
    pub async fn settle(mut self, settlement: Settlement) -> Settled {
        let Some(held) = self.held.take() else {
            return Settled::LeaseLost;
        };
        let leases = Arc::clone(&held.leases);
        let is_wait = matches!(settlement.verdict, Verdict::Retry { .. } | Verdict::Hold { .. });
        let ending = match Ending::of(&self.job, held, settlement) {
            Ok(ending) => ending,
            Err(error) => {
                tracing::error!(%error, job = %self.job.key, "a settlement could not be written; the job will be run again");
                return Settled::LeaseLost;
            }
        };
        let settled = self.queue.end(ending).await;
        if is_wait {
            // The feeder must learn when to look for it.
            leases.wake.notify_one();
        }
        settled
    }

    /// From here on it is running: to drop it is a crash.
    pub(crate) fn begin(&mut self) {
        self.began = Some(Timestamp::now());
    }

    /// To the front of the queue, as if it had never been taken.
    pub(crate) async fn give_back(mut self) {
        if let Some(held) = self.held.take() {
            let _ = self.queue.end(Ending::untouched(held)).await;
        }
    }
}

impl Drop for Leased {
    fn drop(&mut self) {
        let Some(held) = self.held.take() else { return };
        let is_panicking = std::thread::panicking();
        let ending = match self.began {
            Some(began) if is_panicking || !held.leases.closing.is_cancelled() => {
                let why = if is_panicking {
                    "the job's handler panicked"
                } else {
                    "the job's handler ended without settling it"
                };
                tracing::error!(job = %self.job.key, crashes = self.job.crashes + 1, "{why}");
                let policy = held.leases.crash_policy;
                Ending::crash(&self.job, held.into(), &Crash { why, began, policy })
            }
            _ => Ok(Ending::untouched(held)),
        };
        match ending {
            // Nobody can wait here; the lane carries it out. If it cannot, the lease expires.
            Ok(ending) => drop(self.queue.inner.settler.submit(ending)),
            Err(error) => {
                tracing::error!(%error, job = %self.job.key, "a crash could not be recorded; the lease will expire");
            }
        }
    }
}

/// The right to end an attempt: while it exists, its lease is prolonged and its slot is taken.
#[derive(Debug)]
pub(crate) struct HeldLease {
    pub(crate) key: Vec<u8>,
    pub(crate) token: String,
    pub(crate) leases: Arc<Leases>,
    pub(crate) lease: Lease,
    _slot: OwnedSemaphorePermit,
    _company: Company,
}

impl Drop for HeldLease {
    fn drop(&mut self) {
        self.leases.lock().remove(&self.token);
    }
}

/// All leases of one worker process.
#[derive(Debug)]
pub(crate) struct Leases {
    pub(crate) worker: ProcessName,
    /// What follows when a handler vanishes.
    pub(crate) crash_policy: CrashPolicy,
    /// Wakes the feeder.
    pub(crate) wake: Notify,
    /// Cancelled when the worker begins to stop.
    pub(crate) closing: CancellationToken,
    roster: Roster,
    held: Mutex<HashMap<String, (Vec<u8>, Lease)>>,
}

impl Leases {
    pub(crate) fn new(worker: ProcessName, crash_policy: CrashPolicy) -> Arc<Self> {
        Arc::new(Self {
            worker,
            crash_policy,
            wake: Notify::new(),
            closing: CancellationToken::new(),
            roster: Roster::default(),
            held: Mutex::new(HashMap::new()),
        })
    }

    /// Registers a lease. It ends only when Redis says so, until [`Lease::extend`] says how long it
    /// is valid.
    pub(crate) fn hold(
        self: &Arc<Self>,
        key: Vec<u8>,
        token: String,
        slot: OwnedSemaphorePermit,
        company: Company,
    ) -> HeldLease {
        let lease = Lease::unbounded();
        self.lock().insert(token.clone(), (key.clone(), lease.clone()));
        HeldLease {
            key,
            token,
            leases: Arc::clone(self),
            lease,
            _slot: slot,
            _company: company,
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, (Vec<u8>, Lease)>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Prolongs all leases every third of their length, for as long as anybody holds the register.
    pub(crate) async fn renew(leases: Weak<Self>, queue: Queue, length: Duration) {
        let mut waits = Reconnecting::new();
        let mut next = Instant::now() + length / 3;
        loop {
            sleep_until(next).await;
            let Some(leases) = leases.upgrade() else { return };
            match leases.renew_all(&queue, length).await {
                Ok(()) => {
                    waits = Reconnecting::new();
                    next = Instant::now() + length / 3;
                }
                Err(error) => {
                    tracing::debug!(%error, "leases could not be prolonged yet");
                    drop(leases);
                    sleep(waits.next()).await;
                }
            }
        }
    }

    async fn renew_all(&self, queue: &Queue, length: Duration) -> Result<(), QueueError> {
        let held: Vec<(String, Vec<u8>, Lease)> = self
            .lock()
            .iter()
            .map(|(token, (key, lease))| (token.clone(), key.clone(), lease.clone()))
            .collect();
        for group in held.chunks(100) {
            let mut call = RENEW.call(2);
            call.arg(&queue.inner.keys.leases)
                .arg(&queue.inner.keys.records)
                .arg(millis(length))
                .arg(group.len());
            for (_, key, _) in group {
                call.arg(key);
            }
            for (token, ..) in group {
                call.arg(token);
            }
            let sent = Instant::now();
            let answers: String = call.send(&queue.inner.redis).await?;
            for ((token, key, lease), answer) in group.iter().zip(answers.chars()) {
                if answer == '1' {
                    lease.extend(sent + length);
                    continue;
                }
                // One that was settled meanwhile is not lost.
                if self.lock().contains_key(token) && !lease.is_lost() {
                    tracing::warn!(job = %String::from_utf8_lossy(key), "a lease was lost: the job has been given to another worker");
                    metrics::counter!("passerelle_queue_leases_lost_total").increment(1);
                    lease.lose();
                }
            }
        }
        Ok(())
    }
}

pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
