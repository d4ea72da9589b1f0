//! `reconcile`: finds rows that differ from their pages, and asks for them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use passerelle_shared::config::Reader;
use passerelle_shared::id::{ProcessName, TableId};
use passerelle_shared::schedule::{Schedule, Task, Turn};
use passerelle_worker::journal::Journal;
use passerelle_worker::reconcile::{Finding, Look, Reason, Requests, Scope, Walk};
use passerelle_worker::settings::Settings;
use passerelle_worker::{bridge, start};
use serde::Serialize;

use crate::Console;
use crate::bridge::Bridge;
use crate::cli::Reconcile;
use crate::trouble::Trouble;

/// Findings that are shown in words; all of them are in the JSON form.
const SHOWN: usize = 30;
/// How long a run that says nothing keeps others away.
const LEASE: Duration = Duration::from_mins(1);

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
    /// Rows that were compared.
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
    let by = verb.by.who(user)?;
    let worker = start::bridge(Settings::read(reader)?, desk.redis.clone(), desk.store.clone())
        .map_err(|error| Trouble::Failed(error.to_string()))?;
    let schedule = Schedule::new(desk.redis.clone(), ProcessName::unique("operator"));
    if !verb.dry_run {
        take_turn(&schedule).await?;
    }
    let mut run = Run {
        worker: &worker,
        progress: progress(),
        answer: Reconciled {
            dry_run: verb.dry_run,
            ..Reconciled::default()
        },
    };
    let scope = scope(&worker, verb.table.as_deref(), verb.unmapped).await?;
    let pace = (by.as_str(), verb.rate);
    let stop = console.stop.clone();
    let result = tokio::select! {
        result = run.all(scope, pace) => result,
        () = stop.cancelled() => { run.answer.stopped = true; Ok(()) }
        () = worker.gates.report_for_ever() => Ok(()),
        lost = hold(&schedule, verb.dry_run) => Err(lost),
    };
    run.progress.finish_and_clear();
    if !verb.dry_run {
        schedule.done(&TURN).await?;
    }
    result.map_err(|trouble| run.explain(&trouble))?;
    finish(&run.answer, json, console)
}

async fn take_turn(schedule: &Schedule) -> Result<(), Trouble> {
    match schedule.take(&TURN).await? {
        Turn::Mine { .. } => Ok(()),
        Turn::NotMine { holder, .. } => Err(Trouble::Failed(format!(
            "a reconciliation is under way already ({}); wait for its end, or look with --dry-run",
            holder.unwrap_or_else(|| "interrupted a moment ago".to_owned())
        ))),
    }
}

/// Keeps the turn; ends only if it is lost.
async fn hold(schedule: &Schedule, dry_run: bool) -> Trouble {
    if dry_run {
        std::future::pending::<()>().await;
    }
    let mut beats = tokio::time::interval(LEASE / 3);
    loop {
        beats.tick().await;
        if let Ok(false) = schedule.keep(&TURN, "").await {
            return Trouble::Failed("the turn was lost to another process".to_owned());
        }
    }
}

async fn scope(worker: &bridge::Bridge, table: Option<&str>, unmapped: bool) -> Result<Scope, Trouble> {
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

async fn named(worker: &bridge::Bridge, name: &str) -> Result<TableId, Trouble> {
    let tables = worker.baserow.tables(&mut Journal::default()).await;
    let tables = tables.map_err(|failure| Trouble::Failed(failure.to_string()))?;
    crate::rows::one_table(name, &tables)
}

struct Run<'a> {
    worker: &'a bridge::Bridge,
    progress: ProgressBar,
    answer: Reconciled,
}

