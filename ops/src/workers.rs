//! `workers`: the live workers and their running jobs.

use std::fmt::Write as _;

use passerelle_model::time::Timestamp;
use passerelle_queue::{RulesInUse, Running, WorkerInfo};
use serde::Serialize;

use crate::age::in_largest_unit;
use crate::console::Console;
use crate::operator::Operator;
use crate::text::{Table, Text};
use crate::trouble::Trouble;

#[derive(Debug, Serialize)]
struct Alive {
    workers: Vec<Worker>,
    /// Jobs of workers that send no heartbeat: others take them when their leases expire.
    orphaned: Vec<Running>,
}

#[derive(Debug, Serialize)]
struct Worker {
    #[serde(flatten)]
    info: WorkerInfo,
    /// Under way: no more than it has places.
    running: Vec<Running>,
    /// Taken from the queue, and waiting in the worker for a place.
    claimed: Vec<Running>,
}

/// Shows the workers; fails if there is none.
pub async fn run(operator: &Operator, console: &mut Console) -> Result<(), Trouble> {
    let mut orphaned = operator.queue.running().await?;
    let workers = operator.queue.workers().await?.into_iter().map(|info| {
        let (taken, others) = std::mem::take(&mut orphaned)
            .into_iter()
            .partition(|job| job.worker == info.name.as_str());
        orphaned = others;
        Worker::new(info, taken)
    });
    let workers = workers.collect();
    let alive = Alive { workers, orphaned };
    console.answer(&alive, |alive| in_words(alive, Timestamp::now()))?;
    if alive.workers.is_empty() {
        let cure = "nothing is being synced. Start passerelle-worker, or read its log";
        return Err(Trouble::found("no_worker", "no worker is alive", cure));
    }
    Ok(())
}

impl Worker {
    /// A worker takes a few jobs ahead, so that none of its places is ever empty. It begins them in
    /// the order in which it took them.
    fn new(info: WorkerInfo, mut taken: Vec<Running>) -> Self {
        taken.sort_by_key(|job| job.since);
        let claimed = taken.split_off(taken.len().min(info.concurrency));
        Self {
            info,
            running: taken,
            claimed,
        }
    }
}

fn in_words(alive: &Alive, now: Timestamp) -> Text {
    let sum = |jobs: fn(&Worker) -> usize| alive.workers.iter().map(jobs).sum::<usize>();
    let (running, claimed) = (sum(|worker| worker.running.len()), sum(|worker| worker.claimed.len()));
    let mut text = Text::from(format!(
        "{} alive, {running} jobs running, {claimed} claimed for next\n",
        alive.workers.len()
    ));
    for Worker { info, running, claimed } in &alive.workers {
        let age = in_largest_unit(now.since(info.started));
        let (host, pid) = (&info.host, info.pid);
        let _ = writeln!(
            text,
            "\n{}\n  on {host}, process {pid}, up {age}, {} of at most {} jobs running, {} claimed for next",
            info.name,
            running.len(),
            info.concurrency,
            claimed.len()
        );
        if let Some(rules) = &info.rules {
            let _ = writeln!(text, "  {}", of_rules(rules, now));
        }
        let mut jobs = Table::plain(2);
        list(&mut jobs, "running", running, now);
        list(&mut jobs, "claimed", claimed, now);
        text.table(jobs);
    }
    if !alive.orphaned.is_empty() {
        let _ = writeln!(
            text,
            "\nJobs of workers that send no heartbeat (others take them when the leases expire)"
        );
        let mut jobs = Table::plain(2);
        list(&mut jobs, "orphaned", &alive.orphaned, now);
        text.table(jobs);
    }
    text
}

fn of_rules(rules: &RulesInUse, now: Timestamp) -> String {
    let text = format!(
        "rules {}, for {}",
        RulesInUse::short(&rules.hash),
        in_largest_unit(now.since(rules.since))
    );
    match &rules.refused {
        Some(why) => format!("{text}; later ones are wrong and were not taken: {why}"),
        None => text,
    }
}

fn list(table: &mut Table, state: &str, jobs: &[Running], now: Timestamp) {
    for job in jobs {
        let age = in_largest_unit(now.since(job.since));
        table.row([job.job.to_string().into(), state.into(), format!("for {age}").into()]);
    }
}

#[cfg(test)]
mod tests {
    use passerelle_model::id::{JobKey, ProcessName};

    use super::*;

    #[test]
    fn jobs_that_wait_in_a_worker_are_claimed_and_not_running() {
        let info = WorkerInfo::of_this_process(ProcessName::parse("worker-1").unwrap(), 2);
        let taken = |number: i64| Running {
            job: JobKey::parse(&format!("t2/r{number}")).unwrap(),
            worker: "worker-1".to_owned(),
            since: Timestamp::from_millis(number),
        };
        let worker = Worker::new(info, vec![taken(3), taken(1), taken(2)]);
        assert_eq!(worker.running, [taken(1), taken(2)]);
        assert_eq!(worker.claimed, [taken(3)]);
    }
}
