//! From the accepted event to the start of its job, by an idle worker.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::sync::mpsc::unbounded_channel;

use crate::server::quiet_redis;
use crate::{cpu, jobs, table};

const EVENTS: u64 = 300;
const EVERY: Duration = Duration::from_millis(30);

/// One event every 30 ms; the worker has nothing else to do.
pub(crate) async fn bench() -> anyhow::Result<()> {
    let redis = quiet_redis()?;
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
    let idle = idle_cost().await?;
    let at = |share: usize| format!("{:.2}", waits[(waits.len() - 1) * share / 100].as_secs_f64() * 1e3);
    let heads = [
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
        format!("{:.1}", idle.0),
        format!("{:.1}", idle.1),
    ];
    table::print(
        "Pick-up: answer of accept → start of the job, idle worker",
        &heads,
        &[row],
    );
    table::note("expected: p99 at most 3 ms");
    Ok(())
}

/// CPU milliseconds per second of a worker without jobs, and of its Redis.
async fn idle_cost() -> anyhow::Result<(f64, f64)> {
    const LOOK: Duration = Duration::from_secs(5);
    let redis = quiet_redis()?;
    let worker = crate::server::Server::noop_worker(&redis, 1)?;
    let redis_pid = redis.pid().context("redis has ended")?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (worker_before, redis_before) = (cpu::used(worker.pid())?, cpu::used(redis_pid)?);
    tokio::time::sleep(LOOK).await;
    let per_second = |used: Duration| used.as_secs_f64() * 1e3 / LOOK.as_secs_f64();
    Ok((
        per_second(cpu::used(worker.pid())?.saturating_sub(worker_before)),
        per_second(cpu::used(redis_pid)?.saturating_sub(redis_before)),
    ))
}
