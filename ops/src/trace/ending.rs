//! Why an item ended as it did, or what it waits for, in words for people who have never seen the
//! code.

use std::time::Duration;

use passerelle_model::id::JobKey;
use passerelle_model::ledger::{AttemptRecord, FailureClass, FailureRecord, Verdict};
use passerelle_model::outcome::{IgnoredReason, Outcome};
use passerelle_store::{EventStory, ItemStory, OperatorAct};

/// The reason by which the ingress closes rows that it cannot read.
const UNREADABLE_ROWS: &str = "unreadable_rows";

/// The steps that write a page, or its address into the row.
const WRITES: [&str; 6] = [
    "create_page",
    "update_page",
    "restore_page",
    "move_page",
    "place_page",
    "write_back",
];

pub(super) fn why(story: &EventStory, item: &ItemStory) -> String {
    let Some(outcome) = &item.outcome else {
        return waiting(item);
    };
    let sentence = ended(story, item, outcome);
    if *outcome == Outcome::NoChange && item.attempts.iter().any(worker_died) {
        return format!("{sentence} An earlier attempt, whose worker died before it could report, may have done it.");
    }
    sentence
}

/// Whether the attempt's worker died: what it had done by then is not in the ledger.
fn worker_died(attempt: &AttemptRecord) -> bool {
    matches!(&attempt.verdict, Verdict::Retry { failure, .. } if failure.class == FailureClass::Poison)
}

fn ended(story: &EventStory, item: &ItemStory, outcome: &Outcome) -> String {
    let after = item
        .closed
        .map(|closed| closed.since(story.received))
        .unwrap_or_default();
    if let Some(sentence) = item.job.as_ref().and_then(|job| of_no_row(job, outcome)) {
        return sentence.to_owned();
    }
    match outcome {
        Outcome::Synced => format!("{}, {} after the event arrived.", done(item), span(after)),
        Outcome::NoChange => unchanged(item).to_owned(),
        Outcome::Echo => {
            "The bridge's own write into the row caused this event, so there was nothing to do.".to_owned()
        }
        Outcome::Duplicate => "The same delivery had been accepted before, so nothing was done twice.".to_owned(),
        Outcome::Superseded => {
            "A later event of the same row ran in its place: the page has the newer state.".to_owned()
        }
        Outcome::Ignored(reason) => ignored(*reason).to_owned(),
        Outcome::RowNotFound => "The row is no longer in Baserow and has no page: there was nothing to do.".to_owned(),
        Outcome::Dead(reason) => dead(reason, item),
        Outcome::Rejected(reason) if reason == UNREADABLE_ROWS => {
            "Some rows of this delivery have no readable number, so they were skipped; the others were accepted."
                .to_owned()
        }
        Outcome::Rejected(reason) => format!("It was rejected: {reason}."),
    }
}

/// Why nothing was written. It says that the page equals the row only if somebody looked at it.
fn unchanged(item: &ItemStory) -> &'static str {
    let Some(attempt) = item.attempts.last() else {
        return "The event changed nothing that a rule uses, so nothing was written. Nobody looked at the page.";
    };
    let did = |name: &str| attempt.steps.iter().any(|step| step.name == name);
    if did("page_equals") {
        "The page was looked at and equals the row, so nothing was written."
    } else if did("page_left") {
        "People put the page into the trash, and its rule respects that: nothing was written."
    } else {
        "The row asks for what was last written to its page, so nothing was written. Nobody looked at the page."
    }
}

/// What the last attempt did, by its steps: a row may have a page, or appear on the pages of
/// others, or both.
fn done(item: &ItemStory) -> &'static str {
    let steps = item.attempts.last().map(|attempt| attempt.steps.as_slice());
    let did = |names: &[&str]| {
        let mut steps = steps.unwrap_or_default().iter();
        steps.any(|step| names.contains(&step.name.as_str()))
    };
    if did(&WRITES) {
        "The page was made equal to the row"
    } else if did(&["trash_page"]) {
        "The page went to the trash, because its row no longer exists"
    } else if did(&["notify", "tell", "check_capacity"]) {
        "People were notified of it"
    } else if did(&["propagate", "wake_rows"]) {
        "A sync was requested of the rows whose pages show this one"
    } else {
        "The page was made equal to the row"
    }
}

