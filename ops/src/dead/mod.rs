//! `dead`: jobs that were given up. Listing and showing change nothing; replaying and discarding are kept in the ledger with who and why.

mod act;
mod export;
mod find;
mod replay;
mod tell;

use passerelle_model::time::Timestamp;
use passerelle_queue::QueueName;
use passerelle_store::{EventStory, NoticeState};
use serde::Serialize;

use act::{Acted, Stopped};
use find::Found;

use crate::Console;
use crate::bridge::Bridge;
use crate::cli::{Dead, Filter, Order};
use crate::trouble::Trouble;

/// How many letters `list` shows without `--limit`.
const SHOWN: u32 = 50;
/// How many events of its row `show` tells.
const EVENTS_SHOWN: u32 = 3;

/// How many letters of a list are looked up in the ledger.
const MOST_MARKED: usize = 1000;

/// A letter of the answer of `list`.
#[derive(Debug, Serialize)]
struct Listed {
    #[serde(flatten)]
    found: Found,
    /// Whether its row has been carried out since; `null` beyond the first thousand.
    superseded: Option<bool>,
}

/// The answer of `show`.
#[derive(Debug, Serialize)]
struct Shown {
    #[serde(rename = "letter")]
    found: Found,
    /// Whether its row has been carried out since.
    superseded: bool,
    /// The latest events of its row.
    events: Vec<EventStory>,
}

/// Carries out one of the verbs. `user` is who acts, unless `--by` says otherwise.
pub async fn run(
    bridge: &Bridge,
    verb: Dead,
    user: Option<String>,
    json: bool,
    console: &mut Console,
) -> Result<(), Trouble> {
    match verb {
        Dead::List { filter, sort } => list(bridge, (filter, sort), json, console).await,
        Dead::Show { id } => show(bridge, &id, json, console).await,
        Dead::Export { filter, to } => export::run(bridge, &filter, to.as_deref(), console).await,
        Dead::Replay { which, pace, why, by } => {
            let why = replay::reason(&which, why)?;
            let by = by.who(user)?;
            let stop = console.stop.clone();
            let acted = replay::replay(bridge, (&which, pace), (&by, &why), &stop).await?;
            finish(&acted, json, console)
        }
        Dead::Discard { which, why, by } => {
            if why.trim().is_empty() {
                let advice = "say with --why why these letters shall never be carried out";
                return Err(Trouble::Usage(advice.to_owned()));
            }
            let by = by.who(user)?;
            let acted = act::discard(bridge, &which, (&by, why.trim())).await?;
            finish(&acted, json, console)
        }
    }
}

async fn list(
    bridge: &Bridge,
    (filter, order): (Filter, Order),
    json: bool,
    console: &mut Console,
) -> Result<(), Trouble> {
    let limit = filter.limit.unwrap_or(SHOWN);
    let now = Timestamp::now();
    // Another order than that of the pages is known only when all are there.
    let filter = Filter {
        limit: (order == Order::Newest).then_some(limit),
        ..filter
    };
    let mut letters = find::matching(bridge, &filter, now).await?;
    find::sort(&mut letters, order);
    letters.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    bridge.catch_up().await;
    let mut listed = Vec::with_capacity(letters.len());
    for (number, found) in letters.into_iter().enumerate() {
        let superseded = if number < MOST_MARKED {
            Some(is_superseded(bridge, &found).await?)
        } else {
            None
        };
        listed.push(Listed { found, superseded });
    }
    let loads = bridge.redis.dead_loads().await?;
    let meant = find::queues(&filter);
    let all = loads.iter().filter(|(queue, _)| meant.contains(queue));
    let all = all.map(|(_, load)| load.letters).sum();
    console.tell(json, &listed, |listed| tell::list(listed, all, now))
}

/// Whether the row has been carried out since by another event, or the notice been sent: then there is nothing left to do.
async fn is_superseded(bridge: &Bridge, found: &Found) -> Result<bool, Trouble> {
    let letter = &found.letter;
    if found.is_notice() {
        let notice = bridge.store.notice(&letter.job).await?;
        return Ok(notice.is_some_and(|notice| notice.state == NoticeState::Sent));
    }
    Ok(bridge.store.was_done_after(&letter.job, letter.covers).await?)
}

async fn show(bridge: &Bridge, id: &str, json: bool, console: &mut Console) -> Result<(), Trouble> {
    let unknown = || {
        let advice = "It may have been replayed or discarded; `passerelle dead list` shows those that are there.";
        Trouble::NotFound(format!("there is no dead letter {id}. {advice}"))
    };
    let found = find::letter(bridge, &QueueName::ALL, id).await?.ok_or_else(unknown)?;
    bridge.catch_up().await;
    let superseded = is_superseded(bridge, &found).await?;
    let letter = &found.letter;
    let events = match letter.job.row() {
        Some(row) => bridge.store.trace_row(row, EVENTS_SHOWN).await?,
        None => bridge.store.trace_job(&letter.job, EVENTS_SHOWN).await?,
    };
    let now = Timestamp::now();
    let shown = Shown {
        found,
        superseded,
        events,
    };
    console.tell(json, &shown, |shown| tell::shown(shown, now))
}

fn finish(acted: &Acted, json: bool, console: &mut Console) -> Result<(), Trouble> {
    console.tell(json, acted, tell::acted)?;
    let rest = "the others are untouched";
    match &acted.stopped {
        None => {}
        Some(Stopped::Operator) => {
            let (count, all) = (acted.count, acted.letters.len());
            return Err(Trouble::Interrupted(format!("stopped after {count} of {all}; {rest}")));
        }
        Some(Stopped::Canary { job, outcome }) => {
            return Err(Trouble::Failed(format!(
                "{job} went ahead and ended as {outcome} again; {rest}. Mend the cause (passerelle trace {job}), then replay again"
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
            format!("send it again: passerelle notices retry {job}, then discard the letter")
        } else {
            "its job cannot be known; discard it if it is of no use".to_owned()
        }
    };
    let lines = letters
        .iter()
        .map(|found| format!("  {}: {}", found.letter.id, what(found)));
    let lines: Vec<String> = lines.collect();
    format!(
        "only the letters of rows, pages and shares can be replayed; these are not, and stay:\n{}",
        lines.join("\n")
    )
}
