//! `sync`: a forced sync of one row, and waiting for its end.

use std::time::Duration;

use passerelle_model::id::{EventId, RowKey};
use passerelle_model::outcome::Outcome;
use passerelle_store::EventStory;
use serde::Serialize;
use tokio::time::MissedTickBehavior;

use crate::Console;
use crate::bridge::Bridge;
use crate::cli::SyncRow;
use crate::rows::Source;
use crate::trace::story_in_words;
use crate::trouble::Trouble;

/// How often to look whether it has ended.
const LOOK_EVERY: Duration = Duration::from_millis(300);

/// The answer.
#[derive(Debug, Serialize)]
struct Forced {
    row: RowKey,
    /// The new event, by which it can be traced.
    event: EventId,
    /// What it waits for, where that is known.
    notes: Vec<String>,
    /// With `--wait`: how it went.
    #[serde(skip_serializing_if = "Option::is_none")]
    story: Option<EventStory>,
}

/// Asks for the sync; with `--wait` tells how it ended, and fails unless the page now equals the row.
pub async fn run(
    bridge: &Bridge,
    (verb, source): (SyncRow, &Source),
    user: Option<String>,
    json: bool,
    console: &mut Console,
) -> Result<(), Trouble> {
    let by = verb.by.who(user)?;
    let row = verb.row.resolve(source, &bridge.redis).await?;
    let event = bridge.queue.force(row, &by, verb.why.trim()).await?;
    let mut forced = Forced {
        row,
        event,
        notes: notes(bridge).await?,
        story: None,
    };
    if !verb.wait {
        return console.tell(json, &forced, in_words);
    }
    for note in &forced.notes {
        console.complain(note);
    }
    let stop = console.stop.clone();
    tokio::select! {
        story = ended(bridge, &forced.event) => forced.story = Some(story?),
        () = stop.cancelled() => console.complain("No longer waiting; the sync goes on."),
    }
    console.tell(json, &forced, in_words)?;
    match forced.story.as_ref().map(outcome) {
        Some(Some(Outcome::Synced | Outcome::NoChange | Outcome::Superseded | Outcome::Echo)) => Ok(()),
        Some(Some(other)) => Err(Trouble::Failed(format!("it ended as {other}"))),
        Some(None) | None => Err(Trouble::Interrupted(format!(
            "See how it goes on: passerelle trace {}",
            forced.event
        ))),
    }
}

/// Why it may not begin at once.
async fn notes(bridge: &Bridge) -> Result<Vec<String>, Trouble> {
    let mut notes = Vec::new();
    if let Some(pause) = bridge.queue.stats().await?.paused {
        notes.push(format!("The queue is paused by {} ({}).", pause.by, pause.why));
    }
    if bridge.queue.workers().await?.is_empty() {
        notes.push("No worker is alive: it is done when one is started.".to_owned());
    }
    Ok(notes)
}

/// The story of an event, once every row of it has an outcome.
pub(crate) async fn ended(bridge: &Bridge, event: &EventId) -> Result<EventStory, Trouble> {
    let mut looks = tokio::time::interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        bridge.catch_up().await;
        let stories = bridge.store.trace_event(event).await?;
        if let Some(story) = stories.into_iter().find(|story| outcome(story).is_some()) {
            return Ok(story);
        }
    }
}

/// The outcome of a forced event, which has one row.
pub(crate) fn outcome(story: &EventStory) -> Option<&Outcome> {
    story.items.first().and_then(|item| item.outcome.as_ref())
}

fn in_words(forced: &Forced) -> String {
    let Forced {
        row,
        event,
        notes,
        story,
    } = forced;
    if let Some(story) = story {
        return story_in_words(story);
    }
    let mut lines = vec![format!(
        "Row {row} will be synced. See how it goes: passerelle trace {event}"
    )];
    lines.extend(notes.iter().cloned());
    lines.join("\n")
}
