//! `jobs` and `run-now`: what waits, why and until when, job by job; and having one run now.

mod answer;
mod reason;
mod run_now;

use std::collections::BTreeMap;

use clap::Args;
use passerelle_console::why::cause;
use passerelle_console::words::Tongue;
use passerelle_model::id::{JobKey, TableId};
use passerelle_model::ledger::{AttemptRecord, FailureRecord, Verdict};
use passerelle_model::named::{RowName, TableName};
use passerelle_model::time::Timestamp;
use passerelle_queue::{JobState, JobsOf, SeenJob};
use passerelle_store::{Named, Store};
use serde::Serialize;

pub use run_now::{RunNowVerb, run as run_now};

use crate::arguments::QueueArgument;
use crate::console::Console;
use crate::operator::{Freshness, NotRead, Operator};
use crate::rows::{row_key, table_id};
use crate::trouble::Trouble;
pub(crate) use reason::Circumstances;

/// `jobs`.
#[derive(Debug, Args)]
pub struct JobsVerb {
    /// Only the jobs of these rows: projet/42, t2/r42 or 2/42, or the address of a row or of its
    /// page.
    #[arg(value_parser = RowName::parse)]
    pub rows: Vec<RowName>,
    /// Only those of rows of this table: projet, t2 or 2, or its address.
    #[arg(long, value_parser = TableName::parse, conflicts_with = "rows")]
    pub table: Option<TableName>,
    /// Only those in this state; may be given several times.
    #[arg(long, value_enum)]
    pub state: Vec<StateArgument>,
    /// Which queue.
    #[arg(long, value_enum, default_value_t = QueueArgument::Sync)]
    pub queue: QueueArgument,
    /// Go on behind this job: the last one of the page before.
    #[arg(long, value_name = "JOB", value_parser = job_key)]
    pub after: Option<JobKey>,
    /// At most this many.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub limit: u32,
}

/// What a job is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum StateArgument {
    /// In a worker's hands.
    Running,
    /// Ready: it waits for a worker.
    Queued,
    /// It failed, and waits for its next attempt.
    Scheduled,
    /// It waits through no fault of its own: for an outage to end, after a crash of its worker, or
    /// for the rule of its table to be mended.
    Held,
}

/// The answer.
#[derive(Debug, Serialize)]
struct Listed {
    queue: &'static str,
    /// Of all that were asked for, by state.
    counts: BTreeMap<JobState, u64>,
    jobs: Vec<Line>,
    /// What `--after` takes for the next page.
    next: Option<JobKey>,
    /// Whether the last failures are those of this moment; absent where they could not be read.
    #[serde(flatten)]
    freshness: Option<Freshness>,
    not_read: NotRead,
}

/// A job of the answer.
#[derive(Debug, Serialize)]
struct Line {
    job: JobKey,
    /// The name of its table, where the bridge knows it.
    table: Option<String>,
    state: JobState,
    /// Why it is in this state.
    why: String,
    since: Timestamp,
    /// When it is due, or its table is tried again.
    until: Option<Timestamp>,
    /// Failed attempts that count.
    attempts: u32,
    /// How often in a row its worker vanished.
    crashes: u32,
    /// Who runs it.
    worker: Option<String>,
    last_failure: Option<LastFailure>,
}

#[derive(Debug, Serialize)]
struct LastFailure {
    at: Timestamp,
    /// In words.
    cause: String,
    #[serde(flatten)]
    failure: FailureRecord,
}

/// What the ledger adds.
struct Known {
    freshness: Freshness,
    tables: BTreeMap<TableId, String>,
    failures: BTreeMap<JobKey, LastFailure>,
}

