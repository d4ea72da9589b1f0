//! From settings to a running worker. Only unusable settings end a start; it waits for systems that
//! are away.

mod assemble;

use std::sync::Arc;
use std::time::Duration;

use passerelle_model::config::{Channel, DeadLetterSettings, Problem, Reader, StallSettings};
use passerelle_model::telemetry;
use passerelle_queue::schedule::Schedule;
use passerelle_queue::{LifeWatch, Queue, QueueError, QueueName, Redis, WorkerInfo};
use passerelle_store::{Store, StoreError};
use passerelle_traces::Traces;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::context::{Context, CurrentContext};
use crate::maintenance::health::{MetricsPage, OpenedStore};
use crate::maintenance::ledger_writer::LedgerWriter;
use crate::maintenance::reload::Reload;
use crate::maintenance::sources::{SourceWatch, UserSession};
use crate::maintenance::stalls::{self, Stalls};
use crate::maintenance::tasks::PeriodicTasks;
use crate::maintenance::{health, heartbeat, probe};
use crate::notify::{dead_budget, incidents};
use crate::runner;
use crate::runner::RunnerSettings;
use crate::settings::Settings;

pub use assemble::context;

/// How often to look for a store that was away at the start.
const LOOK_FOR_STORE_EVERY: Duration = Duration::from_secs(3);
/// How long Redis may take to say at the start which version has written it.
const FIRST_LOOK: Duration = Duration::from_secs(2);
/// How long a stopping process waits for the collector of traces.
const LAST_SPANS: Duration = Duration::from_secs(3);
/// Notices that a process sends at once over one channel: mail servers and Slack ask for little.
const NOTICES_AT_ONCE: usize = 2;

/// Makes each wiki page equal to its row. Settings come from the environment and from the file
/// .env; see .env.example.
#[derive(Debug, clap::Parser)]
#[command(name = "passerelle-worker", version)]
pub struct Options {
    /// Print the places where a test may kill this process, and stop.
    #[cfg(debug_assertions)]
    #[arg(long, hide = true)]
    pub list_crash_points: bool,
}

/// Runs until SIGTERM or SIGINT.
pub async fn run(options: &Options) -> anyhow::Result<()> {
    if answered(options) {
        return Ok(());
    }
    let reader = Reader::from_process().with_env_file(None);
    telemetry::start(&reader.text("LOG_LEVEL", "info"));
    reader.warn_of_unknown();
    // For https and encrypted mail. A second installation only says that there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let settings = Settings::read(reader)?;
    let stop = stop_signal()?;
    let worker = Worker::bind(settings, MetricsPage::Here)?;
    match worker.open_store(&stop).await? {
        Some(store) => worker.run(store, stop).await,
        None => Ok(()),
    }
}

/// A worker that answers for its health and has no store yet.
#[derive(Debug)]
pub struct Worker {
    settings: Settings,
    redis: Redis,
    opened: OpenedStore,
    stalls: Stalls,
    /// Until it is listened to, SIGHUP would end the process.
    hangup: Signal,
}

