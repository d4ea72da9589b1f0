//! Keeps a worker's buffer of leased jobs filled: fetches as many as there are free slots, sleeps
//! while there is nothing to do, and looks after expired leases and stock tasks on the way. No
//! error ends it; only the stop of its worker does, and then it gives the buffer back.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;
use std::time::Duration;

use apalis_core::worker::context::WorkerContext;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};

use crate::server::backoff::{Reconnecting, safety_poll};
use crate::server::clock::ClockWatch;
use crate::working::crash::Company;
use crate::working::ending::Ending;
use crate::working::fetch::{BATCH, FetchCall, Fetched};
use crate::working::lease::Leases;
use crate::{BackendSettings, Leased, Queue, QueueError};
use passerelle_model::time::Timestamp;

/// How often the feeder looks whether apalis has been told to stop: nothing tells it.
const STOP_LOOK: Duration = Duration::from_millis(100);
/// How long giving back may take at a stop; afterwards the leases expire by themselves.
const GIVE_BACK: Duration = Duration::from_secs(5);
/// Leased jobs that no handler has begun yet.
#[derive(Default)]
pub(crate) struct Buffer {
    jobs: VecDeque<Leased>,
    waker: Option<Waker>,
}

impl Buffer {
    pub(crate) fn take(&mut self, waker: &Waker) -> Option<Leased> {
        let job = self.jobs.pop_front();
        if job.is_none() {
            self.waker = Some(waker.clone());
        }
        job
    }
}

/// Keeps the buffer filled.
pub(crate) struct Feeder {
    pub(crate) queue: Queue,
    pub(crate) leases: Arc<Leases>,
    pub(crate) settings: BackendSettings,
    /// One per job that may be leased at once: running, being settled, or buffered.
    slots: Arc<Semaphore>,
    buffer: Mutex<Buffer>,
}

impl Feeder {
    /// For one worker. At most this many jobs are leased at once: running, being settled, or
    /// buffered.
    pub(crate) fn new(queue: Queue, settings: BackendSettings, most: usize) -> Self {
        Self {
            queue,
            leases: Leases::new(settings.worker.clone(), settings.crash_policy),
            settings,
            slots: Arc::new(Semaphore::new(most)),
            buffer: Mutex::new(Buffer::default()),
        }
    }

