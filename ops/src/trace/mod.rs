//! `trace`: the whole story of an event or of a row, and why it ended so.

mod ending;
mod tell;

use std::collections::BTreeSet;

use passerelle_model::id::{EventId, RowKey};
use passerelle_queue::loops::Parked;
use passerelle_store::EventStory;
use serde::Serialize;

use crate::Console;
use crate::bridge::{Bridge, Freshness};
use crate::cli::{Subject, Trace};
use crate::rows::Source;
use crate::trouble::Trouble;

pub(crate) use tell::story_in_words;

/// Rows of one event that are looked up among the parked ones.
const MOST_LOOKED_AT: usize = 20;

/// The answer.
#[derive(Debug, Serialize)]
struct Told {
    events: Vec<ToldEvent>,
    /// Those of their rows that go in circles and are left alone for a while.
    parked: Vec<Parked>,
    #[serde(flatten)]
    freshness: Freshness,
}

#[derive(Debug, Serialize)]
struct ToldEvent {
    #[serde(flatten)]
    story: EventStory,
    /// For each item: why it ended so, or what it waits for.
    why: Vec<String>,
}

/// Tells the story; fails if there is none.
pub async fn run(
    bridge: &Bridge,
    (verb, source): (&Trace, &Source),
    json: bool,
    console: &mut Console,
) -> Result<(), Trouble> {
    let freshness = bridge.catch_up().await;
    let (stories, what) = match &verb.subject {
        Subject::Event(event) => (find_event(bridge, event).await?, format!("no event {event}")),
        Subject::Row(row) => {
            let row = row.resolve(source, &bridge.redis).await?;
            let stories = bridge.store.trace_row(row, verb.limit).await?;
            (stories, format!("no event of row {row}"))
        }
        Subject::Wiki(job) => (
            bridge.store.trace_job(job, verb.limit).await?,
            format!("no event of {job}"),
        ),
    };
    if stories.is_empty() {
        return Err(Trouble::NotFound(unknown(&what, &freshness)));
    }
    let parked = parked(bridge, &stories).await;
    let events = stories
        .into_iter()
        .map(|story| ToldEvent {
            why: story.items.iter().map(|item| ending::why(&story, item)).collect(),
            story,
        })
        .collect();
    console.tell(
        json,
        &Told {
            events,
            parked,
            freshness,
        },
        |told| {
            let mut text: Vec<String> = told.events.iter().map(|event| story_in_words(&event.story)).collect();
            text.extend(told.parked.iter().map(parked_in_words));
            text.extend(told.freshness.warning());
            text.join("\n")
        },
    )
}

/// The rows with open items that are parked. A Redis that does not answer is said elsewhere, and is no reason to tell nothing.
async fn parked(bridge: &Bridge, stories: &[EventStory]) -> Vec<Parked> {
    let items = stories.iter().flat_map(|story| &story.items);
    let open: BTreeSet<RowKey> = items
        .filter(|item| item.outcome.is_none())
        .filter_map(|item| item.row)
        .collect();
    let mut parked = Vec::new();
    for row in open.into_iter().take(MOST_LOOKED_AT) {
        match bridge.loops.parked(row).await {
            Ok(found) => parked.extend(found),
            Err(_) => break,
        }
    }
    parked
}

/// A parked row, as `stats` tells of it too.
pub(crate) fn parked_in_words(Parked { row, until }: &Parked) -> String {
    format!("{row} goes in circles and is left alone until {until}: find the automation that writes into it.")
}

/// By the event id; or by a delivery key (`7-<event id>-0`), as logs show it.
async fn find_event(bridge: &Bridge, event: &EventId) -> Result<Vec<EventStory>, Trouble> {
    let stories = bridge.store.trace_event(event).await?;
    if !stories.is_empty() {
        return Ok(stories);
    }
    let inner = event
        .as_str()
        .split_once('-')
        .and_then(|(_, rest)| rest.rsplit_once('-'));
    match inner.map(|(inner, _)| EventId::parse(inner)) {
        Some(Ok(inner)) => {
            let mut stories = bridge.store.trace_event(&inner).await?;
            stories.retain(|story| story.key.to_string() == event.as_str());
            Ok(stories)
        }
        _ => Ok(stories),
    }
}

fn unknown(what: &str, freshness: &Freshness) -> String {
    let advice =
        "Was it ever accepted? Look at the webhook in Baserow: is it active, and what did its last calls answer?";
    match freshness.warning() {
        Some(warning) => format!("{what} is recorded. {advice}\n{warning}"),
        None => format!("{what} is recorded. {advice}"),
    }
}