impl Worker {
    /// Takes the address of its health. Redis need not be there yet.
    ///
    /// # Errors
    /// If the address is taken, or the URL of Redis is not usable.
    pub fn bind(settings: Settings, page: MetricsPage) -> anyhow::Result<Self> {
        let redis = Redis::open(&settings.redis)?;
        let opened = OpenedStore::default();
        let stalls = Stalls::default();
        let (of_redis, of_store) = (redis.clone(), Arc::clone(&opened));
        let address = health::start(settings.health_bind, page, of_redis, of_store, stalls.clone())?;
        tracing::info!(%address, "the health of the worker");
        Ok(Self {
            settings,
            redis,
            opened,
            stalls,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for a store that is away; `None` if stopped meanwhile.
    ///
    /// # Errors
    /// If the store cannot be used.
    pub async fn open_store(&self, stop: &CancellationToken) -> Result<Option<Store>, StoreError> {
        let mut looks = tokio::time::interval(LOOK_FOR_STORE_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut is_away = false;
        loop {
            let look = async {
                looks.tick().await;
                Store::open(&self.settings.store).await
            };
            let opened = tokio::select! {
                opened = look => opened,
                () = stop.cancelled() => return Ok(None),
            };
            match opened {
                Ok(store) => {
                    if is_away {
                        tracing::info!("the store is there");
                    }
                    return Ok(Some(store));
                }
                Err(error) if error.is_outage() => {
                    if !is_away {
                        tracing::warn!(%error, "no jobs are taken before the store is there; waiting for it");
                    }
                    is_away = true;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Takes jobs until `stop` is cancelled, then finishes those in hand.
    ///
    /// # Errors
    /// If a later version has written Redis, or a task of the worker failed.
    pub async fn run(self, store: Store, stop: CancellationToken) -> anyhow::Result<()> {
        let Self {
            settings,
            redis,
            opened,
            stalls,
            hangup,
        } = self;
        let (store, traces) = Traces::follow(settings.traces.clone(), opened.get_or_init(|| store).clone())?;
        let queue = Queue::new(redis.clone(), QueueName::Sync);
        let (runner, tasks, retention) = (settings.runner, settings.tasks, settings.retention);
        let limits = Limits {
            dead_letters: settings.dead_letters,
            stalls: settings.stalls,
        };
        refuse_later_layout(&queue).await?;
        let user = settings.baserow_user.clone();
        let sources = user.map(|user| {
            warn_of_unread(&settings.unread_secrets);
            let secrets = settings.webhook_secrets.clone();
            SourceWatch::new(UserSession::new(settings.baserow.clone(), user), secrets, redis.clone())
        });
        let reload = Reload::new(&settings, queue.clone());
        let in_use = reload.in_use();
        let current = CurrentContext::new(context(settings, redis.clone(), store.clone())?);
        let context = current.get();
        let reload = tokio::spawn(reload.run(current.clone(), hangup, stop.clone()));
        let writer = LedgerWriter::new(queue.clone(), store, redis.clone(), context.gates.process().clone());
        let writer = writer.retaining(retention);
        let beside = tokio::spawn(run_beside(Arc::clone(&context), redis.clone(), limits, stalls));
        let refused = tokio::spawn(until_refused(LifeWatch::new(queue.clone()), stop.clone()));
        let schedule = Schedule::new(redis, context.gates.process().clone());
        let tasks = PeriodicTasks::new(current.clone(), schedule, sources, tasks);
        let tasks = tokio::spawn(tasks.run(stop.clone()));

        // The writer stops after the runner: the last settlements are facts too.
        let written = CancellationToken::new();
        let me = WorkerInfo::of_this_process(context.gates.process().clone(), runner.concurrency);
        let alive = tokio::spawn(heartbeat::run(queue.clone(), me, in_use, written.clone()));
        let writer = tokio::spawn(writer.run(written.clone()));
        let result = run_queues(runner, &queue, &current, &stop).await;
        tasks.await?;
        reload.await?;
        written.cancel();
        writer.await?;
        traces.finish(LAST_SPANS).await;
        alive.await?;
        beside.abort();
        refused.abort();
        match refused.await {
            Ok(later) => Err(later.into()),
            Err(_aborted) => result,
        }
    }
}

/// Without the secrets of the webhooks a worker does all but one thing.
fn warn_of_unread(secrets: &[Problem]) {
    for Problem { place, what, hint } in secrets {
        tracing::warn!(
            "{place}: {what}: this worker switches on only webhooks that have delivered to this bridge; {hint}"
        );
    }
}

/// Rows and notices have queues of their own, so that trouble with one never delays another.
async fn run_queues(
    rows: RunnerSettings,
    queue: &Queue,
    current: &CurrentContext,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let notices = RunnerSettings {
        concurrency: NOTICES_AT_ONCE,
        ..rows
    };
    let outbox = &current.get().outbox;
    let run = |settings, queue| runner::run(settings, queue, current.clone(), stop.clone());
    tokio::try_join!(
        run(rows, queue),
        run(notices, outbox.queue(Channel::Mail)),
        run(notices, outbox.queue(Channel::Slack)),
    )?;
    Ok(())
}

/// What may grow or wait, and how much.
#[derive(Debug, Clone, Copy)]
struct Limits {
    dead_letters: DeadLetterSettings,
    stalls: StallSettings,
}

/// A Redis that a later version has written ends the start. One that is away is waited for by all
/// that need it.
async fn refuse_later_layout(queue: &Queue) -> Result<(), QueueError> {
    match tokio::time::timeout(FIRST_LOOK, queue.life(None)).await {
        Ok(Err(later @ QueueError::NewerLayout { .. })) => Err(later),
        _ => Ok(()),
    }
}

/// The same, once Redis is there, or while it runs: this process stops as if it were told to.
async fn until_refused(watch: LifeWatch, stop: CancellationToken) -> QueueError {
    let later = watch.run().await;
    tracing::error!(error = %later, "stopping");
    stop.cancel();
    later
}

/// What a worker does besides its jobs.
async fn run_beside(context: Arc<Context>, redis: Redis, limits: Limits, stalls: Stalls) {
    tokio::join!(
        probe::run(Arc::clone(&context)),
        incidents::run(&context),
        dead_budget::watch(&context, &redis, limits.dead_letters),
        stalls::watch(&context, &redis, limits.stalls, &stalls),
        context.outbox.requeue_for_ever(),
    );
}

fn stop_signal() -> std::io::Result<CancellationToken> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    tokio::spawn(async move {
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
        tracing::info!("stopping: no new jobs; running ones may finish");
        stopped.cancel();
    });
    Ok(stop)
}

/// Questions that need no worker.
#[cfg(debug_assertions)]
#[expect(clippy::print_stdout, reason = "the answer to a question on the command line")]
fn answered(options: &Options) -> bool {
    if options.list_crash_points {
        for point in crate::crash::CrashPoint::ALL {
            println!("{}", point.name());
        }
    }
    options.list_crash_points
}

#[cfg(not(debug_assertions))]
fn answered(_options: &Options) -> bool {
    false
}