    pub(crate) fn buffer(&self) -> std::sync::MutexGuard<'_, Buffer> {
        self.buffer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) async fn run(self: Arc<Self>, worker: WorkerContext) {
        let mut call = FetchCall::new();
        let (mut waits, mut clock) = (Reconnecting::new(), ClockWatch::default());
        let mut has_suspects = false;
        while let Some((slots, company)) = self.unless_stopped(&worker, self.room(has_suspects)).await {
            // Nothing may come between this look and the fetch.
            if worker.is_shutting_down() || self.leases.closing.is_cancelled() {
                break;
            }
            let fetched = self
                .queue
                .fetch(&mut call, &self.settings, slots.len(), company.is_alone());
            match fetched.await {
                Ok(fetched) => {
                    waits = Reconnecting::new();
                    if clock.has_jumped(fetched.now, Instant::now()) {
                        tracing::warn!(
                            "the clock of Redis jumped ahead: leases are left alone until their holders have renewed them"
                        );
                        self.queue.inner.redis.note_clock_jump();
                    }
                    has_suspects = fetched.has_suspects;
                    self.use_fetched(fetched, slots, company, &worker).await;
                }
                Err(error) => {
                    drop((slots, company));
                    tracing::debug!(%error, "no jobs can be fetched for the moment");
                    let _ = self.unless_stopped(&worker, sleep(waits.next())).await;
                }
            }
        }
        self.leases.closing.cancel();
        self.give_back_buffer().await;
    }

    /// Waits for room for more jobs; or, if one waits that has to run alone, until this process
    /// runs nothing.
    async fn room(&self, for_one_alone: bool) -> (Vec<OwnedSemaphorePermit>, Company) {
        let slots = self.free_slots(if for_one_alone { 1 } else { BATCH }).await;
        let company = if for_one_alone {
            self.settings.solo.alone().await
        } else {
            self.settings.solo.among_others().await
        };
        (slots, company)
    }

    /// Waits for one slot and takes all that are free then, up to `most`.
    async fn free_slots(&self, most: usize) -> Vec<OwnedSemaphorePermit> {
        let mut slots = Vec::with_capacity(most);
        // The semaphore is never closed.
        slots.extend(Arc::clone(&self.slots).acquire_owned().await.ok());
        while slots.len() < most {
            match Arc::clone(&self.slots).try_acquire_owned() {
                Ok(slot) => slots.push(slot),
                Err(_none_free) => break,
            }
        }
        slots
    }

    async fn use_fetched(
        &self,
        fetched: Fetched,
        slots: Vec<OwnedSemaphorePermit>,
        company: Company,
        worker: &WorkerContext,
    ) {
        let is_drained = fetched.jobs.len() < slots.len() && !fetched.has_suspects && !company.is_alone();
        let wait = fetched.look_again.map(|time| time.since(fetched.now));
        let (has_expired, has_stock, now) = (fetched.has_expired, fetched.has_stock, fetched.now);
        self.fill_buffer(fetched, slots, company).await;
        if let Err(error) = self.look_after(has_expired, has_stock, now).await {
            tracing::warn!(%error, "expired leases or stock tasks could not be seen to; the next look will");
        } else if !is_drained || has_stock || (has_expired && self.may_reclaim()) {
            return;
        }
        let wait = if has_expired { None } else { wait };
        let wait = wait.unwrap_or(Duration::MAX).min(safety_poll());
        let woken = async {
            tokio::select! {
                () = self.leases.wake.notified() => {}
                () = sleep(wait) => {}
            }
        };
        let _ = self.unless_stopped(worker, woken).await;
    }

    async fn fill_buffer(&self, fetched: Fetched, slots: Vec<OwnedSemaphorePermit>, company: Company) {
        let mut leased = VecDeque::with_capacity(fetched.jobs.len());
        let (is_probe, until) = (fetched.is_probe, fetched.sent + self.settings.lease);
        for (taken, slot) in fetched.jobs.into_iter().zip(slots) {
            let held = self.leases.hold(taken.key, taken.token, slot, company.clone());
            held.lease.extend(until);
            match taken.job {
                Ok(job) => leased.push_back(Leased::new(self.queue.clone(), job, held).mark_probe(is_probe)),
                Err(unreadable) => match Ending::unreadable(&unreadable, held.into()) {
                    Ok(ending) => {
                        let _ = self.queue.end(ending).await;
                    }
                    Err(error) => {
                        tracing::error!(%error, "an unreadable job could not be buried; its lease will expire");
                    }
                },
            }
        }
        let mut buffer = self.buffer();
        buffer.jobs.append(&mut leased);
        if let Some(waker) = buffer.waker.take() {
            waker.wake();
        }
    }

    async fn look_after(&self, has_expired: bool, has_stock: bool, now: Timestamp) -> Result<(), QueueError> {
        if has_expired && self.may_reclaim() {
            self.queue.reclaim(self.settings.crash_policy, now).await?;
        }
        if has_stock {
            self.queue.adopt(now).await?;
        }
        Ok(())
    }

    /// After an outage all leases look expired: their holders are given time to prolong them first.
    fn may_reclaim(&self) -> bool {
        self.queue.inner.redis.up_for() >= self.settings.lease / 2
    }

    /// `None` if the worker was told to stop first.
    async fn unless_stopped<T>(&self, worker: &WorkerContext, work: impl Future<Output = T>) -> Option<T> {
        let told = async {
            let mut look = interval(STOP_LOOK);
            look.set_missed_tick_behavior(MissedTickBehavior::Delay);
            while !worker.is_shutting_down() {
                look.tick().await;
            }
        };
        tokio::select! {
            biased;
            () = self.leases.closing.cancelled() => None,
            () = told => None,
            done = work => Some(done),
        }
    }

    async fn give_back_buffer(&self) {
        let jobs: Vec<Leased> = self.buffer().jobs.drain(..).collect();
        let given_back = futures::future::join_all(jobs.into_iter().map(Leased::give_back));
        if timeout(GIVE_BACK, given_back).await.is_err() {
            tracing::warn!("jobs could not be given back in time; their leases will expire");
        }
    }
}
