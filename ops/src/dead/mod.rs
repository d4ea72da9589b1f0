//! `dead`: jobs that failed for good. `list`, `show` and `export` change nothing; the ledger keeps
//! who replays and discards, and why.

mod act;
mod answer;
mod export;
mod filter;
mod find;
mod replay;

use std::path::PathBuf;

use clap::Subcommand;
use passerelle_model::time::Timestamp;
use passerelle_queue::QueueName;
use passerelle_store::{EventStory, NoticeState, Store};
use serde::Serialize;

pub use filter::{Filter, Order, Pace, Which};

use act::{Acted, Stopped, Who};
use find::Found;

use crate::arguments::By;
use crate::console::Console;
use crate::operator::{NotRead, Operator};
use crate::trouble::Trouble;

/// How many letters `list` shows without `--limit`.
const SHOWN: u32 = 50;
/// How many events of its row `show` includes.
const EVENTS_SHOWN: u32 = 3;

/// How many letters of a list are looked up in the ledger.
const MOST_MARKED: usize = 1000;

/// `dead …`.
#[derive(Debug, Subcommand)]
pub enum Dead {
    /// Lists the dead letters, newest first.
    #[command(after_help = "Example: passerelle dead list --queue sync --table 2 --newer-than 12h")]
    List {
        /// Which of them.
        #[command(flatten)]
        filter: Filter,
        /// In which order.
        #[arg(long, value_enum, default_value_t = Order::Newest)]
        sort: Order,
    },
    /// Shows one dead letter: what failed, and the history of its row.
    #[command(after_help = "Example: passerelle dead show 01J8ZK3V9D2QX4T6W8Y0A1B2C3")]
    Show {
        /// Its id, from `dead list`.
        id: String,
    },
    /// Replays letters. Each becomes a new event of its row, which is read again: an old letter
    /// never overwrites newer data.
    #[command(after_help = "Example: passerelle dead replay --all --reason permanent --why \"the space exists again\"")]
    Replay {
        /// Which of them.
        #[command(flatten)]
        which: Which,
        /// How fast.
        #[command(flatten)]
        pace: Pace,
        /// Why; kept in the ledger. Required with --all.
        #[arg(long)]
        why: Option<String>,
        /// Who acts.
        #[command(flatten)]
        by: By,
    },
    /// Writes the letters as JSON lines, newest first in each queue. Changes nothing.
    #[command(after_help = "Example: passerelle dead export --to letters.jsonl")]
    Export {
        /// Which of them.
        #[command(flatten)]
        filter: Filter,
        /// Write into this new file. Default: the output.
        #[arg(long)]
        to: Option<PathBuf>,
    },
    /// Removes letters for good. The ledger keeps who decided it and why.
    #[command(after_help = "Example: passerelle dead discard 01J8ZK3V9D2QX4T6W8Y0A1B2C3 --why \"the customer left\"")]
    Discard {
        /// Which of them.
        #[command(flatten)]
        which: Which,
        /// Why; kept in the ledger.
        #[arg(long)]
        why: String,
        /// Who acts.
        #[command(flatten)]
        by: By,
    },
}

/// A letter of the answer of `list`.
#[derive(Debug, Serialize)]
struct Listed {
    #[serde(flatten)]
    found: Found,
    /// Whether a newer event has succeeded since; `null` beyond the first thousand, and where the
    /// ledger cannot be read.
    superseded: Option<bool>,
}

/// The answer of `show`.
#[derive(Debug, Serialize)]
struct Shown {
    #[serde(rename = "letter")]
    found: Found,
    #[serde(flatten)]
    history: History,
    not_read: NotRead,
}

/// What the ledger knows of a letter.
#[derive(Debug, Default, Serialize)]
struct History {
    /// Whether a newer event has succeeded since.
    superseded: bool,
    /// The latest events of its row.
    events: Vec<EventStory>,
}

/// Runs one of the verbs.
pub async fn run(operator: &Operator, verb: Dead, console: &mut Console) -> Result<(), Trouble> {
    match verb {
        Dead::List { filter, sort } => list(operator, filter.resolved(operator).await?, sort, console).await,
        Dead::Show { id } => show(operator, &id, console).await,
        Dead::Export { filter, to } => {
            let filter = filter.resolved(operator).await?;
            export::run(operator, &filter, to.as_deref(), console).await
        }
        Dead::Replay { which, pace, why, by } => {
            let why = replay::reason(&which, why)?;
            let by = operator.acting_unless(which.dry_run, by)?;
            let stop = console.stop.clone();
            let who = Who { by: &by, why: &why };
            let which = which.resolved(operator).await?;
            let acted = replay::replay(operator, &which, pace, who, &stop).await?;
            finish(&acted, console)
        }
        Dead::Discard { which, why, by } => {
            if why.trim().is_empty() {
                let advice = "give a reason with --why: the ledger keeps it";
                return Err(Trouble::Usage(advice.to_owned()));
            }
            let by = operator.acting_unless(which.dry_run, by)?;
            let who = Who {
                by: &by,
                why: why.trim(),
            };
            let which = which.resolved(operator).await?;
            let acted = act::discard(operator, &which, who).await?;
            finish(&acted, console)
        }
    }
}

