//! What may go wrong, and what follows from it. **The only place where a worker decides whether and
//! when a job is tried again** (`tests/walls.rs` holds it). What follows when a worker itself dies
//! is the queue's decision (`working/ending.rs`).
//!
//! *Classified once*: the client that knows the protocol says what kind of failure an answer is
//! (`clients/*::classify`).
//! *Decided once*: the failure climbs unchanged to the runner, which asks [`verdict`]; nothing in
//! between retries.
//!
//! | class | what follows | attempt counted |
//! |---|---|---|
//! | transient, ambiguous, gone | retry: full jitter under 2 s, 4 s, 8 s … 10 min; dead after 12 attempts or 24 h | yes |
//! | throttled | hold until the target asks for us again | no |
//! | auth | hold: our account is refused, the job is innocent | no |
//! | permanent | dead at once | – |
//! | poison | dead at once | – |
//!
//! A transient or ambiguous failure of a target whose gate does not flow is a hold: the outage is
//! to blame, not the job. (Unless the target is healthy and this job fails its probe again and
//! again: `outage.rs` tells the two apart.) An attempt that was counted before the gate stopped is
//! given back when the gate lets jobs through again (`gate.lua`). An ambiguous or transient failure
//! that knows when to come back (`retry_after`) is a hold too: nothing was tried, so nothing is
//! counted. So is a rule that is broken (a field, a right or a space is gone): no row of its table
//! can succeed, so the table is held and nothing dies. So is an outage of the store, from the first
//! failure on: it is never the row's fault. So is an answer of a proxy or a login page in the
//! target's place, whatever its status: the target was not reached. The first three attempts are
//! the quick ones (within 6 s on average); after the third the admin is told. The schedule has no
//! chance of its own: chance comes into [`verdict`] as a value. A job whose worker or handler
//! vanishes is judged by [`CRASH_POLICY`], which the queue carries out.

mod ours;
mod unanswered;

use std::time::Duration;

use passerelle_model::job::Job;
use passerelle_model::ledger::{FailureClass, FailureRecord, Verdict};
use passerelle_model::shown::shown;
use passerelle_model::time::Timestamp;
use passerelle_queue::gate::{CallResult, GateTarget};
use passerelle_queue::{CrashPolicy, backoff};

pub use unanswered::{Obstacle, Unanswered};

/// Counted attempts before a job is given up.
pub const MOST_ATTEMPTS: u32 = 12;
/// What follows when a worker or a handler vanishes with a job: two rests, then it is poison.
/// Meanwhile it runs alone.
pub const CRASH_POLICY: CrashPolicy = CrashPolicy::of_seconds(1, 10);
/// How long a job may fail without interruption before it is given up.
pub const LONGEST_FAILING: Duration = Duration::from_hours(24);
const FIRST_WAIT: Duration = Duration::from_secs(2);
const LONGEST_WAIT: Duration = Duration::from_mins(10);
/// No wait is shorter: a retry in the same millisecond sees the same world.
const SHORTEST_WAIT: Duration = Duration::from_millis(100);
/// The longest time between two tries while a proxy answers in the target's place.
const LONGEST_NOT_REACHED: Duration = Duration::from_mins(1);
const MOST_BODY_BYTES: usize = 4096;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// The source of the rows.
    Baserow,
    Docmost,
    Store,
    /// Redis, where the worker itself uses it (sessions).
    Redis,
    /// Ourselves: the row does not fit the rule, or we wait although everybody answers.
    Bridge,
    Smtp,
    Slack,
}

impl Target {
    /// Whose gates a failure of it concerns; none for what is our own.
    pub fn gate(self) -> Option<GateTarget> {
        match self {
            Self::Baserow => Some(GateTarget::Baserow),
            Self::Docmost => Some(GateTarget::Docmost),
            Self::Smtp => Some(GateTarget::Smtp),
            Self::Slack => Some(GateTarget::Slack),
            Self::Store => Some(GateTarget::Store),
            Self::Redis | Self::Bridge => None,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Baserow => "baserow",
            Self::Docmost => "docmost",
            Self::Store => "store",
            Self::Redis => "redis",
            Self::Bridge => "bridge",
            Self::Smtp => "smtp",
            Self::Slack => "slack",
        }
    }
}

/// Why an attempt ended without an outcome.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {message}", target.as_str())]
pub struct Failure {
    /// What kind of failure it is.
    pub class: FailureClass,
    pub target: Target,
    /// One sentence for people, with the way to mend it where there is one.
    pub message: String,
    /// The HTTP status, where there was one.
    pub status: Option<u16>,
    /// The answer's body, redacted by the client.
    pub body: Option<String>,
    /// When to come back, where that is known.
    pub retry_after: Option<Duration>,
    /// How far the call came, if the target did not answer it.
    pub unanswered: Option<Unanswered>,
    /// Whether the call changes something where it is carried out.
    pub changes: bool,
    /// Whether every row of the rule's table would fail alike, until somebody mends what the
    /// message names.
    pub breaks_rule: bool,
}

impl Failure {
    /// A failure without an answer. Its message may quote a foreign system: what it shows is safe
    /// to show.
    pub fn new(class: FailureClass, target: Target, message: impl Into<String>) -> Self {
        Self {
            class,
            target,
            message: shown(&message.into()).into_owned(),
            status: None,
            body: None,
            retry_after: None,
            unanswered: None,
            changes: false,
            breaks_rule: false,
        }
    }

    /// The rule cannot be carried out, for whichever row.
    pub fn broken_rule(message: impl Into<String>) -> Self {
        Self::unmappable(message).of_the_rule()
    }

    /// The same failure, which every row of the rule's table would meet.
    #[must_use]
    pub fn of_the_rule(mut self) -> Self {
        self.breaks_rule = true;
        self
    }