impl Run<'_> {
    async fn all(&mut self, scope: Scope, (by, rate): (&str, u32)) -> Result<(), Trouble> {
        let failed = |failure: passerelle_worker::failure::Failure| Trouble::Failed(failure.to_string());
        let mut walk = Walk::begin(self.worker, scope, &[]).await.map_err(failed)?;
        self.answer.missing_tables = walk.missing().to_vec();
        if walk.tables() == 0 {
            let what = "no rule makes pages of this table's rows; see the rules in bridge.toml";
            return Err(Trouble::NotFound(what.to_owned()));
        }
        let run = ProcessName::unique("run");
        let mut requests = Requests::new(self.worker.queue.clone(), run.as_str(), by, rate);
        while let Some(look) = walk.step().await.map_err(failed)? {
            self.show(&look);
            if look.is_last {
                self.answer.rows += look.rows;
            }
            self.answer.findings.extend(look.findings.iter().cloned());
            if !self.answer.dry_run {
                let (answer, progress) = (&mut self.answer, &self.progress);
                let asking = requests.ask(&look.findings, |some| {
                    answer.asked += some;
                    progress.set_message(format!("{} rows asked for", answer.asked));
                });
                asking.await?;
            }
        }
        Ok(())
    }

    fn show(&self, look: &Look) {
        self.progress.set_prefix(look.table.name.clone());
        self.progress.set_length(look.of);
        self.progress.set_position(look.rows);
    }

    fn explain(&self, trouble: &Trouble) -> Trouble {
        let asked = self.answer.asked;
        Trouble::Failed(format!(
            "{trouble}\n{asked} rows had been asked for by then; run it again for the others"
        ))
    }
}

/// A bar on a terminal; nothing elsewhere.
fn progress() -> ProgressBar {
    let style = ProgressStyle::with_template("{prefix} {wide_bar} {pos} of {len} {msg}");
    ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn finish(answer: &Reconciled, json: bool, console: &mut Console) -> Result<(), Trouble> {
    console.tell(json, answer, in_words)?;
    if answer.stopped {
        let asked = answer.asked;
        return Err(Trouble::Interrupted(format!(
            "stopped; {asked} rows were asked for. Run it again for the others"
        )));
    }
    Ok(())
}

fn in_words(answer: &Reconciled) -> String {
    let mut text = format!("{} rows were compared with their pages.\n", answer.rows);
    for table in &answer.missing_tables {
        let _ = writeln!(
            text,
            "The table {table} of a rule was not found: does it exist, and may BASEROW_TOKEN read it?"
        );
    }
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for finding in &answer.findings {
        *reasons.entry(told(&finding.reason)).or_default() += 1;
    }
    for (reason, count) in reasons {
        let _ = writeln!(text, "  {count:>6}  {reason}");
    }
    for finding in answer.findings.iter().take(SHOWN) {
        let detail = match &finding.reason {
            Reason::Unmappable(why) => format!(" ({why})"),
            _ => String::new(),
        };
        let (row, rule) = (finding.row.to_string(), &finding.rule);
        let _ = writeln!(text, "  {row:<14} {rule:<24} {}{detail}", told(&finding.reason));
    }
    if answer.findings.len() > SHOWN {
        let _ = writeln!(
            text,
            "  … and {} more (--json lists all)",
            answer.findings.len() - SHOWN
        );
    }
    let _ = match (answer.dry_run, answer.findings.is_empty(), answer.asked) {
        (_, true, _) => write!(text, "Nothing is to be done."),
        (true, false, _) => write!(text, "Dry run: nothing was asked for."),
        (false, false, asked) => {
            let where_to_look = "`passerelle stats --watch` shows them being done";
            write!(text, "{asked} rows were asked for; {where_to_look}.")
        }
    };
    text
}

fn told(reason: &Reason) -> &'static str {
    match reason {
        Reason::NoPage => "has no page",
        Reason::PageForgotten => "does not name its page",
        Reason::PageForeign => "names a page that is not its own",
        Reason::Differs => "differs from its page",
        Reason::SubPageDiffers => "differs from a page below its page",
        Reason::PageTrashed => "lives, its page says that it is gone",
        Reason::RowGone => "is gone, its page lives",
        Reason::Unmappable(_) => "cannot be rendered, not asked for",
    }
}
