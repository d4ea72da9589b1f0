//! `reconcile`: finds rows that differ from their pages, and requests a sync of each. An
//! interrupted run is resumed by the next one of the same scope: Redis keeps its checkpoint for a
//! day.

mod answer;
mod said;
mod served;
mod turn;

use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use passerelle_model::id::ProcessName;
use passerelle_model::named::TableName;
use passerelle_queue::schedule::{Schedule, Trail};
use passerelle_worker::maintenance::reconcile::{Checkpoint, Finding, Look, Requests, Resume, Scope, Walk};
use passerelle_worker::settings::Settings;
use passerelle_worker::{context, start};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::arguments::By;
use crate::changes::{RowChanges, compare};
use crate::console::Console;
use crate::operator::Operator;
use crate::rows::table_id;
use crate::trouble::Trouble;
use said::{Said, Tell};
pub(crate) use served::serve;

/// How long an interrupted run can be resumed.
const KEPT: Duration = Duration::from_hours(24);
/// `reconcile`. Needs the settings of a worker.
#[derive(Debug, Args)]
pub struct Reconcile {
    /// Only this table: projet, t2 or 2, or its address.
    #[arg(long, value_parser = TableName::parse)]
    pub table: Option<TableName>,
    /// Only rows that have no page or do not name it. Nothing is rendered.
    #[arg(long)]
    pub unmapped: bool,
    /// Show which syncs would be requested and why, and do nothing. Ignores the progress of earlier
    /// runs.
    #[arg(long)]
    pub dry_run: bool,
    /// Where to begin, and whether dead letters count.
    #[command(flatten)]
    pub reach: Reach,
    /// Why; kept in the ledger with the events.
    #[arg(long)]
    pub why: Option<String>,
    /// The most syncs to request per second.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub rate: u32,
    /// Who acts.
    #[command(flatten)]
    pub by: By,
}

/// How far a reconciliation reaches.
#[derive(Debug, Clone, Copy, Args)]
pub struct Reach {
    /// Start over. By default, a run interrupted within the last day is resumed. Use this after a
    /// change of the rules.
    #[arg(long)]
    pub from_start: bool,
    /// Also rows with a dead letter of the last day.
    #[arg(long)]
    pub with_dead: bool,
}

/// The answer.
#[derive(Debug, Default, Serialize)]
struct Reconciled {
    dry_run: bool,
    /// What an earlier run had finished, in words; `null` if this one started over.
    goes_on_after: Option<String>,
    /// Rows with a dead letter were included.
    with_dead: bool,
    /// Rows that this run compared.
    rows: u64,
    /// Syncs that were requested.
    asked: usize,
    /// Tables that a rule names and the token cannot see.
    missing_tables: Vec<String>,
    findings: Vec<Finding>,
    /// In a dry run: what the first syncs would change of their pages.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    changes: Vec<RowChanges>,
    /// Why the wiki itself could not be read, if so.
    wiki_unread: Option<String>,
    /// Stopped by Ctrl-C before the end.
    stopped: bool,
}

/// Runs it.
pub async fn run(operator: &Operator, verb: Reconcile, console: &mut Console) -> Result<(), Trouble> {
    let by = operator.acting_unless(verb.dry_run, verb.by.clone())?;
    let (bar, stop) = (progress(), console.stop.clone());
    let mut tell = |said: Said<'_>| match said {
        Said::Note(line) => console.note(line),
        Said::Looked(look) => {
            bar.set_prefix(look.table.name.clone());
            bar.set_length(look.of);
            bar.set_position(look.rows);
        }
        Said::Asked(all) => bar.set_message(format!("{all} syncs requested")),
    };
    let result = carry_out(operator, &verb, &by, &mut tell, &stop).await;
    bar.finish_and_clear();
    let mut answer = result?;
    if verb.dry_run {
        let mendable = answer.findings.iter().filter(|finding| finding.can_be_mended());
        answer.changes = compare(operator, mendable.map(|finding| finding.row)).await;
    }
    finish(&answer, console)
}