/// Lists jobs; without the ledger it shows what Redis knows, and fails.
pub async fn run(operator: &Operator, verb: JobsVerb, console: &mut Console) -> Result<(), Trouble> {
    let queue = operator.queue_of(verb.queue.into());
    let of = of(operator, &verb.rows, verb.table.as_ref()).await?;
    let states: Vec<JobState> = verb.state.iter().flat_map(|state| state.states()).copied().collect();
    let most = usize::try_from(verb.limit).unwrap_or(usize::MAX);
    let found = queue.jobs(&of, &states, verb.after.as_ref(), most).await?;
    let circumstances = Circumstances::look(operator, verb.queue.into(), &found.jobs).await?;
    let mut not_read = NotRead::default();
    let mut known = not_read.noting("the ledger", known(operator, &found.jobs).await);
    let next = found.jobs.last().filter(|_| found.has_more);
    let listed = Listed {
        queue: queue.name().as_str(),
        counts: found.counts,
        next: next.map(|seen| seen.job.key.clone()),
        jobs: found
            .jobs
            .into_iter()
            .map(|seen| line(seen, &circumstances, known.as_mut()))
            .collect(),
        freshness: known.map(|known| known.freshness),
        not_read,
    };
    console.answer(&listed, |listed| answer::in_words(listed, Timestamp::now()))?;
    listed.not_read.verdict()
}

/// Which jobs are meant.
async fn of(operator: &Operator, rows: &[RowName], table: Option<&TableName>) -> Result<JobsOf, Trouble> {
    if let Some(table) = table {
        return Ok(JobsOf::Table(table_id(table, operator).await?));
    }
    if rows.is_empty() {
        return Ok(JobsOf::Queue);
    }
    let mut jobs = Vec::with_capacity(rows.len());
    for row in rows {
        jobs.push(JobKey::Row(row_key(row, operator).await?));
    }
    Ok(JobsOf::Jobs(jobs))
}

async fn known(operator: &Operator, jobs: &[SeenJob]) -> Result<Known, Trouble> {
    let store = operator.store().await?;
    let freshness = operator.catch_up(store).await;
    let tables = store.meanings(Named::Table).await?.into_iter();
    let mut failures = BTreeMap::new();
    for SeenJob { job, .. } in jobs {
        failures.extend(last_failure(store, &job.key).await?.map(|last| (job.key.clone(), last)));
    }
    Ok(Known {
        freshness,
        tables: tables.filter_map(|(name, id)| Some((id.parse().ok()?, name))).collect(),
        failures,
    })
}

async fn last_failure(store: &Store, job: &JobKey) -> Result<Option<LastFailure>, Trouble> {
    let Some(AttemptRecord { verdict, ended, .. }) = store.last_attempt(job).await? else {
        return Ok(None);
    };
    Ok(match verdict {
        Verdict::Retry { failure, .. } | Verdict::Hold { failure, .. } => Some(LastFailure {
            at: ended,
            cause: cause(&failure, Tongue::English),
            failure,
        }),
        // It was about an earlier change of the row.
        Verdict::Done(_) | Verdict::Bury { .. } | Verdict::GiveBack => None,
    })
}

fn line(seen: SeenJob, circumstances: &Circumstances, known: Option<&mut Known>) -> Line {
    let why = circumstances.reason(&seen);
    let key = seen.job.key;
    let (table, last_failure) = known.map_or((None, None), |known| {
        let table = key.row().and_then(|row| known.tables.get(&row.table).cloned());
        (table, known.failures.remove(&key))
    });
    Line {
        job: key,
        table,
        state: seen.state,
        why,
        since: seen.since,
        until: seen.until,
        attempts: seen.job.attempts,
        crashes: seen.job.crashes,
        worker: seen.worker,
        last_failure,
    }
}

impl StateArgument {
    fn states(self) -> &'static [JobState] {
        match self {
            Self::Running => &[JobState::Running],
            Self::Queued => &[JobState::Queued],
            Self::Scheduled => &[JobState::Scheduled],
            Self::Held => &[JobState::Held, JobState::TableHeld],
        }
    }
}

fn job_key(text: &str) -> Result<JobKey, String> {
    JobKey::parse(text).map_err(|error| error.to_string())
}
