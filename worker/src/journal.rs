//! What was done in one attempt, step by step: the material of `trace`.

use std::time::Instant;

use passerelle_model::ledger::Step;

use crate::failure::Failure;

/// Most steps that are kept of one attempt; a sync needs about ten.
const MOST_STEPS: usize = 100;

/// The steps of one attempt, in order.
#[derive(Debug, Default)]
pub struct Journal {
    steps: Vec<Step>,
}

impl Journal {
    /// Records a step that is no call: a decision, in words.
    pub fn note(&mut self, name: &str, note: impl Into<String>) {
        self.push(Step {
            name: name.to_owned(),
            request: None,
            status: None,
            duration_ms: 0,
            note: Some(note.into()),
        });
    }

    /// Records a call to a foreign system, whatever came of it.
    pub(crate) fn call<T>(&mut self, name: &str, request: String, began: Instant, result: &Result<T, Failure>) {
        let (status, note) = match result {
            Ok(_) => (Some(200), None),
            Err(failure) => (failure.status, Some(failure.message.clone())),
        };
        let duration_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.push(Step {
            name: name.to_owned(),
            request: Some(request),
            status,
            duration_ms,
            note,
        });
    }

    pub fn into_steps(self) -> Vec<Step> {
        self.steps
    }

    fn push(&mut self, step: Step) {
        tracing::debug!(
            step = step.name,
            status = step.status,
            duration_ms = step.duration_ms,
            note = step.note,
            "step"
        );
        if self.steps.len() < MOST_STEPS {
            self.steps.push(step);
        }
    }
}
