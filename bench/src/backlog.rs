//! What accept, and fetch with settle, cost Redis when 1 thousand, 100 thousand, 1 million and 1.3 million jobs are waiting.
//!
//! When the number of its keys has doubled, Redis moves its table of keys into a larger one, a step with each look-up. A job and the claim of its
//! event are two keys, so the sample at 1 million falls into the doubling at 2^21 keys, and that at 1.3 million shows the cost when it is over.

use std::time::Duration;

use anyhow::Context as _;

use crate::server::{Server, quiet_redis};
use crate::{cpu, jobs, table};

/// Operations per measurement.
const SAMPLE: u64 = 50_000;
const BACKLOGS: [u64; 4] = [1_000, 100_000, 1_000_000, 1_300_000];

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
        let before = cpu::used(redis_pid)?;
        jobs::fill(&queue, next_row..next_row + SAMPLE).await?;
        let accept = micros_each(cpu::used(redis_pid)?.saturating_sub(before));
        next_row += SAMPLE;
        jobs::forget_ledger(&queue).await?;

        let before = cpu::used(redis_pid)?;
        let mut worker = Server::noop_worker(&redis, SAMPLE)?;
        let mut ticks = tokio::time::interval(Duration::from_millis(10));
        while !worker.has_ended()? {
            ticks.tick().await;
        }
        let settle = micros_each(cpu::used(redis_pid)?.saturating_sub(before));
        waiting = queue.stats().await?.active;
        jobs::forget_ledger(&queue).await?;
        costs.push((backlog, accept, settle));
    }
    print(&costs);
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
