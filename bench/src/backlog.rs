//! What accept, and fetch with settle, cost Redis by how many jobs are waiting.
//!
//! When a table of Redis is full, its entries are moved into one of twice the size, a step with each look-up. Three tables grow with the backlog:
//! that of all keys (each job has the claim of its event), that of the keys that expire (the claims too), and the records of the jobs. All three
//! double when about 2^20 jobs have been accepted: the sample at 1.1 million falls into that, those at 1 and 1.4 million are before and after it.

use std::time::Duration;

use anyhow::Context as _;

use crate::server::{Server, quiet_redis};
use crate::{cpu, jobs, table};

/// Operations per measurement.
const SAMPLE: u64 = 10_000;
/// The first is measured twice: a Redis that has just started is slower.
const BACKLOGS: [u64; 6] = [1_000, 1_000, 100_000, 1_000_000, 1_100_000, 1_400_000];

/// Fills up step by step and measures at each step.
pub(crate) async fn bench() -> anyhow::Result<()> {
    let redis = quiet_redis()?;
    let redis_pid = redis.pid().context("redis has ended")?;
    let queue = jobs::queue(&redis.url())?;
    let mut next_row = 1;
    let mut waiting = 0;
    let mut costs: Vec<(u64, f64, f64)> = Vec::new();
    for backlog in BACKLOGS {
        // The measured accepts are the last ones on the way to the backlog, where it is large enough.
        let before_sample = if backlog > SAMPLE { backlog - SAMPLE } else { backlog };
        while waiting < before_sample {
            // In steps, so that the ledger of the filling does not fill the memory.
            let step = (before_sample - waiting).min(100_000);
            jobs::fill(&queue, next_row..next_row + step).await?;
            jobs::forget_ledger(&queue).await?;
            next_row += step;
            waiting += step;
        }
        let before = cpu::used_by_main_thread(redis_pid)?;
        jobs::fill(&queue, next_row..next_row + SAMPLE).await?;
        let accept = micros_each(cpu::used_by_main_thread(redis_pid)?.saturating_sub(before));
        next_row += SAMPLE;
        jobs::forget_ledger(&queue).await?;

        let before = cpu::used_by_main_thread(redis_pid)?;
        let mut worker = Server::noop_worker(&redis, SAMPLE)?;
        let mut ticks = tokio::time::interval(Duration::from_millis(10));
        while !worker.has_ended()? {
            ticks.tick().await;
        }
        let settle = micros_each(cpu::used_by_main_thread(redis_pid)?.saturating_sub(before));
        waiting = queue.stats().await?.active;
        jobs::forget_ledger(&queue).await?;
        costs.push((backlog, accept, settle));
    }
    print(&costs[1..]);
    Ok(())
}

fn print(costs: &[(u64, f64, f64)]) {
    let Some(&(_, first_accept, first_settle)) = costs.first() else {
        return;
    };
    let rows: Vec<Vec<String>> = costs
        .iter()
        .map(|(backlog, accept, settle)| {
            vec![
                backlog.to_string(),
                format!("{accept:.1}"),
                format!("{:.2}", accept / first_accept),
                format!("{settle:.1}"),
                format!("{:.2}", settle / first_settle),
            ]
        })
        .collect();
    let heads = [
        "waiting jobs",
        "accept, redis CPU µs",
        "of the first",
        "fetch + settle, redis CPU µs",
        "of the first",
    ];
    table::print("Cost by backlog", &heads, &rows);
    table::note("expected: flat within 1.2");
}

fn micros_each(used: Duration) -> f64 {
    cpu::millis_per_thousand(used, SAMPLE)
}
