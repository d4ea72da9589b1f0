//! Why an item ended as it did, or what it waits for, in words for people who have never seen the
//! code. The operator's program says the same.

use std::time::Duration;

use passerelle_model::id::JobKey;
use passerelle_model::ledger::{AttemptRecord, FailureClass, FailureRecord, Verdict};
use passerelle_model::outcome::{IgnoredReason, Outcome};
use passerelle_store::{EventStory, ItemStory, OperatorAct};

use crate::words::Tongue;

pub(crate) mod search;

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

/// The reason in one sentence, or two.
pub fn why(story: &EventStory, item: &ItemStory, tongue: Tongue) -> String {
    let Some(outcome) = &item.outcome else {
        return waiting(item, tongue);
    };
    let sentence = ended(story, item, outcome, tongue);
    if *outcome == Outcome::NoChange && item.attempts.iter().any(worker_died) {
        return format!("{sentence} {}", tongue.say("why.worker_died", &[]));
    }
    sentence
}

/// Whether the attempt's worker died: what it had done by then is not in the ledger.
fn worker_died(attempt: &AttemptRecord) -> bool {
    matches!(&attempt.verdict, Verdict::Retry { failure, .. } if failure.class == FailureClass::Poison)
}

fn ended(story: &EventStory, item: &ItemStory, outcome: &Outcome, tongue: Tongue) -> String {
    let after = item
        .closed
        .map(|closed| closed.since(story.received))
        .unwrap_or_default();
    if let Some(key) = item.job.as_ref().and_then(|job| of_no_row(job, outcome)) {
        return tongue.say(key, &[]);
    }
    match outcome {
        Outcome::Synced => {
            let done = tongue.say(done(item), &[]);
            tongue.say("why.synced", &[("done", &done), ("after", &tongue.took(after))])
        }
        Outcome::NoChange => tongue.say(unchanged(item), &[]),
        Outcome::Echo => tongue.say("why.echo", &[]),
        Outcome::Duplicate => tongue.say("why.duplicate", &[]),
        Outcome::Superseded => tongue.say("why.superseded", &[]),
        Outcome::Ignored(reason) => tongue.say(ignored(*reason), &[]),
        Outcome::RowNotFound => tongue.say("why.row_not_found", &[]),
        Outcome::Dead(reason) => dead(reason, item, tongue),
        Outcome::Rejected(reason) if reason == UNREADABLE_ROWS => tongue.say("why.unreadable_rows", &[]),
        Outcome::Rejected(reason) => tongue.say("why.rejected", &[("reason", reason)]),
    }
}

/// Why nothing was written. It says that the page equals the row only if somebody looked at it.
fn unchanged(item: &ItemStory) -> &'static str {
    let Some(attempt) = item.attempts.last() else {
        return "why.unused_change";
    };
    let did = |name: &str| attempt.steps.iter().any(|step| step.name == name);
    if did("page_equals") {
        "why.page_equals"
    } else if did("page_left") {
        "why.page_left"
    } else {
        "why.as_last_written"
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
        "why.done.written"
    } else if did(&["trash_page"]) {
        "why.done.trashed"
    } else if did(&["notify", "tell", "check_capacity"]) {
        "why.done.notified"
    } else if did(&["propagate", "wake_rows"]) {
        "why.done.propagated"
    } else {
        "why.done.written"
    }
}

/// Jobs of a page, a share or a whole table, which the usual words do not fit.
fn of_no_row(job: &JobKey, outcome: &Outcome) -> Option<&'static str> {
    if matches!(job, JobKey::Table(_)) {
        return (*outcome == Outcome::Synced).then_some("why.table");
    }
    let is_share = job.share().is_some();
    match outcome {
        Outcome::Synced if is_share => Some("why.share_new"),
        Outcome::NoChange if is_share => Some("why.share_known"),
        Outcome::Synced => Some("why.wiki_written"),
        Outcome::NoChange => Some("why.wiki_unchanged"),
        Outcome::Superseded => Some("why.wiki_superseded"),
        Outcome::Ignored(IgnoredReason::NoRule) => Some("why.wiki_no_rule"),
        _ => None,
    }
}

fn ignored(reason: IgnoredReason) -> &'static str {
    match reason {
        IgnoredReason::NoRule => "why.no_rule",
        IgnoredReason::TestCall => "why.test_call",
        IgnoredReason::UnknownEvent => "why.unknown_event",
        IgnoredReason::NoRows => "why.no_rows",
    }
}

fn waiting(item: &ItemStory, tongue: Tongue) -> String {
    let Some(AttemptRecord { verdict, ended, .. }) = item.attempts.last() else {
        return tongue.say("why.waits", &[]);
    };
    let again = |key: &str, after_ms: u64, failure: &FailureRecord| {
        let at = ended.plus(Duration::from_millis(after_ms)).to_string();
        tongue.say(key, &[("at", &at), ("cause", &cause(failure, tongue))])
    };
    match verdict {
        Verdict::Retry { after_ms, failure } => again("why.retried", *after_ms, failure),
        Verdict::Hold { after_ms, failure } => again("why.held", *after_ms, failure),
        Verdict::GiveBack => tongue.say("why.given_back", &[]),
        Verdict::Done(_) | Verdict::Bury { .. } => tongue.say("why.queued_again", &[]),
    }
}

fn dead(reason: &str, item: &ItemStory, tongue: Tongue) -> String {
    let gave_up = match item.attempts.last().map(|attempt| (&attempt.verdict, attempt.attempt)) {
        Some((Verdict::Bury { failure, .. }, attempts)) => {
            let (number, cause) = (attempts.to_string(), cause(failure, tongue));
            let values = [("attempts", number.as_str()), ("reason", reason), ("cause", &cause)];
            tongue.say(if attempts > 1 { "why.dead_after" } else { "why.dead" }, &values)
        }
        _ => tongue.say("why.dead_only", &[("reason", reason)]),
    };
    let then = match item.acts.last() {
        Some(act) => acted(act, tongue),
        None => tongue.say("why.dead_letter", &[]),
    };
    format!("{gave_up} {then}")
}

fn acted(act: &OperatorAct, tongue: Tongue) -> String {
    let OperatorAct { by, why, event, .. } = act;
    match event {
        Some(event) if act.act == "replayed" => {
            let why = why.as_ref().map_or_else(String::new, |why| format!(" ({why})"));
            tongue.say("why.replayed", &[("by", by), ("event", event), ("why", &why)])
        }
        _ => {
            let none = tongue.say("why.no_reason", &[]);
            tongue.say("why.discarded", &[("by", by), ("why", why.as_ref().unwrap_or(&none))])
        }
    }
}

/// The failure as the second half of a sentence.
pub fn cause(failure: &FailureRecord, tongue: Tongue) -> String {
    let (who, message) = (tongue.system(&failure.target), failure.message.trim_end_matches('.'));
    let is_ours = failure.target == "bridge";
    let key = match failure.class {
        FailureClass::Throttled if is_ours => return message.to_owned(),
        FailureClass::Transient => "cause.transient",
        FailureClass::Throttled => "cause.throttled",
        FailureClass::Auth => "cause.auth",
        FailureClass::Ambiguous => "cause.ambiguous",
        FailureClass::Gone => "cause.gone",
        FailureClass::Permanent if is_ours => "cause.rule",
        FailureClass::Permanent => "cause.permanent",
        FailureClass::Poison => "cause.poison",
    };
    tongue.say(key, &[("who", &who), ("message", message)])
}
