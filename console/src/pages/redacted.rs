//! What a reader is shown where row contents are for operators only: a failure without its message,
//! a step without its note. Values of a row stand nowhere else.

use passerelle_model::ledger::{FailureRecord, Verdict};
use passerelle_queue::gate::GateStatus;
use passerelle_store::EventStory;

use crate::words::Tongue;

/// A failure without what the other system said.
pub(crate) fn failure(failure: &mut FailureRecord, tongue: Tongue) {
    failure.message = tongue.say("contents.hidden", &[]);
    failure.body = None;
}

/// Whether a gate is as it is by the rule: then it may tell what a system said. What an operator
/// says stays.
pub(crate) fn is_by_rule(gate: &GateStatus) -> bool {
    gate.by.as_deref().is_none_or(|by| by == "rule")
}

/// A story without what was said in it.
pub(crate) fn story(story: &mut EventStory, tongue: Tongue) {
    for attempt in story.items.iter_mut().flat_map(|item| &mut item.attempts) {
        match &mut attempt.verdict {
            Verdict::Retry { failure: told, .. }
            | Verdict::Hold { failure: told, .. }
            | Verdict::Bury { failure: told, .. } => failure(told, tongue),
            Verdict::Done(_) | Verdict::GiveBack => {}
        }
        for step in &mut attempt.steps {
            step.note = None;
            step.request = step.request.take().map(|request| bare(&request));
        }
    }
    for told in &mut story.notices {
        told.notice.error = told.notice.error.take().map(|_| tongue.say("contents.hidden", &[]));
    }
}

/// A call without its query, which may search for a value.
fn bare(request: &str) -> String {
    request.split('?').next().unwrap_or_default().to_owned()
}
