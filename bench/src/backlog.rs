//! What accept, and fetch with settle, cost Redis by the number of waiting jobs.
//!
//! When a table of Redis is full, Redis moves its entries into a table of twice the size, one step
//! with each look-up. Three tables grow with the backlog: all keys (each job has the claim of its
//! event), the keys that expire (the claims too), and the records of the jobs. All three double at
//! about 2^20 accepted jobs. The sample at 1.1 million is within that; those at 1 and 1.4 million
//! are before and after it.

use std::time::Duration;

use anyhow::Context as _;
use passerelle_queue::Queue;
use test_support::{Fsync, TestRedis};

use crate::server::{Server, quiet_redis};
use crate::{cpu, jobs, table};

const SAMPLE: u64 = 10_000;
/// The first is measured twice, because a Redis that has just started is slower.
const BACKLOGS: [u64; 6] = [1_000, 1_000, 100_000, 1_000_000, 1_100_000, 1_400_000];
/// Jobs that are filled in at once, so that their ledger does not fill the memory.
const STEP: u64 = 100_000;

/// The cost in Redis's CPU time of one operation, in microseconds.
struct Cost {
    backlog: u64,
    accept: f64,
    settle: f64,
}

/// Fills the queue up to each backlog, and measures there.
pub(crate) async fn bench() -> anyhow::Result<()> {
    let redis = quiet_redis(Fsync::Everysec)?;
    let mut filler = Filler {
        queue: jobs::queue(&redis.url())?,
        next_row: 1,
        waiting: 0,
    };
    let mut costs = Vec::new();
    for backlog in BACKLOGS {
        costs.push(filler.measure(&redis, backlog).await?);
    }
    print(&costs[1..]);
    Ok(())
}

/// A queue, and how far it is filled.
struct Filler {
    queue: Queue,
    next_row: u64,
    waiting: u64,
}

impl Filler {
    async fn measure(&mut self, redis: &TestRedis, backlog: u64) -> anyhow::Result<Cost> {
        // The measured accepts are the last ones on the way to the backlog, where it is large
        // enough.
        self.fill_to(if backlog > SAMPLE { backlog - SAMPLE } else { backlog })
            .await?;
        let accept = self.accepts(redis).await?;
        let settle = self.settles(redis).await?;
        Ok(Cost {
            backlog,
            accept,
            settle,
        })
    }

    async fn fill_to(&mut self, backlog: u64) -> anyhow::Result<()> {
        while self.waiting < backlog {
            let step = (backlog - self.waiting).min(STEP);
            self.add(step).await?;
            jobs::forget_ledger(&self.queue).await?;
        }
        Ok(())
    }

    async fn add(&mut self, count: u64) -> anyhow::Result<()> {
        jobs::fill(&self.queue, self.next_row..self.next_row + count).await?;
        self.next_row += count;
        self.waiting += count;
        Ok(())
    }

    async fn accepts(&mut self, redis: &TestRedis) -> anyhow::Result<f64> {
        let before = used(redis)?;
        self.add(SAMPLE).await?;
        let cost = micros_each(used(redis)?.saturating_sub(before));
        jobs::forget_ledger(&self.queue).await?;
        Ok(cost)
    }

    async fn settles(&mut self, redis: &TestRedis) -> anyhow::Result<f64> {
        let before = used(redis)?;
        let mut worker = Server::noop_worker(redis, SAMPLE)?;
        let mut ticks = tokio::time::interval(Duration::from_millis(10));
        while !worker.has_ended()? {
            ticks.tick().await;
        }
        let cost = micros_each(used(redis)?.saturating_sub(before));
        self.waiting = self.queue.stats().await?.active;
        jobs::forget_ledger(&self.queue).await?;
        Ok(cost)
    }
}

fn used(redis: &TestRedis) -> anyhow::Result<Duration> {
    cpu::used_by_main_thread(redis.pid().context("redis has ended")?)
}

fn print(costs: &[Cost]) {
    let Some(first) = costs.first() else {
        return;
    };
    let row = |cost: &Cost| {
        vec![
            cost.backlog.to_string(),
            format!("{:.1}", cost.accept),
            format!("{:.2}", cost.accept / first.accept),
            format!("{:.1}", cost.settle),
            format!("{:.2}", cost.settle / first.settle),
        ]
    };
    let headings = [
        "waiting jobs",
        "accept, redis CPU µs",
        "of the first",
        "fetch + settle, redis CPU µs",
        "of the first",
    ];
    let rows: Vec<Vec<String>> = costs.iter().map(row).collect();
    table::print("Cost by backlog", &headings, &rows);
    table::note("expected: flat within 1.2");
}

fn micros_each(used: Duration) -> f64 {
    cpu::millis_per_thousand(used, SAMPLE)
}
