//! Drains jobs without work with one worker process.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use passerelle_queue::Queue;
use test_support::Fsync;

use crate::server::{Server, quiet_redis};
use crate::{cpu, jobs, table};

const JOBS: u64 = 200_000;
const ROUNDS: usize = 3;

/// Fills a queue, starts one worker process, and measures until the queue is empty.
pub(crate) async fn bench() -> anyhow::Result<()> {
    let mut rows = Vec::new();
    for round in 1..=ROUNDS {
        rows.push(measure(round).await?);
    }
    let headings = [
        "round",
        "jobs",
        "jobs/s",
        "worker CPU ms/1000",
        "redis CPU ms/1000",
        "worker RSS MiB",
    ];
    table::print(
        "Drain: no-op jobs, one worker process, concurrency 64",
        &headings,
        &rows,
    );
    table::note("process start and connection included; expected: at least 50,000 jobs/s");
    Ok(())
}

async fn measure(round: usize) -> anyhow::Result<Vec<String>> {
    let redis = quiet_redis(Fsync::Everysec)?;
    let redis_pid = redis.pid().context("redis has ended")?;
    let queue = jobs::queue(&redis.url())?;
    jobs::fill(&queue, 1..JOBS + 1).await?;
    jobs::forget_ledger(&queue).await?;

    let redis_before = cpu::used(redis_pid)?;
    let began = Instant::now();
    // One job more than there are: the worker stays, so that its CPU time can still be read.
    let worker = Server::noop_worker(&redis, JOBS + 1)?;
    wait_until_empty(&queue).await?;
    let elapsed = began.elapsed();
    let redis_used = cpu::used(redis_pid)?.saturating_sub(redis_before);
    Ok(vec![
        round.to_string(),
        JOBS.to_string(),
        format!("{:.0}", per_second(JOBS, elapsed)),
        format!("{:.1}", cpu::millis_per_thousand(cpu::used(worker.pid())?, JOBS)),
        format!("{:.1}", cpu::millis_per_thousand(redis_used, JOBS)),
        format!("{:.1}", cpu::resident_mib(worker.pid())?),
    ])
}

async fn wait_until_empty(queue: &Queue) -> anyhow::Result<()> {
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    loop {
        ticks.tick().await;
        let stats = queue.stats().await?;
        if stats.active + stats.running == 0 {
            return Ok(());
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn per_second(count: u64, elapsed: Duration) -> f64 {
    count as f64 / elapsed.as_secs_f64()
}
