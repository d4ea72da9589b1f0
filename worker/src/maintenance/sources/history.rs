//! What is known of a webhook from earlier looks of any worker: kept in Redis as
//! `<prefix>:sources`, one field per webhook. At worst its loss repeats a notice; it costs no row
//! and no page.

use std::time::Duration;

use passerelle_model::ledger::FailureClass;
use passerelle_model::time::Timestamp;
use passerelle_queue::Redis;
use redis::AsyncCommands as _;
use serde::{Deserialize, Serialize};

use crate::failure::{Failure, Target};

/// How long a webhook rests after it was switched on once; twice as long after each further time.
const FIRST_REST: Duration = Duration::from_mins(10);
const LONGEST_REST: Duration = Duration::from_hours(6);
/// After so long without failure nothing is held against it.
const CALM: Duration = Duration::from_hours(24);

/// What happened to a webhook.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct WebhookHistory {
    /// How often it was switched on since it was last calm for a day.
    times: u32,
    /// When it was last switched on.
    last: Option<Timestamp>,
    /// The time that it missed, until its rows were compared.
    gap: Option<UnreportedSpan>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct UnreportedSpan {
    since: String,
    step: GapStep,
}

/// How far a gap has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum GapStep {
    /// The webhook is off.
    Seen,
    /// We are about to switch it on.
    SwitchingOn,
    /// It is on; the rows of the gap are to be compared with their pages.
    On,
}

impl WebhookHistory {
    /// It is off, and Baserow says that it last changed at this moment. Returns when it was
    /// switched off: the moment of the first look that saw it, whatever people change of it
    /// meanwhile.
    pub(super) fn is_off(&mut self, moment: &str) -> String {
        let is_known = self.gap.as_ref().is_some_and(|gap| gap.step != GapStep::On);
        if !is_known {
            self.gap = Some(UnreportedSpan {
                since: moment.to_owned(),
                step: GapStep::Seen,
            });
        }
        self.gap.as_ref().map(|gap| gap.since.clone()).unwrap_or_default()
    }

    /// It is on. Returns the gap that we were about to end when a worker vanished.
    pub(super) fn is_on(&mut self, failures: u32, now: Timestamp) -> Option<String> {
        let is_calm = failures == 0 && self.last.is_some_and(|last| now.since(last) > CALM);
        if is_calm {
            (self.times, self.last) = (0, None);
        }
        let gap = self.gap.as_mut()?;
        let was_ours = gap.step == GapStep::SwitchingOn;
        // A person may have been faster: the gap is there all the same.
        gap.step = GapStep::On;
        was_ours.then(|| gap.since.clone())
    }

    /// Until when it is left alone; `None` if it may be switched on.
    pub(super) fn rests_until(&self, now: Timestamp) -> Option<Timestamp> {
        let doublings = self.times.checked_sub(1)?;
        let rest = FIRST_REST.saturating_mul(1 << doublings.min(16)).min(LONGEST_REST);
        let until = self.last?.plus(rest);
        (!until.wait_from(now, rest).is_zero()).then_some(until)
    }

    /// We are about to switch it on.
    pub(super) fn begins(&mut self) {
        self.step(GapStep::SwitchingOn);
    }

    /// It was switched on, at this moment.
    pub(super) fn switched_on(&mut self, now: Timestamp) {
        self.tried(now);
        self.step(GapStep::On);
    }

    /// Baserow did not let us, at this moment.
    pub(super) fn was_refused(&mut self, now: Timestamp) {
        self.tried(now);
        self.step(GapStep::Seen);
    }

    /// How often it was switched on in a row.
    pub(super) fn times(&self) -> u32 {
        self.times
    }

    /// When the gap began whose rows are to be compared.
    pub(super) fn open_gap(&self) -> Option<&str> {
        let gap = self.gap.as_ref().filter(|gap| gap.step == GapStep::On);
        gap.map(|gap| gap.since.as_str())
    }

