//! The queue as an apalis [`Backend`]: apalis drives the handlers, a feeder task of ours keeps a small buffer of leased jobs filled.
//!
//! What apalis does with a backend, and what follows (apalis-core 1.0.0):
//! - An `Err` from the stream ends the worker for good, so this backend cannot make one: its error type has no values. Whatever happens to
//!   Redis is the feeder's business; running handlers are not touched.
//! - At a stop apalis waits for the running jobs before it closes the backend, and leaves what was prefetched. So the feeder looks at the stop
//!   flag by itself, right before each fetch and while it waits, and gives the buffer back at once.
//! - All handlers of a worker are polled in one task: a panic in one unwinds through all of them. Handlers should catch their panics (or
//!   run in a task of their own); a [`Leased`] that is dropped by the unwinding counts as a crash of its job either way.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt;
use std::future::Future as _;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use apalis_core::backend::finalize::Ephemeral;
use apalis_core::backend::{Backend, BackendConfig};
use apalis_core::layers::Identity;
use apalis_core::task::Task;
use apalis_core::task::builder::TaskBuilder;
use apalis_core::task::task_id::TaskId;
use apalis_core::worker::context::WorkerContext;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::fetch::{BATCH, FetchCall, Fetched};
use super::lease::Leases;
use super::schedule::{Reconnecting, safety_poll};
use super::settle::Ending;
use super::{Leased, Queue, QueueError, wake};
use crate::id::ProcessName;

/// How often the feeder looks whether apalis has been told to stop: nothing tells it.
const STOP_LOOK: Duration = Duration::from_millis(100);
/// How long giving back may take at a stop; afterwards the leases expire by themselves.
const GIVE_BACK: Duration = Duration::from_secs(5);
/// From this concurrency on, as many jobs are prefetched as may run. Below, jobs are slow and the buffer would only keep them from others.
const PREFETCH_FROM: usize = 16;

/// How a worker takes jobs.
#[derive(Debug, Clone)]
pub struct BackendSettings {
    /// Unique per process start.
    pub worker: ProcessName,
    /// Most jobs at once: the same number as in apalis' `.concurrency(n)`.
    pub concurrency: usize,
    /// How long a job stays with a worker that says nothing (default 30 s; renewed at a third).
    pub lease: Duration,
}

impl BackendSettings {
    /// For a worker of this process, with the default lease.
    pub fn new(worker: ProcessName, concurrency: usize) -> Self {
        Self {
            worker,
            concurrency,
            lease: Duration::from_secs(30),
        }
    }
}

impl Queue {
    /// The queue as a source of jobs for an apalis worker. Nothing is fetched before the worker runs.
    ///
    /// ```no_run
    /// # use apalis::prelude::*;
    /// # use passerelle_shared::id::ProcessName;
    /// # use passerelle_shared::ledger::{Settlement, Verdict};
    /// # use passerelle_shared::outcome::Outcome;
    /// # use passerelle_shared::queue::{BackendSettings, Leased, Queue};
    /// # use passerelle_shared::time::Timestamp;
    /// # async fn example(queue: Queue, stop: tokio::sync::oneshot::Receiver<()>) -> Result<(), WorkerError> {
    /// async fn process(job: Leased) {
    ///     let started = Timestamp::now();
    ///     // … the work, perhaps in a `select!` with `job.lost()` …
    ///     let verdict = Verdict::Done(Outcome::Synced);
    ///     job.settle(Settlement { verdict, steps: Vec::new(), started }).await;
    /// }
    ///
    /// let name = ProcessName::unique("worker");
    /// WorkerBuilder::new(name.as_str())
    ///     .backend(queue.backend(BackendSettings::new(name.clone(), 8)))
    ///     .concurrency(8)
    ///     .build(process)
    ///     .run_until(async { stop.await.map_err(|error| WorkerError::GracefulExit(error.to_string())) })
    ///     .await
    /// # }
    /// ```
    pub fn backend(&self, settings: BackendSettings) -> WorkerBackend {
        let concurrency = settings.concurrency.max(1);
        let slots = if concurrency >= PREFETCH_FROM {
            concurrency * 2
        } else {
            concurrency
        };
        WorkerBackend {
            feeder: Arc::new(Feeder {
                queue: self.clone(),
                leases: Leases::new(settings.worker.clone()),
                settings,
                slots: Arc::new(Semaphore::new(slots)),
                buffer: Mutex::new(Buffer::default()),
            }),
            feeding: None,
        }
    }
}

/// The queue as an apalis backend, for one worker. Made by [`Queue::backend`].
pub struct WorkerBackend {
    feeder: Arc<Feeder>,
    feeding: Option<JoinHandle<()>>,
}

impl fmt::Debug for WorkerBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerBackend")
            .field("settings", &self.feeder.settings)
            .finish_non_exhaustive()
    }
}

impl Drop for WorkerBackend {
    fn drop(&mut self) {
        self.feeder.leases.closing.cancel();
    }
}

impl Backend for WorkerBackend {
    type Task = Task<Leased>;
    type Error = Infallible;

