//! What the calls of this process gave, gathered for a moment: a healthy bridge pays one small call
//! in 250 ms, however many calls it makes.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::GateName;
use super::policy::millis;
use crate::server::scripts::Call;

/// How one call to a target ended, as far as the target's health is concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallResult {
    /// It answered for itself, be it with a refusal of this one row or page.
    Answered,
    /// It failed.
    Failed(String),
    /// It did not answer in time.
    NoAnswer(String),
    /// There was no connection to be had.
    NoConnection(String),
    /// It asked us to come back later; after the named time, if it named one.
    Throttled(Option<Duration>),
    /// Our account as a whole was refused.
    Refused(String),
}

/// Counts of one gate since the last report.
#[derive(Debug, Default)]
struct Counts {
    answered: u64,
    failed: u64,
    row: u64,
    connects: u64,
    silent: u64,
    refused: u64,
    throttled: Option<Duration>,
    fastest: Option<Duration>,
    why: String,
}

impl Counts {
    /// `unnamed_wait` is for a target that does not say how long to keep away.
    fn add(&mut self, result: CallResult, unnamed_wait: Duration) {
        match result {
            CallResult::Answered => {
                self.answered += 1;
                (self.row, self.connects, self.silent, self.refused) = (0, 0, 0, 0);
            }
            CallResult::Failed(why) => {
                (self.connects, self.silent) = (0, 0);
                self.fail(why);
            }
            CallResult::NoAnswer(why) => {
                (self.connects, self.silent) = (0, self.silent + 1);
                self.fail(why);
            }
            CallResult::NoConnection(why) => {
                (self.connects, self.silent) = (self.connects + 1, 0);
                self.fail(why);
            }
            CallResult::Throttled(wait) => {
                self.throttled = self.throttled.max(Some(wait.unwrap_or(unnamed_wait)));
                "too many requests".clone_into(&mut self.why);
            }
            CallResult::Refused(why) => {
                self.refused += 1;
                self.why = why;
            }
        }
    }

    fn fail(&mut self, why: String) {
        self.failed += 1;
        self.row += 1;
        self.why = why;
    }
}

/// The counts of all gates.
#[derive(Debug, Default)]
pub(super) struct Reports {
    counts: Mutex<[Counts; GateName::ALL.len()]>,
    urgent: Notify,
    any: Notify,
}

impl Reports {
    /// Counts one result. Anything but an answer is reported at once.
    pub(super) fn add(&self, gate: GateName, result: CallResult, unnamed_wait: Duration) {
        let is_urgent = result != CallResult::Answered;
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, counts) in GateName::ALL.into_iter().zip(counts.iter_mut()) {
            if name == gate {
                counts.add(result, unnamed_wait);
                break;
            }
        }
        drop(counts);
        self.any.notify_one();
        if is_urgent {
            self.urgent.notify_one();
        }
    }

    /// Notes how long an answer took.
    pub(super) fn add_time(&self, gate: GateName, took: Duration) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, counts) in GateName::ALL.into_iter().zip(counts.iter_mut()) {
            if name == gate {
                counts.fastest = Some(counts.fastest.map_or(took, |fastest| fastest.min(took)));
            }
        }
    }

    /// Waits until there is something to report: at once after a failure, else after `every`.
    pub(super) async fn due(&self, every: Duration) {
        self.any.notified().await;
        let _ = tokio::time::timeout(every, self.urgent.notified()).await;
    }

    /// Takes what was counted and writes it behind the other arguments.
    pub(super) fn write(&self, call: &mut Call) {
        let counts = std::mem::take(&mut *self.counts.lock().unwrap_or_else(PoisonError::into_inner));
        for (gate, counts) in GateName::ALL.into_iter().zip(counts) {
            if counts.answered + counts.failed + counts.refused == 0 && counts.throttled.is_none() {
                continue;
            }
            call.arg(gate.as_str()).arg(counts.answered).arg(counts.failed);
            call.arg(counts.row)
                .arg(counts.connects)
                .arg(counts.silent)
                .arg(counts.refused);
            match counts.throttled {
                Some(wait) => call.arg(millis(wait)),
                None => call.arg(-1),
            };
            match counts.fastest {
                Some(fastest) => call.arg(fastest.as_secs_f64() * 1000.0),
                None => call.arg(-1),
            };
            call.arg(counts.why);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(5);

    #[test]
    fn an_answer_ends_every_row_of_failures() {
        let mut counts = Counts::default();
        counts.add(CallResult::NoConnection("refused".to_owned()), SOON);
        counts.add(CallResult::Failed("503".to_owned()), SOON);
        counts.add(CallResult::NoAnswer("time-out".to_owned()), SOON);
        assert_eq!(
            (counts.failed, counts.row, counts.connects, counts.silent),
            (3, 3, 0, 1)
        );
        counts.add(CallResult::Answered, SOON);
        assert_eq!(
            (counts.answered, counts.failed, counts.row, counts.silent),
            (1, 3, 0, 0)
        );
    }

    #[test]
    fn the_longest_wait_that_a_target_asks_for_counts() {
        let mut counts = Counts::default();
        counts.add(CallResult::Throttled(Some(Duration::from_mins(10))), SOON);
        counts.add(CallResult::Throttled(None), SOON);
        counts.add(CallResult::Throttled(Some(Duration::from_secs(5))), SOON);
        assert_eq!(counts.throttled, Some(Duration::from_mins(10)));
    }
}
