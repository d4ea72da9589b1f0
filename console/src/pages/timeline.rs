//! One row of a story as a timeline: received, each attempt with its calls, the end, what operators
//! did.

use minijinja::{Value, context};
use passerelle_model::ledger::{AttemptRecord, FailureRecord, Verdict};
use passerelle_model::outcome::Outcome;
use passerelle_model::time::Timestamp;
use passerelle_store::{EventStory, ItemStory};

use crate::why::why;
use crate::words::Tongue;

/// How it stands with an item, for its colour.
pub(crate) fn tone_of(item: &ItemStory) -> &'static str {
    match &item.outcome {
        Some(Outcome::Synced) => "done",
        Some(Outcome::Dead(_) | Outcome::Rejected(_)) => "dead",
        Some(_) => "same",
        None => "open",
    }
}

pub(crate) fn item_of(story: &EventStory, item: &ItemStory, tongue: Tongue) -> Value {
    let job = item
        .row
        .map(|row| row.to_string())
        .or_else(|| item.job.as_ref().map(ToString::to_string));
    let outcome = item.outcome.as_ref().map_or("open", Outcome::name);
    context! {
        job => job,
        tone => tone_of(item),
        outcome => tongue.say(&format!("outcome.{outcome}"), &[]),
        closed => item.closed.map(Timestamp::as_millis),
        why => why(story, item, tongue),
        waited => item.attempts.first().map(|first| tongue.took(first.started.since(story.received))),
        attempts => item.attempts.iter().map(|attempt| attempt_of(attempt, tongue)).collect::<Vec<_>>(),
        acts => item.acts.iter().map(|act| context! {
            act => tongue.say(&format!("act.{}", act.act), &[]),
            by => act.by.as_str(),
            why => act.why.as_deref(),
            at => act.at.as_millis(),
        }).collect::<Vec<_>>(),
    }
}

fn attempt_of(attempt: &AttemptRecord, tongue: Tongue) -> Value {
    let failure = match &attempt.verdict {
        Verdict::Retry { failure, .. } | Verdict::Hold { failure, .. } | Verdict::Bury { failure, .. } => Some(failure),
        Verdict::Done(_) | Verdict::GiveBack => None,
    };
    context! {
        number => attempt.attempt,
        worker => attempt.worker.as_str(),
        started => attempt.started.as_millis(),
        took => tongue.took(attempt.ended.since(attempt.started)),
        ended => ended(&attempt.verdict, tongue),
        tone => tone(&attempt.verdict),
        failure => failure.map(|failure| failure_of(failure, tongue)),
        steps => attempt.steps.iter().map(|step| context! {
            name => step.name.as_str(),
            request => step.request.as_deref(),
            status => step.status,
            ms => step.duration_ms,
            note => step.note.as_deref(),
        }).collect::<Vec<_>>(),
    }
}

fn tone(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Done(_) => "done",
        Verdict::Bury { .. } => "dead",
        Verdict::Retry { .. } | Verdict::Hold { .. } | Verdict::GiveBack => "open",
    }
}

fn ended(verdict: &Verdict, tongue: Tongue) -> String {
    let after = |millis: u64| tongue.took(std::time::Duration::from_millis(millis));
    match verdict {
        Verdict::Done(outcome) => tongue.say(&format!("outcome.{}", outcome.name()), &[]),
        Verdict::Retry { after_ms, .. } => tongue.say("attempt.retry", &[("after", &after(*after_ms))]),
        Verdict::Hold { after_ms, .. } => tongue.say("attempt.hold", &[("after", &after(*after_ms))]),
        Verdict::Bury { reason, .. } => tongue.say("attempt.bury", &[("reason", reason)]),
        Verdict::GiveBack => tongue.say("attempt.give_back", &[]),
    }
}

fn failure_of(failure: &FailureRecord, tongue: Tongue) -> Value {
    context! {
        cause => crate::why::cause(failure, tongue),
        status => failure.status,
        answer => failure.body.as_deref(),
    }
}