async fn list(operator: &Operator, filter: Filter, order: Order, console: &mut Console) -> Result<(), Trouble> {
    let limit = filter.limit.unwrap_or(SHOWN);
    let now = Timestamp::now();
    // Another order than that of the pages is known only when all are there.
    let filter = Filter {
        limit: (order == Order::Newest).then_some(limit),
        ..filter
    };
    let mut letters = find::matching(operator, &filter, now).await?;
    find::sort(&mut letters, order);
    letters.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let mut not_read = NotRead::default();
    let mut marks = not_read
        .noting("whether letters are superseded", marks(operator, &letters).await)
        .unwrap_or_default()
        .into_iter();
    let listed: Vec<Listed> = letters
        .into_iter()
        .map(|found| Listed {
            found,
            superseded: marks.next(),
        })
        .collect();
    let loads = operator.redis.dead_loads().await?;
    let meant = find::queues(&filter);
    let all = loads.iter().filter(|(queue, _)| meant.contains(queue));
    let all = all.map(|(_, load)| load.letters).sum();
    console.answer(&listed, |listed| answer::list(listed, all, now))?;
    if let Some(warning) = not_read.warning() {
        console.note(&warning);
    }
    Ok(())
}

/// For each letter whether it is superseded; the first thousand.
async fn marks(operator: &Operator, letters: &[Found]) -> Result<Vec<bool>, Trouble> {
    let store = operator.store().await?;
    operator.catch_up(store).await;
    let mut marks = Vec::with_capacity(letters.len().min(MOST_MARKED));
    for found in letters.iter().take(MOST_MARKED) {
        marks.push(is_superseded(store, found).await?);
    }
    Ok(marks)
}

/// Whether another event of the row has succeeded since, or the notice has been sent: then nothing
/// is left to do.
async fn is_superseded(store: &Store, found: &Found) -> Result<bool, Trouble> {
    let letter = &found.letter;
    if found.is_notice() {
        let notice = store.notice(&letter.job).await?;
        return Ok(notice.is_some_and(|notice| notice.state == NoticeState::Sent));
    }
    Ok(store.was_done_after(&letter.job, letter.covers).await?)
}

async fn show(operator: &Operator, id: &str, console: &mut Console) -> Result<(), Trouble> {
    let unknown = || {
        let advice = "Has it been replayed or discarded, or has its job died again? `passerelle dead list` shows those there are.";
        Trouble::NotFound(format!("there is no dead letter {id}. {advice}"))
    };
    let found = find::letter(operator, &QueueName::ALL, id).await?.ok_or_else(unknown)?;
    let mut not_read = NotRead::default();
    let history = not_read.noting("the history of its row", history(operator, &found).await);
    let shown = Shown {
        found,
        history: history.unwrap_or_default(),
        not_read,
    };
    console.answer(&shown, |shown| answer::shown(shown, Timestamp::now()))
}

async fn history(operator: &Operator, found: &Found) -> Result<History, Trouble> {
    let store = operator.store().await?;
    operator.catch_up(store).await;
    let job = &found.letter.job;
    Ok(History {
        superseded: is_superseded(store, found).await?,
        events: match job.row() {
            Some(row) => store.trace_row(row, EVENTS_SHOWN).await?,
            None => store.trace_job(job, EVENTS_SHOWN).await?,
        },
    })
}

fn finish(acted: &Acted, console: &mut Console) -> Result<(), Trouble> {
    console.answer(acted, answer::acted)?;
    let rest = "the others are untouched";
    match &acted.stopped {
        None => {}
        Some(Stopped::Operator) => {
            let (count, all) = (acted.count, acted.letters.len());
            return Err(Trouble::Interrupted(format!("stopped after {count} of {all}; {rest}")));
        }
        Some(Stopped::Canary { job, outcome }) => {
            return Err(Trouble::Failed(format!(
                "{job} was replayed first and ended as {outcome} again; {rest}. Fix the cause (passerelle trace \
                 {job}), then replay again"
            )));
        }
    }
    if !acted.not_rows.is_empty() {
        return Err(Trouble::Failed(not_replayed(&acted.not_rows)));
    }
    if acted.unknown.is_empty() {
        return Ok(());
    }
    let unknown = acted.unknown.join(", ");
    Err(Trouble::NotFound(format!(
        "no such dead letter (or the filters exclude it): {unknown}"
    )))
}

/// What to do about letters that are not of a row, a page or a share: one line for each.
fn not_replayed(letters: &[Found]) -> String {
    let what = |found: &Found| {
        if found.is_notice() {
            let job = &found.letter.job;
            format!("to send it again: passerelle notices retry {job}, then discard the letter")
        } else {
            "its job cannot be read; discard it if it is of no use".to_owned()
        }
    };
    let lines = letters
        .iter()
        .map(|found| format!("  {}: {}", found.letter.id, what(found)));
    let lines: Vec<String> = lines.collect();
    format!(
        "only letters of rows, pages and shares can be replayed. These stay:\n{}",
        lines.join("\n")
    )
}