/// Compares all rows, and requests the syncs, until it is told to stop.
async fn carry_out(
    operator: &Operator,
    verb: &Reconcile,
    by: &str,
    tell: &mut Tell<'_>,
    stop: &CancellationToken,
) -> Result<Reconciled, Trouble> {
    let settings = Settings::read(operator.settings())?;
    let worker = start::context(settings, operator.redis.clone(), operator.store().await?.clone())
        .map_err(|error| Trouble::Failed(error.to_string()))?;
    let schedule = Schedule::new(operator.redis.clone(), ProcessName::unique("operator"));
    let memo = if verb.dry_run {
        String::new()
    } else {
        turn::take(&schedule).await?
    };
    let mut run = Run {
        worker: &worker,
        tell,
        position: 0,
        finished: 0,
        answer: Reconciled {
            dry_run: verb.dry_run,
            with_dead: verb.reach.with_dead,
            ..Reconciled::default()
        },
    };
    let result = tokio::select! {
        result = run.all(verb, by, operator) => result,
        () = stop.cancelled() => { run.answer.stopped = true; Ok(()) }
        () = worker.gates.report_for_ever() => Ok(()),
        lost = turn::hold(&schedule, &memo), if !verb.dry_run => Err(lost),
    };
    if !verb.dry_run {
        turn::release(&schedule, &memo).await?;
    }
    result.map_err(|trouble| run.explain(&trouble))?;
    Ok(run.answer)
}

async fn scope(operator: &Operator, table: Option<&TableName>, unmapped: bool) -> Result<Scope, Trouble> {
    let table = match table {
        Some(table) => Some(table_id(table, operator).await?),
        None => None,
    };
    Ok(Scope { table, unmapped })
}

/// Where a run of this scope keeps its checkpoint.
fn trail(operator: &Operator, scope: Scope) -> Trail {
    let table = scope
        .table
        .map_or_else(|| "all".to_owned(), |table| format!("t{table}"));
    let unmapped = if scope.unmapped { ":unmapped" } else { "" };
    Trail::new(operator.redis.clone(), &format!("reconcile:{table}{unmapped}"), KEPT)
}

struct Run<'a, 't> {
    worker: &'a context::Context,
    tell: &'a mut Tell<'t>,
    /// Rows of the present table that are done, by an earlier run or this one.
    position: u64,
    /// Tables that an earlier run has finished.
    finished: usize,
    answer: Reconciled,
}

