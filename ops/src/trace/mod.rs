//! `trace`: the history of an event or a row, and why it ended as it did.

mod story;
mod without_ledger;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use clap::Args;
use passerelle_console::why::why;
use passerelle_console::words::Tongue;
use passerelle_model::id::{EventId, JobKey, RowKey};
use passerelle_model::named::RowName;
use passerelle_queue::loops::Parked;
use passerelle_store::{EventStory, Store};
use serde::Serialize;

use crate::console::Console;
use crate::operator::{Freshness, Operator};
use crate::rows::row_key;
use crate::text::Text;
use crate::trouble::Trouble;

pub(crate) use story::story_in_words;

/// Rows of one event that are looked up among the parked ones.
const MOST_LOOKED_AT: usize = 20;

/// `trace`.
#[derive(Debug, Args)]
pub struct Trace {
    /// An event id (from Baserow's webhook log); a row: t2/r5, 2/5, projet/5, or the address
    /// of the row or of its page; page/ID of a wiki page, or share/ID.
    #[arg(value_parser = subject)]
    pub subject: Subject,
    /// For a row: the number of events to show, newest first.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub limit: u32,
}

/// What to trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// All deliveries with this event id.
    Event(EventId),
    /// The latest events of this row.
    Row(RowName),
    /// The latest events of a wiki page or a share.
    Wiki(JobKey),
}

/// The answer.
#[derive(Debug, Serialize)]
struct History {
    events: Vec<Event>,
    /// Those of their rows that the loop guard has parked.
    parked: Vec<Parked>,
    #[serde(flatten)]
    freshness: Freshness,
}

#[derive(Debug, Serialize)]
struct Event {
    #[serde(flatten)]
    story: EventStory,
    /// For each item: why it ended so, or what it waits for.
    why: Vec<String>,
}

/// Shows the history; fails if there is none. Without the ledger it shows what Redis knows.
pub async fn run(operator: &Operator, verb: &Trace, console: &mut Console) -> Result<(), Trouble> {
    let subject = match &verb.subject {
        Subject::Row(row) => Wanted::Job(JobKey::Row(row_key(row, operator).await?)),
        Subject::Wiki(job) => Wanted::Job(job.clone()),
        Subject::Event(event) => Wanted::Event(event.clone()),
    };
    match history(operator, &subject, verb.limit).await {
        Ok(history) => console.answer(&history, in_words),
        Err(trouble @ Trouble::Store(_)) => without_ledger::show(operator, &subject, &trouble, console).await,
        Err(trouble) => Err(trouble),
    }
}

/// What to look for.
enum Wanted {
    Event(EventId),
    Job(JobKey),
}

impl Wanted {
    fn in_words(&self) -> String {
        match self {
            Self::Event(event) => format!("event {event}"),
            Self::Job(JobKey::Row(row)) => format!("event of row {row}"),
            Self::Job(job) => format!("event of {job}"),
        }
    }
}

async fn history(operator: &Operator, subject: &Wanted, limit: u32) -> Result<History, Trouble> {
    let store = operator.store().await?;
    let freshness = operator.catch_up(store).await;
    let stories = match subject {
        Wanted::Event(event) => find_event(store, event).await?,
        Wanted::Job(JobKey::Row(row)) => store.trace_row(*row, limit).await?,
        Wanted::Job(job) => store.trace_job(job, limit).await?,
    };
    if stories.is_empty() {
        return Err(Trouble::NotFound(unknown(&subject.in_words(), &freshness)));
    }
    let parked = parked(operator, &stories).await;
    let events = stories
        .into_iter()
        .map(|story| Event {
            why: story
                .items
                .iter()
                .map(|item| why(&story, item, Tongue::English))
                .collect(),
            story,
        })
        .collect();
    Ok(History {
        events,
        parked,
        freshness,
    })
}

fn in_words(history: &History) -> Text {
    let mut text = Text::default();
    for event in &history.events {
        text.append(story_in_words(&event.story));
        let _ = writeln!(text);
    }
    for line in history
        .parked
        .iter()
        .map(parked_in_words)
        .chain(history.freshness.warning())
    {
        let _ = writeln!(text, "{line}");
    }
    text
}

/// A row in any of its spellings, a page, a share or a table, or else an event id.
fn subject(text: &str) -> Result<Subject, String> {
    if let Ok(row) = RowName::parse(text) {
        return Ok(Subject::Row(row));
    }
    if let Some(job) = JobKey::parse(text)
        .ok()
        .filter(|job| matches!(job, JobKey::Page(_) | JobKey::Share(_) | JobKey::Table(_)))
    {
        return Ok(Subject::Wiki(job));
    }
    let event = EventId::parse(text).map_err(|error| format!("{error}; give an event id or a row such as t2/r5"))?;
    Ok(Subject::Event(event))
}

/// The rows with open items that are parked. Without Redis there are none; the ledger's freshness
/// says so.
async fn parked(operator: &Operator, stories: &[EventStory]) -> Vec<Parked> {
    let items = stories.iter().flat_map(|story| &story.items);
    let open: BTreeSet<RowKey> = items
        .filter(|item| item.outcome.is_none())
        .filter_map(|item| item.row)
        .collect();
    let mut parked = Vec::new();
    for row in open.into_iter().take(MOST_LOOKED_AT) {
        match operator.loops.parked(row).await {
            Ok(found) => parked.extend(found),
            Err(_) => break,
        }
    }
    parked
}

/// A parked row, as `stats` shows it too.
pub(crate) fn parked_in_words(Parked { row, until, .. }: &Parked) -> String {
    format!("{row} is parked until {until} by the loop guard: find the automation that writes into it again and again.")
}

/// By the event id; or by a delivery key (`7-<event id>-0`), as logs show it.
async fn find_event(store: &Store, event: &EventId) -> Result<Vec<EventStory>, Trouble> {
    let stories = store.trace_event(event).await?;
    if !stories.is_empty() {
        return Ok(stories);
    }
    let inner = event
        .as_str()
        .split_once('-')
        .and_then(|(_, rest)| rest.rsplit_once('-'));
    match inner.map(|(inner, _)| EventId::parse(inner)) {
        Some(Ok(inner)) => {
            let mut stories = store.trace_event(&inner).await?;
            stories.retain(|story| story.key.to_string() == event.as_str());
            Ok(stories)
        }
        _ => Ok(stories),
    }
}

fn unknown(what: &str, freshness: &Freshness) -> String {
    let advice =
        "Was it ever accepted? Check the webhook in Baserow: is it active, and what did its last calls return?";
    match freshness.warning() {
        Some(warning) => format!("no {what} is recorded. {advice}\n{warning}"),
        None => format!("no {what} is recorded. {advice}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_known_by_its_stroke() {
        assert_eq!(
            subject("projet/5"),
            Ok(Subject::Row(RowName::parse("projet/5").unwrap()))
        );
    }

    #[test]
    fn anything_else_is_an_event_id_if_it_can_be_one() {
        let id = "3e0c9d1a-0000-4000-8000-000000000001";
        assert_eq!(subject(id), Ok(Subject::Event(EventId::parse(id).unwrap())));
        assert!(subject("a b").unwrap_err().contains("t2/r5"));
    }
}
