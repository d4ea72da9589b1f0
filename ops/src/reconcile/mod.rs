//! `reconcile`: finds rows that differ from their pages, and asks for them. A run that was broken off is gone on with by the next one of the
//! same scope: what it had finished is kept in Redis for a day.

mod tell;

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use passerelle_model::config::Reader;
use passerelle_model::id::{ProcessName, TableId};
use passerelle_queue::schedule::{Schedule, Task, Trail, Turn};
use passerelle_worker::journal::Journal;
use passerelle_worker::maintenance::reconcile::{Finding, Left, Look, Mark, Requests, Scope, Walk};
use passerelle_worker::settings::Settings;
use passerelle_worker::{context, start};
use serde::Serialize;

use crate::Console;
use crate::bridge::Bridge;
use crate::cli::Reconcile;
use crate::trouble::Trouble;

/// How long a run that was broken off can be gone on with.
const KEPT: Duration = Duration::from_hours(24);
/// How long a run that says nothing keeps others away.
const LEASE: Duration = Duration::from_secs(15);

/// The same name as the worker's own round: the two never run at once.
const TURN: Task = Task {
    name: "reconcile",
    every: None,
    begins_at_once: true,
    lease: LEASE,
};

/// The answer.
#[derive(Debug, Default, Serialize)]
struct Reconciled {
    dry_run: bool,
    /// What an earlier run had finished, in words; `null` if this one began at the beginning.
    goes_on_after: Option<String>,
    /// Rows with a dead letter were asked for too.
    with_dead: bool,
    /// Rows that this run compared.
    rows: u64,
    /// Rows that were asked for.
    asked: usize,
    /// Tables that a rule wants and the token does not see.
    missing_tables: Vec<String>,
    findings: Vec<Finding>,
    /// Stopped by Ctrl-C before the end.
    stopped: bool,
}

/// Runs it; `reader` still has the settings of a worker.
pub async fn run(
    desk: &Bridge,
    (verb, reader): (Reconcile, Reader),
    user: Option<String>,
    json: bool,
    console: &mut Console,
) -> Result<(), Trouble> {
    let by = verb.by.clone().who(user)?;
    let worker = start::context(Settings::read(reader)?, desk.redis.clone(), desk.store.clone())
        .map_err(|error| Trouble::Failed(error.to_string()))?;
    let schedule = Schedule::new(desk.redis.clone(), ProcessName::unique("operator"));
    let memo = if verb.dry_run {
        String::new()
    } else {
        take_turn(&schedule).await?
    };
    let mut run = Run {
        worker: &worker,
        progress: progress(),
        position: 0,
        finished: 0,
        answer: Reconciled {
            dry_run: verb.dry_run,
            with_dead: verb.reach.with_dead,
            ..Reconciled::default()
        },
    };
    let stop = console.stop.clone();
    let result = tokio::select! {
        result = run.all((&verb, &by), desk, console) => result,
        () = stop.cancelled() => { run.answer.stopped = true; Ok(()) }
        () = worker.gates.report_for_ever() => Ok(()),
        lost = hold(&schedule, &memo, verb.dry_run) => Err(lost),
    };
    run.progress.finish_and_clear();
    if !verb.dry_run {
        give_back(&schedule, &memo).await?;
    }
    result.map_err(|trouble| run.explain(&trouble))?;
    finish(&run.answer, json, console)
}

/// Takes the turn; returns how far the workers' own round had come, which is none of our business and is kept for them.
async fn take_turn(schedule: &Schedule) -> Result<String, Trouble> {
    match schedule.take(&TURN).await? {
        Turn::Mine { memo } => Ok(memo),
        Turn::NotMine { holder, ask_after } => Err(Trouble::Failed(format!(
            "a reconciliation is under way already ({}); wait for its end, or look with --dry-run. If it was killed, the turn is free in {} s",
            holder.unwrap_or_else(|| "interrupted a moment ago".to_owned()),
            ask_after.as_secs() + 1
        ))),
    }
}

async fn give_back(schedule: &Schedule, memo: &str) -> Result<(), Trouble> {
    if memo.is_empty() {
        schedule.done(&TURN).await?;
    } else {
        schedule.leave(&TURN, Duration::ZERO).await?;
    }
    Ok(())
}

/// Keeps the turn; ends only if it is lost.
async fn hold(schedule: &Schedule, memo: &str, dry_run: bool) -> Trouble {
    if dry_run {
        std::future::pending::<()>().await;
    }
    let mut beats = tokio::time::interval(LEASE / 3);
    loop {
        beats.tick().await;
        if let Ok(false) = schedule.keep(&TURN, memo).await {
            return Trouble::Failed("the turn was lost to another process".to_owned());
        }
    }
}

async fn scope(worker: &context::Context, table: Option<&str>, unmapped: bool) -> Result<Scope, Trouble> {
    let Some(name) = table else {
        return Ok(Scope { table: None, unmapped });
    };
    let table = match crate::rows::table_number(name) {
        Some(table) => table,
        None => named(worker, name).await?,
    };
    Ok(Scope {
        table: Some(table),
        unmapped,
    })
}

async fn named(worker: &context::Context, name: &str) -> Result<TableId, Trouble> {
    let tables = worker.baserow.tables(&mut Journal::default()).await;
    let tables = tables.map_err(|failure| Trouble::Failed(failure.to_string()))?;
    crate::rows::one_table(name, &tables)
}