impl<'a> Run<'a, '_> {
    async fn all(&mut self, verb: &Reconcile, by: &str, operator: &Operator) -> Result<(), Trouble> {
        let scope = scope(operator, verb.table.as_ref(), verb.unmapped).await?;
        let trail = (!verb.dry_run).then(|| trail(operator, scope));
        let mut walk = self.begin(scope, trail.as_ref(), verb.reach.from_start).await?;
        self.answer.missing_tables = walk.missing().to_vec();
        if walk.tables() == 0 {
            let what = "no rule in bridge.toml makes pages of this table's rows";
            return Err(Trouble::NotFound(what.to_owned()));
        }
        let run = ProcessName::unique("run");
        let requests = Requests::new(self.worker.queue.clone(), run.as_str(), by, verb.rate);
        let mut requests = requests.because(verb.why.as_deref()).with_dead(verb.reach.with_dead);
        while let Some(look) = walk.step().await.map_err(|failure| failed(&failure))? {
            self.show(&look);
            self.answer.findings.extend(look.findings.iter().cloned());
            let Some(trail) = &trail else { continue };
            let (answer, tell) = (&mut self.answer, &mut *self.tell);
            let asking = requests.ask(&look.findings, |some| {
                answer.asked += some;
                tell(Said::Asked(answer.asked));
            });
            asking.await?;
            // Only now is the step done: a resumed run repeats it otherwise.
            keep(trail, &look.checkpoint).await?;
        }
        self.answer.wiki_unread = walk.wiki_trouble().map(str::to_owned);
        if let Some(trail) = &trail {
            trail.forget().await?;
        }
        Ok(())
    }

    /// Resumes an interrupted run, or starts over.
    async fn begin(&mut self, scope: Scope, trail: Option<&Trail>, from_start: bool) -> Result<Walk<'a>, Trouble> {
        let resume = match trail.filter(|_| !from_start) {
            Some(trail) => Resume::of(trail.read().await?.iter().map(String::as_str)),
            None => Resume::default(),
        };
        let walk = begin(self.worker, scope, &resume).await?;
        if let Some(before) = walk.goes_on_after().filter(|_| walk.tables() > 0) {
            self.finished = before.0;
            let before = finished(before.0, before.1).unwrap_or_default();
            (self.tell)(Said::Note(&format!(
                "Resumes after {before}. To start over: --from-start"
            )));
            self.position = resume
                .table
                .map_or(0, |table| u64::try_from(table.seen.len()).unwrap_or_default());
            self.answer.goes_on_after = Some(before);
            return Ok(walk);
        }
        if let Some(trail) = trail {
            trail.forget().await?;
        }
        if resume.is_nothing() {
            return Ok(walk);
        }
        // Only the very end of the earlier run was missing.
        begin(self.worker, scope, &Resume::default()).await
    }

    fn show(&mut self, look: &Look) {
        let table = &look.table.name;
        if look.starts_over {
            (self.tell)(Said::Note(&format!(
                "The rows of {table} have a different order now: the table is started over."
            )));
            self.position = 0;
            self.answer.goes_on_after = finished(self.finished, None);
        }
        self.answer.rows += look.rows.saturating_sub(self.position);
        self.position = if look.is_last { 0 } else { look.rows };
        (self.tell)(Said::Looked(look));
    }

    fn explain(&self, trouble: &Trouble) -> Trouble {
        let asked = self.answer.asked;
        Trouble::Failed(format!(
            "{trouble}\n{asked} syncs were requested before that. The same command resumes where it stopped"
        ))
    }
}

async fn begin<'a>(worker: &'a context::Context, scope: Scope, resume: &Resume) -> Result<Walk<'a>, Trouble> {
    Walk::begin(worker, scope, resume)
        .await
        .map_err(|failure| failed(&failure))
}

fn failed(failure: &passerelle_worker::failure::Failure) -> Trouble {
    Trouble::Failed(failure.to_string())
}

async fn keep(trail: &Trail, mark: &Checkpoint) -> Result<(), Trouble> {
    let line = serde_json::to_string(mark).map_err(|error| Trouble::Failed(error.to_string()))?;
    match mark {
        Checkpoint::Finished { .. } => trail.sum_up(&line).await?,
        Checkpoint::Rows { .. } | Checkpoint::Links { .. } => trail.add(&line).await?,
    }
    Ok(())
}

/// What an earlier run had done.
fn finished(tables: usize, begun: Option<(u64, &str)>) -> Option<String> {
    let tables = match tables {
        0 => None,
        1 => Some("1 table".to_owned()),
        more => Some(format!("{more} tables")),
    };
    let rows = begun.map(|(rows, table)| format!("{rows} rows of {table}"));
    let parts: Vec<String> = tables.into_iter().chain(rows).collect();
    (!parts.is_empty()).then(|| parts.join(" and "))
}

/// A bar on a terminal; nothing elsewhere.
fn progress() -> ProgressBar {
    let style = ProgressStyle::with_template("{prefix} {wide_bar} {pos} of {len} {msg}");
    ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn finish(answer: &Reconciled, console: &mut Console) -> Result<(), Trouble> {
    console.answer(answer, answer::in_words)?;
    if answer.stopped {
        let asked = answer.asked;
        return Err(Trouble::Interrupted(format!(
            "stopped after {asked} syncs were requested. The same command resumes where it stopped"
        )));
    }
    Ok(())
}
