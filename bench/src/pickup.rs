//! The time from the answer of accept to the start of the job, by an idle worker.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use test_support::Fsync;
use tokio::sync::mpsc::unbounded_channel;

use crate::server::{Server, quiet_redis};
use crate::{cpu, jobs, table};

const EVENTS: u64 = 300;
/// The pause between two events: the worker has nothing else to do.
const EVERY: Duration = Duration::from_millis(30);

/// Measures the waits, and what an idle worker costs.
pub(crate) async fn bench() -> anyhow::Result<()> {
    let waits = waits().await?;
    let idle = idle_cost().await?;
    let at = |share: usize| format!("{:.2}", waits[(waits.len() - 1) * share / 100].as_secs_f64() * 1e3);
    let headings = [
        "events",
        "p50 ms",
        "p99 ms",
        "max ms",
        "idle worker CPU ms/s",
        "its redis CPU ms/s",
    ];
    let row = vec![
        EVENTS.to_string(),
        at(50),
        at(99),
        at(100),
        format!("{:.1}", idle.worker),
        format!("{:.1}", idle.redis),
    ];
    let title = "Pick-up: answer of accept → start of the job, idle worker";
    table::print(title, &headings, &[row]);
    table::note("expected: p99 at most 3 ms");
    Ok(())
}

/// The waits of all events, sorted.
async fn waits() -> anyhow::Result<Vec<Duration>> {
    let redis = quiet_redis(Fsync::Everysec)?;
    let queue = jobs::queue(&redis.url())?;
    let (started, mut starts) = unbounded_channel();
    let worker_queue = jobs::queue(&redis.url())?;
    let worker = tokio::spawn(async move { jobs::work(&worker_queue, EVENTS + 1, started).await });
    jobs::accept(&queue, EVENTS + 1).await?;
    starts.recv().await.context("the worker ended")?;

    let mut ticks = tokio::time::interval(EVERY);
    let mut waits = Vec::new();
    for row in 1..=EVENTS {
        ticks.tick().await;
        jobs::accept(&queue, row).await?;
        let answered = Instant::now();
        let start = starts.recv().await.context("the worker ended")?;
        waits.push(start.saturating_duration_since(answered));
    }
    worker.await??;
    waits.sort_unstable();
    Ok(waits)
}

/// CPU milliseconds per second.
struct Idle {
    worker: f64,
    redis: f64,
}

/// The cost of a worker without jobs, and of its Redis.
async fn idle_cost() -> anyhow::Result<Idle> {
    const LOOK: Duration = Duration::from_secs(5);
    let redis = quiet_redis(Fsync::Everysec)?;
    let worker = Server::noop_worker(&redis, 1)?;
    let redis_pid = redis.pid().context("redis has ended")?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (worker_before, redis_before) = (cpu::used(worker.pid())?, cpu::used(redis_pid)?);
    tokio::time::sleep(LOOK).await;
    let per_second = |used: Duration| used.as_secs_f64() * 1e3 / LOOK.as_secs_f64();
    Ok(Idle {
        worker: per_second(cpu::used(worker.pid())?.saturating_sub(worker_before)),
        redis: per_second(cpu::used(redis_pid)?.saturating_sub(redis_before)),
    })
}
