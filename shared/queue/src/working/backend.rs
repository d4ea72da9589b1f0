//! The queue as an apalis [`Backend`]: apalis drives the handlers, a feeder task of ours keeps a
//! small buffer of leased jobs filled.
//!
//! What apalis does with a backend, and what follows (apalis-core 1.0.0):
//! - An `Err` from the stream ends the worker for good, so this backend cannot make one: its error type has no values. Whatever happens to
//!   Redis is the feeder's business; running handlers are not touched.
//! - At a stop apalis waits for the running jobs before it closes the backend, and leaves what was prefetched. So the feeder looks at the stop
//!   flag by itself, right before each fetch and while it waits, and gives the buffer back at once.
//! - All handlers of a worker are polled in one task: a panic in one unwinds through all of them. Handlers should catch their panics (or
//!   run in a task of their own); a [`Leased`] that is dropped by the unwinding counts as a crash of its job either way.

use std::convert::Infallible;
use std::fmt;
use std::future::Future as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use apalis_core::backend::finalize::Ephemeral;
use apalis_core::backend::{Backend, BackendConfig};
use apalis_core::layers::Identity;
use apalis_core::task::Task;
use apalis_core::task::builder::TaskBuilder;
use apalis_core::task::task_id::TaskId;
use apalis_core::worker::context::WorkerContext;
use tokio::task::JoinHandle;

use crate::server::wake;
use crate::working::crash::{CrashPolicy, Solo};
use crate::working::feeder::Feeder;
use crate::working::lease::Leases;
use crate::{Leased, Queue};
use passerelle_model::id::ProcessName;

/// From this concurrency on, as many jobs are prefetched as may run. Below, jobs are slow and the
/// buffer would only keep them from others.
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
    /// What follows when the worker or a handler vanishes.
    pub crash_policy: CrashPolicy,
    /// Shared by all backends of the process, so that a job that crashed before runs alone in it.
    pub solo: Solo,
}

impl BackendSettings {
    /// For a worker of this process, with the default lease, sharing the process with no other
    /// backend.
    pub fn new(worker: ProcessName, concurrency: usize, crash_policy: CrashPolicy) -> Self {
        Self {
            worker,
            concurrency,
            lease: Duration::from_secs(30),
            crash_policy,
            solo: Solo::default(),
        }
    }
}

impl Queue {
    /// The queue as a source of jobs for an apalis worker. Nothing is fetched before the worker
    /// runs.
    ///
    /// ```no_run
    /// # use apalis::prelude::*;
    /// # use passerelle_model::id::ProcessName;
    /// # use passerelle_model::ledger::{Settlement, Verdict};
    /// # use passerelle_model::outcome::Outcome;
    /// # use passerelle_queue::{BackendSettings, CrashPolicy, Leased, Queue};
    /// # use passerelle_model::time::Timestamp;
    /// # async fn example(queue: Queue, crash_policy: CrashPolicy, stop: tokio::sync::oneshot::Receiver<()>) -> Result<(), WorkerError> {
    /// async fn process(job: Leased) {
    ///     let started = Timestamp::now();
    ///     // … the work, perhaps in a `select!` with `job.lease().over()` …
    ///     let verdict = Verdict::Done(Outcome::Synced);
    ///     job.settle(Settlement { verdict, steps: Vec::new(), started }).await;
    /// }
    ///
    /// let name = ProcessName::unique("worker");
    /// WorkerBuilder::new(name.as_str())
    ///     .backend(queue.backend(BackendSettings::new(name.clone(), 8, crash_policy)))
    ///     .concurrency(8)
    ///     .build(process)
    ///     .run_until(async {
    ///         // Whether told to stop, or the sender is gone: both end the worker.
    ///         let _ = stop.await;
    ///         Ok::<(), WorkerError>(())
    ///     })
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
            feeder: Arc::new(Feeder::new(self.clone(), settings, slots)),
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
        let id = TaskId::from_string(leased.job().key.to_string());
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