/// Jobs of a page, a share or a whole table, which the usual words do not fit.
fn of_no_row(job: &JobKey, outcome: &Outcome) -> Option<&'static str> {
    if matches!(job, JobKey::Table(_)) {
        return (*outcome == Outcome::Synced).then_some(
            "The delivery had too many rows to name them, so a comparison of all rows of its table with their pages \
             was requested.",
        );
    }
    let is_share = job.share().is_some();
    match outcome {
        Outcome::Synced if is_share => Some("The share was new: the ledger has it, and the admin was notified."),
        Outcome::NoChange if is_share => Some("The share was already known, so no second notice was sent."),
        Outcome::Synced => Some("The row of the wiki page was written."),
        Outcome::NoChange => Some("The row of the wiki page needed no change."),
        Outcome::Superseded => Some("A later event of the same page ran in its place."),
        Outcome::Ignored(IgnoredReason::NoRule) => Some("No wiki rule in bridge.toml matches it."),
        _ => None,
    }
}

fn ignored(reason: IgnoredReason) -> &'static str {
    match reason {
        IgnoredReason::NoRule => "No rule in bridge.toml watches this table and kind of event.",
        IgnoredReason::TestCall => "It was Baserow's test call: it shows that the webhook works, and requests nothing.",
        IgnoredReason::UnknownEvent => "No rule can use this kind of event.",
        IgnoredReason::NoRows => "It names no rows: Baserow sends such events when a linked table is edited.",
    }
}

fn waiting(item: &ItemStory) -> String {
    match item.attempts.last() {
        None => "It waits for a worker, or a worker is running it right now.".to_owned(),
        Some(AttemptRecord { verdict, ended, .. }) => match verdict {
            Verdict::Retry { after_ms, failure } => format!(
                "The next attempt is at {}, because {}.",
                ended.plus(Duration::from_millis(*after_ms)),
                cause(failure)
            ),
            Verdict::Hold { after_ms, failure } => format!(
                "It is held until {}, because {}. Holding counts no attempt.",
                ended.plus(Duration::from_millis(*after_ms)),
                cause(failure)
            ),
            Verdict::GiveBack => "Its worker was stopping; the next free worker takes it.".to_owned(),
            Verdict::Done(_) | Verdict::Bury { .. } => "It was queued again and waits for a worker.".to_owned(),
        },
    }
}

fn dead(reason: &str, item: &ItemStory) -> String {
    let gave_up = match item.attempts.last().map(|attempt| (&attempt.verdict, attempt.attempt)) {
        Some((Verdict::Bury { failure, .. }, attempts)) => {
            let attempts = if attempts > 1 {
                format!(" after {attempts} attempts")
            } else {
                String::new()
            };
            format!("It is dead{attempts} ({reason}), because {}.", cause(failure))
        }
        _ => format!("It is dead ({reason})."),
    };
    let then = match item.acts.last() {
        Some(OperatorAct {
            act,
            by,
            event: Some(event),
            why,
            ..
        }) if act == "replayed" => {
            let why = why.as_ref().map_or_else(String::new, |why| format!(" ({why})"));
            format!("{by} replayed it as event {event}{why}: trace the row to see the outcome.")
        }
        Some(OperatorAct { by, why, .. }) => {
            format!("{by} discarded it: {}.", why.as_deref().unwrap_or("no reason given"))
        }
        None => "It is kept as a dead letter: fix the cause, then replay it (passerelle dead list).".to_owned(),
    };
    format!("{gave_up} {then}")
}

/// The failure as the second half of a sentence.
fn cause(failure: &FailureRecord) -> String {
    let (who, message) = (name(&failure.target), failure.message.trim_end_matches('.'));
    match failure.class {
        FailureClass::Transient => format!("{who} was unavailable: {message}"),
        FailureClass::Throttled if failure.target == "bridge" => message.to_owned(),
        FailureClass::Throttled => format!("{who} throttled the bridge: {message}"),
        FailureClass::Auth => format!("{who} rejected the bridge's account: {message}"),
        FailureClass::Ambiguous => format!("{who} may or may not have carried out the call: {message}"),
        FailureClass::Gone => format!("something no longer exists in {who}: {message}"),
        FailureClass::Permanent if failure.target == "bridge" => format!("the row does not fit its rule: {message}"),
        FailureClass::Permanent => format!("{who} does not accept it as it is: {message}"),
        FailureClass::Poison => format!("it crashed the workers that ran it: {message}"),
    }
}

/// The system as people call it.
fn name(target: &str) -> &str {
    match target {
        "baserow" => "Baserow",
        "docmost" => "Docmost",
        "store" => "the database",
        "redis" => "Redis",
        "bridge" => "the bridge",
        "smtp" => "the mail server",
        "slack" => "Slack",
        other => other,
    }
}

/// A duration for people.
pub(super) fn span(duration: Duration) -> String {
    match duration.as_millis() {
        millis @ 0..1000 => format!("{millis} ms"),
        1000..120_000 => format!("{:.1} s", duration.as_secs_f64()),
        _ => format!("{} min", duration.as_secs() / 60),
    }
}
