//! `run-now`: a job that waits for its time runs now. The ledger keeps who and why.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use clap::{ArgGroup, Args};
use passerelle_model::id::JobKey;
use passerelle_model::named::{RowName, TableName};
use passerelle_queue::{JobState, JobsOf, QueueName, RunNow, SeenJob};
use serde::Serialize;

use super::of;
use super::reason::Circumstances;
use crate::arguments::By;
use crate::console::Console;
use crate::operator::Operator;
use crate::trace::parked_in_words;
use crate::trouble::Trouble;

/// Jobs per walk over the queue.
const PAGE: usize = 10_000;
/// Jobs that are named in words.
const NAMED: usize = 20;

/// `run-now`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("waiting").args(["held", "scheduled"]).multiple(true))]
pub struct RunNowVerb {
    /// The rows: projet/42, t2/r42 or 2/42, or the address of a row or of its page.
    #[arg(value_parser = RowName::parse, required_unless_present = "table")]
    pub rows: Vec<RowName>,
    /// Instead: jobs of this table that wait for their time, with --held, --scheduled or both.
    #[arg(long, value_parser = TableName::parse, conflicts_with = "rows", requires = "waiting")]
    pub table: Option<TableName>,
    /// Those that wait through no fault of their own.
    #[arg(long, requires = "table")]
    pub held: bool,
    /// Those that failed, and wait for their next attempt.
    #[arg(long, requires = "table")]
    pub scheduled: bool,
    /// Show what it would do, and do nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Why; kept in the ledger.
    #[arg(long)]
    pub why: String,
    /// Who acts.
    #[command(flatten)]
    pub by: By,
}

/// The answer.
#[derive(Debug, Serialize)]
struct Ran {
    dry_run: bool,
    jobs: Vec<Became>,
    /// Why they may wait all the same.
    notes: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Became {
    job: JobKey,
    /// What became of it; with `--dry-run`: what would.
    became: RunNow,
}

/// Who acts, and why.
struct Act<'a> {
    by: &'a str,
    why: &'a str,
    dry_run: bool,
}

/// Makes the jobs ready; fails if one could not be.
pub async fn run(operator: &Operator, verb: RunNowVerb, console: &mut Console) -> Result<(), Trouble> {
    let (by, why) = (operator.acting_unless(verb.dry_run, verb.by)?, verb.why.trim());
    if why.is_empty() {
        return Err(Trouble::Usage(
            "give a reason with --why: the ledger keeps it".to_owned(),
        ));
    }
    let act = Act {
        by: &by,
        why,
        dry_run: verb.dry_run,
    };
    let of = of(operator, &verb.rows, verb.table.as_ref()).await?;
    let jobs = match &of {
        JobsOf::Jobs(jobs) => act.on(operator, jobs).await?,
        of => {
            let states = [(verb.held, JobState::Held), (verb.scheduled, JobState::Scheduled)];
            let states = states
                .into_iter()
                .filter_map(|(is_meant, state)| is_meant.then_some(state));
            act.on_all(operator, of, &states.collect::<Vec<_>>()).await?
        }
    };
    let ran = Ran {
        dry_run: verb.dry_run,
        notes: notes(operator, &jobs).await?,
        jobs,
    };
    console.answer(&ran, in_words)?;
    let refused = ran.jobs.iter().filter(|job| job.is_refused()).count();
    match refused {
        0 => Ok(()),
        refused => Err(Trouble::found(
            "refused",
            format!("{refused} of {} jobs cannot run now", ran.jobs.len()),
            "nothing was changed of them, and the answer says why",
        )),
    }
}

impl Act<'_> {
    /// On all jobs in these states.
    async fn on_all(&self, operator: &Operator, of: &JobsOf, states: &[JobState]) -> Result<Vec<Became>, Trouble> {
        let (mut became, mut after) = (Vec::new(), None);
        loop {
            let page = operator.queue.jobs(of, states, after.as_ref(), PAGE).await?;
            let jobs: Vec<JobKey> = page.jobs.into_iter().map(|seen| seen.job.key).collect();
            became.extend(self.on(operator, &jobs).await?);
            if !page.has_more {
                return Ok(became);
            }
            after = jobs.last().cloned();
        }
    }

    async fn on(&self, operator: &Operator, jobs: &[JobKey]) -> Result<Vec<Became>, Trouble> {
        if !self.dry_run {
            let became = operator.queue.run_now(jobs, self.by, self.why).await?;
            let pairs = jobs.iter().cloned().zip(became);
            return Ok(pairs.map(|(job, became)| Became { job, became }).collect());
        }
        let of = JobsOf::Jobs(jobs.to_vec());
        let found = operator.queue.jobs(&of, &[], None, jobs.len()).await?.jobs;
        let found: BTreeMap<&JobKey, &SeenJob> = found.iter().map(|seen| (&seen.job.key, seen)).collect();
        let would = |job: &JobKey| {
            let Some(seen) = found.get(job) else {
                return RunNow::Gone;
            };
            match seen.state {
                JobState::Running => RunNow::Running,
                _ if seen.table_trouble.is_some() => RunNow::TableHeld,
                JobState::Queued => RunNow::WasReady,
                JobState::TableHeld => RunNow::TableHeld,
                JobState::Scheduled | JobState::Held => RunNow::Ready,
            }
        };
        let became = |job: &JobKey| Became {
            job: job.clone(),
            became: would(job),
        };
        Ok(jobs.iter().map(became).collect())
    }
}

impl Became {
    fn is_refused(&self) -> bool {
        !matches!(self.became, RunNow::Ready | RunNow::WasReady)
    }
}

/// Why the jobs may wait all the same.
async fn notes(operator: &Operator, jobs: &[Became]) -> Result<Vec<String>, Trouble> {
    let circumstances = Circumstances::look(operator, QueueName::Sync, &[]).await?;
    let standstill = circumstances.standstill;
    let mut notes: Vec<String> = standstill
        .map(|why| format!("They wait all the same: {why}."))
        .into_iter()
        .collect();
    for row in jobs.iter().take(NAMED).filter_map(|job| job.job.row()) {
        notes.extend(operator.loops.parked(row).await?.as_ref().map(parked_in_words));
    }
    if jobs.iter().any(|job| job.became == RunNow::TableHeld) {
        for held in operator.queue.held_tables().await? {
            let (table, why, next) = (held.table, held.why, held.next_probe);
            notes.push(format!(
                "{table}: its rule is broken ({why}). Mend it; the next probe is at {next}."
            ));
        }
    }
    Ok(notes)
}

fn in_words(ran: &Ran) -> String {
    let mut text = String::new();
    let ready = ran.jobs.iter().filter(|job| job.became == RunNow::Ready).count();
    if ran.jobs.is_empty() {
        text.push_str("No job of the table waits so.\n");
    } else if ran.dry_run {
        let _ = writeln!(text, "{ready} jobs would run now; nothing was changed.");
    } else {
        let _ = writeln!(text, "{ready} jobs are ready now: the next free workers take them.");
    }
    for Became { job, became } in ran.jobs.iter().filter(|job| job.became != RunNow::Ready).take(NAMED) {
        let _ = match became {
            RunNow::WasReady | RunNow::Ready => writeln!(text, "{job} was ready before."),
            RunNow::Running => writeln!(text, "{job} runs at this moment."),
            RunNow::TableHeld => writeln!(text, "{job} waits for the rule of its table to be mended."),
            RunNow::Gone => writeln!(text, "{job} has no job. To request one: passerelle sync {job}"),
        };
    }
    for note in &ran.notes {
        let _ = writeln!(text, "{note}");
    }
    text
}