    /// The row and the rule do not go together; repeating cannot help.
    pub fn unmappable(message: impl Into<String>) -> Self {
        Self::new(FailureClass::Permanent, Target::Bridge, message)
    }

    /// Whether asking again would be answered in the same way.
    pub fn is_final(&self) -> bool {
        matches!(self.class, FailureClass::Auth | FailureClass::Permanent)
    }

    /// Whether Docmost says that our account is not in the space of what was asked for.
    pub fn is_out_of_reach(&self) -> bool {
        let is_said = self.message.starts_with("Space permissions not found");
        self.target == Target::Docmost && self.status == Some(404) && is_said
    }

    /// The same failure, knowing when to come back.
    #[must_use]
    pub fn after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// Whether something else answered in the target's place.
    pub fn was_not_reached(&self) -> bool {
        self.unanswered == Some(Unanswered::NotReached)
    }

    /// What it says of the health of the target: a refusal of one row or page is an answer like any
    /// other.
    pub fn as_call_result(&self) -> CallResult {
        let is_own_answer = !self.was_not_reached() && self.status.is_some_and(|status| (300..500).contains(&status));
        match self.class {
            FailureClass::Throttled => CallResult::Throttled(self.retry_after),
            FailureClass::Auth => CallResult::Refused(self.message.clone()),
            FailureClass::Transient | FailureClass::Ambiguous if !is_own_answer => {
                let why = self.message.clone();
                match self.unanswered {
                    Some(Unanswered::NoConnection(_) | Unanswered::NotReached) => CallResult::NoConnection(why),
                    Some(Unanswered::TimedOut) => CallResult::NoAnswer(why),
                    Some(Unanswered::TooLong) => CallResult::Answered,
                    None => CallResult::Failed(why),
                }
            }
            FailureClass::Transient
            | FailureClass::Ambiguous
            | FailureClass::Gone
            | FailureClass::Permanent
            | FailureClass::Poison => CallResult::Answered,
        }
    }

    /// As it is kept in the ledger.
    pub fn record(&self) -> FailureRecord {
        FailureRecord {
            class: self.class,
            target: self.target.as_str().to_owned(),
            message: self.message.clone(),
            status: self.status,
            body: self.body.as_deref().map(|body| bounded(body).to_owned()),
        }
    }
}

/// What the decision needs to know of the job's past.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct History {
    /// Counted attempts, this one included.
    pub attempts: u32,
    /// How long the job has been failing without interruption.
    pub failing_for: Duration,
    /// How long its oldest event has been waiting.
    pub waiting_for: Duration,
    /// How long to keep away from the target that failed, if its gate does not flow.
    pub trouble: Option<Duration>,
}

impl History {
    /// The past of a job whose attempt has just failed.
    pub fn of(job: &Job, now: Timestamp) -> Self {
        Self {
            attempts: job.attempts.saturating_add(1),
            failing_for: job.failing_since.map_or(Duration::ZERO, |since| now.since(since)),
            waiting_for: now.since(job.waiting_since),
            trouble: None,
        }
    }
}

/// Decides what becomes of a failed attempt. `chance` is a number from 0 to 1 that spreads the
/// retries of many jobs.
pub fn verdict(failure: &Failure, history: History, chance: f64) -> Verdict {
    let record = failure.record();
    match failure.class {
        // Its table is held, and lets one job through now and then.
        _ if failure.breaks_rule => hold(failure, history, chance),
        FailureClass::Permanent => bury("permanent", record),
        FailureClass::Poison => bury("poison", record),
        FailureClass::Throttled | FailureClass::Auth => hold(failure, history, chance),
        FailureClass::Transient | FailureClass::Ambiguous
            if failure.retry_after.is_some() || failure.was_not_reached() || history.trouble.is_some() =>
        {
            hold(failure, history, chance)
        }
        FailureClass::Transient | FailureClass::Ambiguous | FailureClass::Gone => {
            if history.attempts >= MOST_ATTEMPTS || history.failing_for >= LONGEST_FAILING {
                return bury("exhausted", record);
            }
            let wait = ceiling(history.attempts)
                .mul_f64(chance.clamp(0.0, 1.0))
                .max(SHORTEST_WAIT);
            Verdict::Retry {
                after_ms: millis(wait),
                failure: record,
            }
        }
    }
}

fn bury(reason: &str, failure: FailureRecord) -> Verdict {
    Verdict::Bury {
        reason: reason.to_owned(),
        failure,
    }
}

/// Waits for what the target asked for, or longer the longer it has been failing; chance is added,
/// never taken away.
fn hold(failure: &Failure, history: History, chance: f64) -> Verdict {
    let patience = if failure.breaks_rule {
        FIRST_WAIT
    } else if failure.was_not_reached() {
        (history.waiting_for / 4).clamp(FIRST_WAIT, LONGEST_NOT_REACHED)
    } else {
        (history.failing_for / 4).clamp(FIRST_WAIT, LONGEST_WAIT)
    };
    let wait = failure.retry_after.max(history.trouble).unwrap_or(patience);
    let spread = (wait / 4).max(SHORTEST_WAIT).mul_f64(chance.clamp(0.0, 1.0));
    Verdict::Hold {
        after_ms: millis(wait.saturating_add(spread)),
        failure: failure.record(),
    }
}

fn ceiling(attempt: u32) -> Duration {
    backoff::ceiling(attempt.min(MOST_ATTEMPTS), FIRST_WAIT, LONGEST_WAIT)
}

fn millis(wait: Duration) -> u64 {
    u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)
}

fn bounded(text: &str) -> &str {
    let end = (0..=text.len().min(MOST_BODY_BYTES))
        .rev()
        .find(|end| text.is_char_boundary(*end));
    text.get(..end.unwrap_or(0)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