    /// The rows of a gap were compared.
    pub(super) fn closed(&mut self, since: &str) {
        self.gap.take_if(|gap| gap.since == since && gap.step == GapStep::On);
    }

    fn tried(&mut self, now: Timestamp) {
        (self.times, self.last) = (self.times.saturating_add(1), Some(now));
    }

    fn step(&mut self, step: GapStep) {
        if let Some(gap) = &mut self.gap {
            gap.step = step;
        }
    }
}

/// Where pasts are kept.
#[derive(Debug, Clone)]
pub(super) struct Histories {
    redis: Redis,
}

impl Histories {
    pub(super) fn new(redis: Redis) -> Self {
        Self { redis }
    }

    /// That of a webhook.
    pub(super) async fn of(&self, webhook: u64) -> Result<WebhookHistory, Failure> {
        let mut connection = self.redis.clone();
        let kept: Option<String> = connection
            .hget(self.key(), webhook)
            .await
            .map_err(|error| away(&error))?;
        // What another version has written is forgotten.
        Ok(kept
            .and_then(|kept| serde_json::from_str(&kept).ok())
            .unwrap_or_default())
    }

    /// Keeps it; an empty one is no entry.
    pub(super) async fn keep(&self, webhook: u64, history: &WebhookHistory) -> Result<(), Failure> {
        let mut connection = self.redis.clone();
        let kept: Result<(), redis::RedisError> = if *history == WebhookHistory::default() {
            connection.hdel(self.key(), webhook).await
        } else {
            let text = serde_json::to_string(history).map_err(|error| Failure::unmappable(error.to_string()))?;
            connection.hset(self.key(), webhook, text).await
        };
        kept.map_err(|error| away(&error))
    }

    fn key(&self) -> String {
        format!("{}:sources", self.redis.prefix())
    }
}

fn away(error: &impl std::fmt::Display) -> Failure {
    Failure::new(FailureClass::Transient, Target::Redis, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_millis(minutes * 60_000)
    }

    /// Found off at this moment and, if it may be, switched on.
    fn found_off(history: &mut WebhookHistory, minute: i64) -> bool {
        history.is_off(&format!("moment {minute}"));
        let may = history.rests_until(at(minute)).is_none();
        if may {
            history.begins();
            history.switched_on(at(minute));
        }
        may
    }

    #[test]
    fn each_time_in_a_row_it_rests_twice_as_long_up_to_six_hours() {
        let mut history = WebhookHistory::default();
        let switched_on: Vec<i64> = (0..2000).filter(|minute| found_off(&mut history, *minute)).collect();
        assert_eq!(switched_on, [0, 10, 30, 70, 150, 310, 630, 990, 1350, 1710]);
    }

    #[test]
    fn a_day_without_failure_makes_it_new() {
        let mut history = WebhookHistory::default();
        assert!(found_off(&mut history, 0));
        history.is_on(0, at(1440));
        assert!(history.times() == 1, "not a day yet");
        history.is_on(1, at(1500));
        assert!(history.times() == 1, "it fails");
        history.is_on(0, at(1501));
        history.closed("moment 0");
        assert_eq!(history, WebhookHistory::default());
    }

    #[test]
    fn while_it_rests_it_is_one_gap_whatever_is_changed_of_it() {
        let mut history = WebhookHistory::default();
        found_off(&mut history, 0);
        assert!(!found_off(&mut history, 1));
        assert_eq!(history.is_off("its name was changed"), "moment 1");
        assert_eq!(history.open_gap(), None);
        assert_eq!(history.is_on(0, at(2)), None, "a person switched it on");
        assert_eq!(history.open_gap(), Some("moment 1"));
    }

    #[test]
    fn a_worker_that_vanished_while_it_switched_on_leaves_the_rest_to_the_next_look() {
        let mut history = WebhookHistory::default();
        history.is_off("noon");
        history.begins();
        assert_eq!(history.is_on(0, at(1)), Some("noon".to_owned()));
        history.switched_on(at(1));
        history.closed("an earlier gap");
        assert_eq!(history.open_gap(), Some("noon"));
    }
}
