//! What was done in one attempt, step by step: the material of `trace`.

use std::time::{Duration, Instant};

use passerelle_model::ledger::Step;

use crate::failure::Failure;

/// Most steps that are kept of one attempt; a sync needs about ten.
const MOST_STEPS: usize = 100;

/// The steps of one attempt, in order.
#[derive(Debug)]
pub struct Journal {
    began: Instant,
    steps: Vec<Step>,
}

impl Default for Journal {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            steps: Vec::new(),
        }
    }
}

impl Journal {
    /// Records a step that is no call: a decision, in words.
    pub fn note(&mut self, name: &str, note: impl Into<String>) {
        self.push(Step {
            name: name.to_owned(),
            request: None,
            status: None,
            duration_ms: 0,
            at_ms: Some(millis(self.began.elapsed())),
            class: None,
            note: Some(note.into()),
        });
    }

    /// Records a call to a foreign system, whatever came of it.
    pub(crate) fn call<T>(&mut self, name: &str, request: String, began: Instant, result: &Result<T, Failure>) {
        let (status, class, note) = match result {
            Ok(_) => (Some(200), None, None),
            Err(failure) => (failure.status, Some(failure.class), Some(failure.message.clone())),
        };
        self.push(Step {
            name: name.to_owned(),
            request: Some(request),
            status,
            duration_ms: millis(began.elapsed()),
            at_ms: Some(millis(began.saturating_duration_since(self.began))),
            class,
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

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
