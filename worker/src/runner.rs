//! Takes jobs from a queue, lets [`process`](crate::process) (rows) or
//! [`deliver`](crate::notify::deliver) (notices) attempt them, and reports to the queue how they
//! ended. Knows no rule. A process runs one runner per queue.
//!
//! apalis drives the handlers over our queue's backend. Each job runs in a task of its own, so that
//! a panic costs one job and not its neighbours. At a stop no new job is taken; running ones get
//! the grace time, then they are given back: what they did so far is what a crash would have left,
//! and the next attempt begins from the top. The attempt is not counted.

use std::sync::Arc;
use std::time::Duration;

use apalis::prelude::*;
use passerelle_model::config::Channel;
use passerelle_model::job::Job;
use passerelle_model::ledger::{FailureRecord, Settlement, Verdict};
use passerelle_model::time::Timestamp;
use passerelle_queue::{BackendSettings, Leased, Queue, QueueName, Settled};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::clients::guard::let_through;
use crate::clients::lease::under_lease;
use crate::context::{Context, CurrentContext};
use crate::crash::CrashPoint;
use crate::failure::CRASH_POLICY;
use crate::notify::deliver::deliver;
use crate::outage::{self, Attempted};
use crate::process::process;

/// How a worker runs.
#[derive(Debug, Clone, Copy)]
pub struct RunnerSettings {
    /// Most jobs at once.
    pub concurrency: usize,
    /// How long running jobs may take to end after a stop signal.
    pub grace: Duration,
    /// How long a job stays with a worker that says nothing.
    pub lease: Duration,
}

/// What every handler needs.
#[derive(Debug, Clone)]
struct JobContext {
    current: CurrentContext,
    /// Whose jobs they are.
    queue: QueueName,
    /// The grace time is over.
    grace_over: CancellationToken,
}

/// Runs jobs until `stop`, and then until the running ones have ended or were given back.
pub async fn run(
    settings: RunnerSettings,
    queue: &Queue,
    current: CurrentContext,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let context = current.get();
    // The gates know this process by the same name.
    let name = context.gates.process().clone();
    let backend = queue.backend(BackendSettings {
        worker: name.clone(),
        concurrency: settings.concurrency,
        lease: settings.lease,
        crash_policy: CRASH_POLICY,
        solo: context.solo.clone(),
    });
    let grace_over = CancellationToken::new();
    let job_context = JobContext {
        current,
        queue: queue.name(),
        grace_over: grace_over.clone(),
    };
    tracing::info!(worker = %name, queue = queue.name().as_str(), concurrency = settings.concurrency, "the worker takes jobs");
    let worker = WorkerBuilder::new(name.as_str())
        .backend(backend)
        .data(job_context)
        .concurrency(settings.concurrency)
        .build(attempt);
    let stopped = async move {
        stop.cancelled().await;
        tokio::spawn(async move {
            tokio::time::sleep(settings.grace).await;
            grace_over.cancel();
        });
        Ok::<(), WorkerError>(())
    };
    worker.run_until(stopped).await?;
    tracing::info!(worker = %name, queue = queue.name().as_str(), "the worker has stopped");
    Ok(())
}

async fn attempt(leased: Leased, job_context: Data<JobContext>) {
    let job_context = JobContext::clone(&job_context);
    // With these rules the job ends, also if there are others meanwhile.
    let (context, queue) = (job_context.current.get(), job_context.queue);
    let probe_of = leased.is_probe().then_some(queue);
    let job = leased.job();
    let span = tracing::info_span!(
        "job",
        job = %job.key,
        event.id = %job.last_event,
        row.table = job.key.row().map(|row| row.table.get()),
        row.id = job.key.row().map(|row| row.row.get()),
        attempt = job.attempts + 1
    );
    // A panic has been recorded by then: the lease counts it as a crash of the job.
    let ended = tokio::spawn(attempt_and_settle(leased, Arc::clone(&context), job_context).instrument(span)).await;
    outage::report(&context.gates, probe_of, ended.ok().as_ref()).await;
}

async fn attempt_and_settle(leased: Leased, context: Arc<Context>, job_context: JobContext) -> Attempted {
    CrashPoint::AfterFetch.pass();
    let JobContext { queue, grace_over, .. } = job_context;
    let started = Timestamp::now();
    let given_back = || Settlement {
        verdict: Verdict::GiveBack,
        steps: Vec::new(),
        started,
    };
    let lease = leased.lease();
    let settlement = tokio::select! {
        biased;
        () = lease.over() => {
            tracing::warn!("the lease was not renewed in time: the attempt stops, another worker may have the job");
            given_back()
        }
        () = grace_over.cancelled() => given_back(),
        settlement = process_job(&context, queue, &leased) => settlement,
    };
    log(leased.job(), &settlement);
    let attempted = Attempted {
        job: leased.job().key.to_string(),
        attempts: leased.job().attempts + 1,
        verdict: settlement.verdict.clone(),
        has_recovered: queue == QueueName::Sync
            && leased.job().failing_since.is_some()
            && matches!(settlement.verdict, Verdict::Done(_)),
    };
    CrashPoint::BeforeSettle.pass();
    if leased.settle(settlement).await == Settled::LeaseLost {
        tracing::warn!("the lease was lost: this attempt does not count, another worker has the job");
    }
    CrashPoint::AfterSettle.pass();
    attempted
}

async fn process_job(context: &Context, queue: QueueName, leased: &Leased) -> Settlement {
    let (job, chance) = (leased.job(), rand::random());
    let work = Box::pin(async {
        match queue {
            QueueName::Sync => process(context, job, chance).await,
            QueueName::Mail => deliver(context, job, Channel::Mail, chance).await,
            QueueName::Slack => deliver(context, job, Channel::Slack, chance).await,
        }
    });
    let work = under_lease(leased.lease(), work);
    if leased.is_probe() {
        let_through(work).await
    } else {
        work.await
    }
}

/// The one place where the end of an attempt is logged and counted.
fn log(job: &Job, settlement: &Settlement) {
    let duration = Timestamp::now().since(settlement.started);
    let duration_ms = duration.as_millis();
    let word = match &settlement.verdict {
        Verdict::Done(outcome) => {
            let waited_ms = Timestamp::now().since(job.waiting_since).as_millis();
            tracing::info!(%outcome, duration_ms, waited_ms, "done");
            outcome.name()
        }
        Verdict::Retry { after_ms, failure } => {
            warn(failure, *after_ms, duration_ms, "failed; will be tried again");
            "retry"
        }
        Verdict::Hold { after_ms, failure } => {
            warn(
                failure,
                *after_ms,
                duration_ms,
                "cannot be done now; held, the attempt does not count",
            );
            "held"
        }
        Verdict::Bury { reason, failure } => {
            tracing::error!(
                reason,
                target_system = failure.target,
                status = failure.status,
                duration_ms,
                "given up, kept as a dead letter: {}",
                failure.message
            );
            "dead"
        }
        Verdict::GiveBack => {
            tracing::info!(duration_ms, "given back to the queue");
            "given_back"
        }
    };
    metrics::counter!("passerelle_worker_attempts_total", "result" => word).increment(1);
    metrics::histogram!("passerelle_worker_attempt_seconds").record(duration.as_secs_f64());
}

fn warn(failure: &FailureRecord, after_ms: u64, duration_ms: u128, what: &str) {
    tracing::warn!(
        reason = failure.class.as_str(),
        target_system = failure.target,
        status = failure.status,
        after_ms,
        duration_ms,
        "{what}: {}",
        failure.message
    );
}
