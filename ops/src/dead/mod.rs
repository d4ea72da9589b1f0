//! `dead`: jobs that were given up. Listing and showing change nothing; replaying and discarding are kept in the ledger with who and why.

mod act;
mod find;
mod tell;

use passerelle_shared::queue::DeadLetter;
use passerelle_shared::store::EventStory;
use passerelle_shared::time::Timestamp;
use serde::Serialize;

use act::{Acted, Deed};

use crate::Console;
use crate::bridge::Bridge;
use crate::cli::{Dead, Filter};
use crate::trouble::Trouble;

/// How many letters `list` shows without `--limit`.
const SHOWN: u32 = 50;
/// How many events of its row `show` tells.
const EVENTS_SHOWN: u32 = 3;

/// The answer of `show`.
#[derive(Debug, Serialize)]
struct Shown {
    letter: DeadLetter,
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
        Dead::List { filter } => list(bridge, filter, json, console).await,
        Dead::Show { id } => show(bridge, &id, json, console).await,
        Dead::Replay { which, by } => {
            let acted = act::run(bridge, &which, &Deed::Replay, &by.who(user)?).await?;
            finish(&acted, json, console)
        }
        Dead::Discard { which, why, by } => {
            if why.trim().is_empty() {
                let advice = "say with --why why these letters shall never be carried out";
                return Err(Trouble::Usage(advice.to_owned()));
            }
            let acted = act::run(bridge, &which, &Deed::Discard { why }, &by.who(user)?).await?;
            finish(&acted, json, console)
        }
    }
}

async fn list(bridge: &Bridge, filter: Filter, json: bool, console: &mut Console) -> Result<(), Trouble> {
    let filter = Filter {
        limit: filter.limit.or(Some(SHOWN)),
        ..filter
    };
    let now = Timestamp::now();
    let letters = find::matching(bridge, &filter, now).await?;
    let all = bridge.queue.stats().await?.dead;
    console.tell(json, &letters, |letters| tell::list(letters, all, now))
}

async fn show(bridge: &Bridge, id: &str, json: bool, console: &mut Console) -> Result<(), Trouble> {
    let unknown = || {
        let advice = "It may have been replayed or discarded; `passerelle dead list` shows those that are there.";
        Trouble::NotFound(format!("there is no dead letter {id}. {advice}"))
    };
    let letter = bridge.queue.dead_letter(id).await?.ok_or_else(unknown)?;
    bridge.catch_up().await;
    let events = match letter.job.row() {
        Some(row) => bridge.store.trace_row(row, EVENTS_SHOWN).await?,
        None => Vec::new(),
    };
    let now = Timestamp::now();
    console.tell(json, &Shown { letter, events }, |shown| {
        tell::shown(&shown.letter, &shown.events, now)
    })
}

fn finish(acted: &Acted, json: bool, console: &mut Console) -> Result<(), Trouble> {
    console.tell(json, acted, tell::acted)?;
    if acted.unknown.is_empty() {
        return Ok(());
    }
    let unknown = acted.unknown.join(", ");
    Err(Trouble::NotFound(format!(
        "no such dead letter (or the filters exclude it): {unknown}"
    )))
}
