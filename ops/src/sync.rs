//! `sync`: a forced sync of one row, and waiting for its end.

use std::time::Duration;

use clap::Args;
use passerelle_model::id::{EventId, JobKey, RowKey};
use passerelle_model::named::RowName;
use passerelle_model::outcome::Outcome;
use passerelle_queue::{JobsOf, QueueName};
use passerelle_store::EventStory;
use serde::Serialize;
use tokio::time::MissedTickBehavior;

use crate::arguments::By;
use crate::changes::{self, compare};
use crate::console::Console;
use crate::jobs::Circumstances;
use crate::operator::Operator;
use crate::rows::row_key;
use crate::text::Text;
use crate::trace::story_in_words;
use crate::trouble::Trouble;

/// How often to look whether it has ended.
const LOOK_EVERY: Duration = Duration::from_millis(300);

/// `sync`.
#[derive(Debug, Args)]
pub struct SyncRow {
    /// The row: projet/42, t2/r42 or 2/42, or the address of the row or of its page. A table's name
    /// needs BASEROW_URL and BASEROW_TOKEN.
    #[arg(value_parser = RowName::parse)]
    pub row: RowName,
    /// Wait for the end and show the outcome. Ctrl-C ends the wait, not the sync.
    #[arg(long)]
    pub wait: bool,
    /// Show what it would change of the page, and do nothing.
    #[arg(long, conflicts_with = "wait")]
    pub dry_run: bool,
    /// Why; kept in the ledger.
    #[arg(long, default_value = "requested by hand")]
    pub why: String,
    /// Who acts.
    #[command(flatten)]
    pub by: By,
}

/// The answer.
#[derive(Debug, Serialize)]
struct Forced {
    row: RowKey,
    /// The new event, by which it can be traced.
    event: EventId,
    /// Why it may not begin at once.
    notes: Vec<String>,
    /// With `--wait`: how it went.
    #[serde(skip_serializing_if = "Option::is_none")]
    story: Option<EventStory>,
}

/// Requests the sync. With `--wait` it shows the outcome, and fails unless the page now equals the
/// row.
pub async fn run(operator: &Operator, verb: SyncRow, console: &mut Console) -> Result<(), Trouble> {
    let row = row_key(&verb.row, operator).await?;
    if verb.dry_run {
        let changes = compare(operator, std::iter::once(row)).await;
        console.answer(&changes, |changes| changes::in_words(changes).trim_end().to_owned())?;
        let trouble = changes.into_iter().find_map(|row| row.trouble);
        return trouble.map_or(Ok(()), |trouble| Err(Trouble::Failed(trouble)));
    }
    let by = operator.acting(verb.by)?;
    let event = operator.queue.force(row, &by, verb.why.trim()).await?;
    let mut forced = Forced {
        row,
        event,
        notes: notes(operator).await?,
        story: None,
    };
    if !verb.wait {
        return console.answer(&forced, in_words);
    }
    for note in &forced.notes {
        console.note(note);
    }
    let stop = console.stop.clone();
    tokio::select! {
        story = ended(operator, &forced.event) => forced.story = Some(story?),
        () = tell_what_it_waits_for(operator, row, console) => {}
        () = stop.cancelled() => console.note("Stopped waiting; the sync continues."),
    }
    console.answer(&forced, in_words)?;
    match forced.story.as_ref().map(outcome) {
        Some(Some(Outcome::Synced | Outcome::NoChange | Outcome::Superseded | Outcome::Echo)) => Ok(()),
        Some(Some(other)) => Err(Trouble::found(
            "ended_otherwise",
            format!("it ended as {other}"),
            "its history says why",
        )),
        Some(None) | None => Err(Trouble::Interrupted(format!(
            "To follow it: passerelle trace {}",
            forced.event
        ))),
    }
}

/// Why it may not begin at once.
async fn notes(operator: &Operator) -> Result<Vec<String>, Trouble> {
    let circumstances = Circumstances::look(operator, QueueName::Sync, &[]).await?;
    let standstill = circumstances.standstill.into_iter();
    Ok(standstill.map(|why| format!("It may wait: {why}.")).collect())
}

/// Says what the row's job is doing, whenever that changes. Never ends by itself.
async fn tell_what_it_waits_for(operator: &Operator, row: RowKey, console: &mut Console) {
    let of = JobsOf::Jobs(vec![JobKey::Row(row)]);
    let mut looks = tokio::time::interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut told = String::new();
    loop {
        looks.tick().await;
        // Whoever waits for the end is told of an error there.
        let Ok(found) = operator.queue.jobs(&of, &[], None, 1).await else {
            continue;
        };
        let Ok(circumstances) = Circumstances::look(operator, QueueName::Sync, &found.jobs).await else {
            continue;
        };
        let Some(seen) = found.jobs.into_iter().next() else {
            continue;
        };
        let why = match (&seen.worker, seen.until) {
            (Some(worker), _) => format!("{worker} runs it"),
            (None, Some(until)) => format!("{}, until {until}", circumstances.reason(&seen)),
            (None, None) => circumstances.reason(&seen),
        };
        if why != told {
            console.note(&format!("Waiting for row {row}: {why}."));
            told = why;
        }
    }
}

/// The story of an event, once every row of it has an outcome.
pub(crate) async fn ended(operator: &Operator, event: &EventId) -> Result<EventStory, Trouble> {
    let mut looks = tokio::time::interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        let store = operator.store().await?;
        operator.catch_up(store).await;
        let stories = store.trace_event(event).await?;
        if let Some(story) = stories.into_iter().find(|story| outcome(story).is_some()) {
            return Ok(story);
        }
    }
}

/// The outcome of a forced event, which has one row.
pub(crate) fn outcome(story: &EventStory) -> Option<&Outcome> {
    story.items.first().and_then(|item| item.outcome.as_ref())
}

fn in_words(forced: &Forced) -> Text {
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
        "A sync of row {row} is queued. To follow it: passerelle trace {event}"
    )];
    lines.extend(notes.iter().cloned());
    lines.join("\n").into()
}
