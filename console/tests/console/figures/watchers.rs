//! What it costs that people watch the overview.

use std::time::{Duration, Instant};

use futures::stream::{self, StreamExt as _};
use passerelle_model::id::TableId;
use passerelle_model::ledger::{LedgerRecord, Verdict};
use passerelle_model::outcome::Outcome;
use tokio::task::JoinHandle;

use super::{cpu, median, say};
use crate::house::{Guest, House};
use crate::lines::changed;

/// How many watch.
const MANY: usize = 50;
/// How long they are watched.
const WATCHED: Duration = Duration::from_secs(20);
/// Jobs of each round, and pairs of rounds: with nobody, and with many.
const JOBS: u64 = 100_000;
const PAIRS: usize = 5;
/// Jobs in a worker's hands at once, and accepts.
const AT_ONCE: usize = 64;
const ACCEPTED_AT_ONCE: usize = 256;

/// People who watch, until they are dropped.
struct Watchers(Vec<JoinHandle<()>>);

impl Drop for Watchers {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

impl Watchers {
    async fn come(guest: &Guest, many: usize) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder().build()?;
        let mut watchers = Self(Vec::new());
        for _ in 0..many {
            let request = http.get(format!("{}/live/overview", guest.base));
            let request = request.header("cookie", guest.cookie());
            let mut answer = request.send().await?.error_for_status()?;
            watchers.0.push(tokio::spawn(
                async move { while let Ok(Some(_)) = answer.chunk().await {} },
            ));
        }
        Ok(watchers)
    }
}

/// The share of a core that the console takes, and its watchers, while nothing else is done.
pub(super) async fn alone(house: &House, guest: &Guest) -> anyhow::Result<()> {
    for many in [0, 1, MANY] {
        let _watchers = Watchers::come(guest, many).await?;
        let (began, before) = (Instant::now(), cpu::used(&pids(house))?);
        tokio::time::sleep(WATCHED).await;
        let used = cpu::used(&pids(house))?.saturating_sub(before);
        let share = used.as_secs_f64() / began.elapsed().as_secs_f64();
        say(&format!(
            "{many} watchers: {:.2} % of a core, Redis included",
            share * 100.0
        ));
    }
    Ok(())
}

/// This process, which is the console, its watchers and the worker, and Redis.
fn pids(house: &House) -> Vec<u32> {
    [std::process::id()].into_iter().chain(house.redis.pid()).collect()
}

/// What a worker drains with nobody and with many who watch, in alternation.
pub(super) async fn beside_work(house: &House, guest: &Guest) -> anyhow::Result<()> {
    let mut rates = [Vec::new(), Vec::new()];
    let mut costs = [Vec::new(), Vec::new()];
    for pair in 0..PAIRS {
        // Who is first has an advantage: it changes.
        for is_watched in [pair % 2 == 1, pair % 2 == 0] {
            let watchers = Watchers::come(guest, if is_watched { MANY } else { 0 }).await?;
            let (rate, cost) = drained(house, rates.concat().len()).await?;
            drop(watchers);
            rates[usize::from(is_watched)].push(rate);
            costs[usize::from(is_watched)].push(cost);
        }
    }
    let ([rate, watched_rate], [cost, watched_cost]) = (rates.map(median), costs.map(median));
    say(&format!(
        "drain: {rate:.0} jobs/s and {cost:.2} CPU ms per 1,000 with nobody, {watched_rate:.0} and {watched_cost:.2} with \
         {MANY} watchers: {:.3} of the jobs/s, {:.3} of the CPU time",
        watched_rate / rate,
        watched_cost / cost
    ));
    Ok(())
}

/// Jobs per second, and milliseconds of processor time per 1,000 jobs.
async fn drained(house: &House, round: usize) -> anyhow::Result<(f64, f64)> {
    accepted(house, round).await?;
    let (began, before) = (Instant::now(), cpu::used(&pids(house))?);
    let worker = house.busy_worker(Verdict::Done(Outcome::NoChange), AT_ONCE);
    let mut looks = tokio::time::interval(Duration::from_millis(20));
    loop {
        looks.tick().await;
        let stats = house.queue.stats().await?;
        if stats.active - stats.held + stats.running == 0 {
            break;
        }
    }
    let (took, used) = (began.elapsed(), cpu::used(&pids(house))?.saturating_sub(before));
    worker.abort();
    while let Some(last) = house.queue.read_ledger(None, 10_000).await?.last() {
        house.queue.trim_ledger(&last.id).await?;
    }
    let jobs = u32::try_from(JOBS)?;
    Ok((
        f64::from(jobs) / took.as_secs_f64(),
        used.as_secs_f64() * 1e6 / f64::from(jobs),
    ))
}

/// Rows of a table that is not held have changed.
async fn accepted(house: &House, round: usize) -> anyhow::Result<()> {
    let mut accepts = stream::iter(1..=JOBS)
        .map(async |number| {
            let LedgerRecord::Accepted(mut event) = changed(1, &format!("drain-{round}-{number}"), number)? else {
                anyhow::bail!("a change is no event");
            };
            event.table = Some(TableId::new(3)?);
            let _durable = house.queue.accept(event).await?;
            Ok(())
        })
        .buffer_unordered(ACCEPTED_AT_ONCE);
    while let Some(accepted) = accepts.next().await {
        accepted?;
    }
    Ok(())
}