    fn poll_ready(&mut self, _: &mut Context<'_>, worker: &WorkerContext) -> Poll<Result<(), Infallible>> {
        if self.feeding.is_none() {
            let Feeder {
                queue,
                leases,
                settings,
                ..
            } = &*self.feeder;
            tokio::spawn(Leases::renew(Arc::downgrade(leases), queue.clone(), settings.lease));
            tokio::spawn(wake::listen(queue.clone(), Arc::clone(leases)));
            self.feeding = Some(tokio::spawn(Arc::clone(&self.feeder).run(worker.clone())));
        }
        Poll::Ready(Ok(()))
    }

    fn poll_next(&mut self, cx: &mut Context<'_>, _: &WorkerContext) -> Poll<Option<Result<Task<Leased>, Infallible>>> {
        let Some(mut leased) = self.feeder.buffer().take(cx.waker()) else {
            return Poll::Pending;
        };
        leased.begin();
        let id = TaskId::from_string(leased.job().key.as_str());
        Poll::Ready(Some(Ok(TaskBuilder::new(leased).task_id(id).build())))
    }

    fn poll_close(&mut self, cx: &mut Context<'_>, _: &WorkerContext) -> Poll<Result<(), Infallible>> {
        self.feeder.leases.closing.cancel();
        match &mut self.feeding {
            Some(feeding) => Pin::new(feeding).poll(cx).map(|_ended| {
                self.feeding = None;
                Ok(())
            }),
            None => Poll::Ready(Ok(())),
        }
    }
}

impl BackendConfig for WorkerBackend {
    type Args = Leased;
    type Id = String;
    type Kind = Ephemeral;
    type Config = BackendSettings;
    type Layer = Identity;

    fn config(&self) -> &BackendSettings {
        &self.feeder.settings
    }

    fn middleware(&mut self, _: &mut WorkerContext) -> Identity {
        Identity::new()
    }
}

/// Leased jobs that no handler has begun yet.
#[derive(Default)]
struct Buffer {
    jobs: VecDeque<Leased>,
    waker: Option<Waker>,
}

impl Buffer {
    fn take(&mut self, waker: &Waker) -> Option<Leased> {
        let job = self.jobs.pop_front();
        if job.is_none() {
            self.waker = Some(waker.clone());
        }
        job
    }
}

/// Keeps the buffer filled.
struct Feeder {
    queue: Queue,
    leases: Arc<Leases>,
    settings: BackendSettings,
    /// One per job that may be leased at once: running, being settled, or buffered.
    slots: Arc<Semaphore>,
    buffer: Mutex<Buffer>,
}

impl Feeder {
    fn buffer(&self) -> std::sync::MutexGuard<'_, Buffer> {
        self.buffer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn run(self: Arc<Self>, worker: WorkerContext) {
        let mut call = FetchCall::new();
        let mut waits = Reconnecting::new();
        while let Some(slots) = self.unless_stopped(&worker, self.free_slots()).await {
            // Nothing may come between this look and the fetch.
            if worker.is_shutting_down() || self.leases.closing.is_cancelled() {
                break;
            }
            match self.queue.fetch(&mut call, &self.settings, slots.len()).await {
                Ok(fetched) => {
                    waits = Reconnecting::new();
                    self.use_fetched(fetched, slots, &worker).await;
                }
                Err(error) => {
                    drop(slots);
                    tracing::debug!(%error, "no jobs can be fetched for the moment");
                    let _ = self.unless_stopped(&worker, sleep(waits.next())).await;
                }
            }
        }
        self.leases.closing.cancel();
        self.give_back_buffer().await;
    }

    /// Waits for one slot and takes all that are free then.
    async fn free_slots(&self) -> Vec<OwnedSemaphorePermit> {
        let mut slots = Vec::with_capacity(BATCH);
        // The semaphore is never closed.
        slots.extend(Arc::clone(&self.slots).acquire_owned().await.ok());
        while slots.len() < BATCH {
            match Arc::clone(&self.slots).try_acquire_owned() {
                Ok(slot) => slots.push(slot),
                Err(_none_free) => break,
            }
        }
        slots
    }

    async fn use_fetched(&self, fetched: Fetched, slots: Vec<OwnedSemaphorePermit>, worker: &WorkerContext) {
        let is_drained = fetched.jobs.len() < slots.len();
        let wait = fetched.look_again.map(|time| time.since(fetched.now));
        let (has_expired, has_stock, now) = (fetched.has_expired, fetched.has_stock, fetched.now);
        self.fill_buffer(fetched, slots).await;
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

    async fn fill_buffer(&self, fetched: Fetched, slots: Vec<OwnedSemaphorePermit>) {
        let mut leased = VecDeque::with_capacity(fetched.jobs.len());
        for (taken, slot) in fetched.jobs.into_iter().zip(slots) {
            let held = self.leases.hold(taken.key, taken.token, slot);
            match taken.job {
                Ok(job) => leased.push_back(Leased::new(self.queue.clone(), job, held)),
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

    async fn look_after(
        &self,
        has_expired: bool,
        has_stock: bool,
        now: crate::time::Timestamp,
    ) -> Result<(), QueueError> {
        if has_expired && self.may_reclaim() {
            self.queue.reclaim().await?;
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