/// Where a run of this scope leaves its marks.
fn trail(desk: &Bridge, scope: Scope) -> Trail {
    let table = scope
        .table
        .map_or_else(|| "all".to_owned(), |table| format!("t{table}"));
    let unmapped = if scope.unmapped { ":unmapped" } else { "" };
    Trail::new(desk.redis.clone(), &format!("reconcile:{table}{unmapped}"), KEPT)
}

struct Run<'a> {
    worker: &'a context::Context,
    progress: ProgressBar,
    /// Rows of the present table that are done, those of an earlier run too.
    position: u64,
    /// Tables that an earlier run has finished.
    finished: usize,
    answer: Reconciled,
}

impl<'a> Run<'a> {
    async fn all(
        &mut self,
        (verb, by): (&Reconcile, &str),
        desk: &Bridge,
        console: &mut Console,
    ) -> Result<(), Trouble> {
        let scope = scope(self.worker, verb.table.as_deref(), verb.unmapped).await?;
        let trail = (!verb.dry_run).then(|| trail(desk, scope));
        let mut walk = self
            .begin(scope, (trail.as_ref(), verb.reach.from_start), console)
            .await?;
        self.answer.missing_tables = walk.missing().to_vec();
        if walk.tables() == 0 {
            let what = "no rule makes pages of this table's rows; see the rules in bridge.toml";
            return Err(Trouble::NotFound(what.to_owned()));
        }
        let run = ProcessName::unique("run");
        let requests = Requests::new(self.worker.queue.clone(), run.as_str(), by, verb.rate);
        let mut requests = requests.because(verb.why.as_deref()).with_dead(verb.reach.with_dead);
        while let Some(look) = walk.step().await.map_err(|failure| failed(&failure))? {
            self.show(&look, console);
            self.answer.findings.extend(look.findings.iter().cloned());
            let Some(trail) = &trail else { continue };
            let (answer, progress) = (&mut self.answer, &self.progress);
            let asking = requests.ask(&look.findings, |some| {
                answer.asked += some;
                progress.set_message(format!("{} rows asked for", answer.asked));
            });
            asking.await?;
            // Only now is the step done: whoever goes on takes it again otherwise.
            keep(trail, &look.mark).await?;
        }
        if let Some(trail) = &trail {
            trail.forget().await?;
        }
        Ok(())
    }

    /// From where an earlier run was broken off, or from the beginning.
    async fn begin(
        &mut self,
        scope: Scope,
        (trail, from_start): (Option<&Trail>, bool),
        console: &mut Console,
    ) -> Result<Walk<'a>, Trouble> {
        let left = match trail.filter(|_| !from_start) {
            Some(trail) => Left::of(trail.read().await?.iter().map(String::as_str)),
            None => Left::default(),
        };
        let walk = begin(self.worker, scope, &left).await?;
        if let Some(before) = walk.goes_on_after().filter(|_| walk.tables() > 0) {
            self.finished = before.0;
            let before = finished(before).unwrap_or_default();
            console.complain(&format!("Goes on after {before}; --from-start begins anew."));
            self.position = left
                .table
                .map_or(0, |table| u64::try_from(table.seen.len()).unwrap_or_default());
            self.answer.goes_on_after = Some(before);
            return Ok(walk);
        }
        if let Some(trail) = trail {
            trail.forget().await?;
        }
        if left.is_nothing() {
            return Ok(walk);
        }
        // Only the very end of the earlier run was missing.
        begin(self.worker, scope, &Left::default()).await
    }

    fn show(&mut self, look: &Look, console: &mut Console) {
        let table = &look.table.name;
        if look.begins_anew {
            console.complain(&format!(
                "The rows of {table} are in another order now: it is begun anew."
            ));
            self.position = 0;
            self.answer.goes_on_after = finished((self.finished, None));
        }
        self.answer.rows += look.rows.saturating_sub(self.position);
        self.position = if look.is_last { 0 } else { look.rows };
        self.progress.set_prefix(table.clone());
        self.progress.set_length(look.of);
        self.progress.set_position(look.rows);
    }

    fn explain(&self, trouble: &Trouble) -> Trouble {
        let asked = self.answer.asked;
        Trouble::Failed(format!(
            "{trouble}\n{asked} rows had been asked for by then; the same command goes on where it stopped"
        ))
    }
}

async fn begin<'a>(worker: &'a context::Context, scope: Scope, left: &Left) -> Result<Walk<'a>, Trouble> {
    Walk::begin(worker, scope, left)
        .await
        .map_err(|failure| failed(&failure))
}

fn failed(failure: &passerelle_worker::failure::Failure) -> Trouble {
    Trouble::Failed(failure.to_string())
}

async fn keep(trail: &Trail, mark: &Mark) -> Result<(), Trouble> {
    let line = serde_json::to_string(mark).map_err(|error| Trouble::Failed(error.to_string()))?;
    match mark {
        Mark::Finished { .. } => trail.sum_up(&line).await?,
        Mark::Rows { .. } | Mark::Links { .. } => trail.add(&line).await?,
    }
    Ok(())
}

/// What an earlier run had done.
fn finished((tables, begun): (usize, Option<(u64, &str)>)) -> Option<String> {
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

fn finish(answer: &Reconciled, json: bool, console: &mut Console) -> Result<(), Trouble> {
    console.tell(json, answer, tell::in_words)?;
    if answer.stopped {
        let asked = answer.asked;
        return Err(Trouble::Interrupted(format!(
            "stopped; {asked} rows were asked for. The same command goes on where it stopped"
        )));
    }
    Ok(())
}
