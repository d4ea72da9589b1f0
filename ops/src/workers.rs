//! `workers`: the live workers and their running jobs.

use std::fmt::Write as _;

use passerelle_model::time::Timestamp;
use passerelle_queue::{Running, WorkerInfo};
use serde::Serialize;

use crate::age::in_largest_unit;
use crate::console::Console;
use crate::operator::Operator;
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
    running: Vec<Running>,
}

/// Shows the workers; fails if there is none.
pub async fn run(operator: &Operator, console: &mut Console) -> Result<(), Trouble> {
    let mut orphaned = operator.queue.running().await?;
    let workers = operator.queue.workers().await?.into_iter().map(|info| {
        let (running, others) = std::mem::take(&mut orphaned)
            .into_iter()
            .partition(|job| job.worker == info.name.as_str());
        orphaned = others;
        Worker { info, running }
    });
    let workers = workers.collect();
    let alive = Alive { workers, orphaned };
    console.answer(&alive, |alive| in_words(alive, Timestamp::now()))?;
    if alive.workers.is_empty() {
        let advice = "nothing is being synced. Start passerelle-worker, or read its log";
        return Err(Trouble::Failed(format!("no worker is alive: {advice}")));
    }
    Ok(())
}

fn in_words(alive: &Alive, now: Timestamp) -> String {
    let mut text = format!(
        "{} alive, {} jobs running\n",
        alive.workers.len(),
        alive.workers.iter().map(|worker| worker.running.len()).sum::<usize>()
    );
    for Worker { info, running } in &alive.workers {
        let age = in_largest_unit(now.since(info.started));
        let (host, pid) = (&info.host, info.pid);
        let _ = writeln!(
            text,
            "\n{}\n  on {host}, process {pid}, up {age}, {}",
            info.name,
            load(running.len(), info.concurrency)
        );
        list(&mut text, running, now);
    }
    if !alive.orphaned.is_empty() {
        text.push_str("\nJobs of workers that send no heartbeat (others take them when the leases expire)\n");
        list(&mut text, &alive.orphaned, now);
    }
    text
}

/// A worker takes a few jobs ahead, so that none of its places is ever empty.
fn load(taken: usize, concurrency: usize) -> String {
    let text = format!("{} of at most {concurrency} jobs running", taken.min(concurrency));
    match taken.saturating_sub(concurrency) {
        0 => text,
        next => format!("{text}, {next} taken for next"),
    }
}

fn list(text: &mut String, running: &[Running], now: Timestamp) {
    for job in running {
        let _ = writeln!(
            text,
            "  {:<14} for {}",
            job.job.to_string(),
            in_largest_unit(now.since(job.since))
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_that_wait_in_a_worker_are_not_called_running() {
        assert_eq!(load(3, 16), "3 of at most 16 jobs running");
        assert_eq!(load(28, 16), "16 of at most 16 jobs running, 12 taken for next");
    }
}
