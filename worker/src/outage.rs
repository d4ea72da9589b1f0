//! Between a job and the gates: what a verdict needs to know of an outage, and what it reports.

use std::time::Duration;

use passerelle_model::job::Job;
use passerelle_model::ledger::{FailureClass, FailureRecord, Verdict};
use passerelle_model::outcome::Outcome;
use passerelle_model::time::Timestamp;
use passerelle_queue::gate::{CallResult, GateName, GateTarget, Gates, ProbeFinding};
use passerelle_queue::{QueueError, QueueName};
use sha2::{Digest as _, Sha256};

use crate::clients::guard;
use crate::failure::{Failure, History, LONGEST_FAILING, Target, Unanswered};

/// After so many counted attempts of one job the admin is notified, once per incident (C6).
const ATTEMPTS_TO_NOTIFY: u32 = 3;

/// What the decision about a failure needs to know: the job's past, and whether the target is down
/// for everybody.
pub async fn history(gates: &Gates, job: &Job, failure: &Failure) -> History {
    let now = Timestamp::now();
    let mut history = History::of(job, now);
    let Some(target) = failure.target.gate() else {
        return history;
    };
    if matches!(
        failure.as_call_result(),
        CallResult::Failed(_) | CallResult::NoAnswer(_) | CallResult::NoConnection(_)
    ) && failure.retry_after.is_none()
        && !is_the_rows_own(job, failure)
    {
        history.trouble = gates.trouble_of(target).await;
    }
    // A job is old by the clock that dated it, and only by the time in which the target could have
    // been reached.
    if let Some(since) = job.failing_since.filter(|_| history.failing_for >= LONGEST_FAILING) {
        match failing_for(gates, target, since).await {
            Ok(failing_for) => history.failing_for = failing_for,
            Err(error) => tracing::warn!(%error, "the length of outages could not be looked up"),
        }
    }
    history
}

async fn failing_for(gates: &Gates, target: GateTarget, since: Timestamp) -> Result<Duration, QueueError> {
    let (now, stopped) = (gates.clock().await?, gates.stopped_since(target, since).await?);
    Ok(now.since(since).saturating_sub(stopped))
}

/// A row that makes its target fail, alone in a quiet bridge, looks like an outage, and no other
/// job is there to say otherwise. If the target has just been found healthy and this job, which had
/// failed often enough while its gate was open, fails as its probe again, then its attempt counts.
fn is_the_rows_own(job: &Job, failure: &Failure) -> bool {
    let was_reached = !matches!(
        failure.unanswered,
        Some(Unanswered::NoConnection(_) | Unanswered::NotReached)
    );
    guard::is_let_through() && job.attempts >= ATTEMPTS_TO_NOTIFY && was_reached
}

/// Reports to the store's gate what an attempt has seen of it: an attempt that ended had its
/// answers.
pub fn report_store(gates: &Gates, attempted: &Result<Outcome, Failure>) {
    match attempted {
        Ok(_) => gates.report(GateName::Store, CallResult::Answered),
        Err(failure) if failure.target == Target::Store => gates.report(GateName::Store, failure.as_call_result()),
        Err(_) => {}
    }
}

/// How an attempt ended.
#[derive(Debug, Clone)]
pub struct Attempted {
    pub job: String,
    /// Counted attempts, this one included.
    pub attempts: u32,
    pub verdict: Verdict,
    /// Whether a job of a row is done that had failed before.
    pub has_recovered: bool,
}

/// Reports an attempt to the gates: `None` if the handler panicked. `probe_of` is the queue whose
/// gates sent it as a probe.
pub async fn report(gates: &Gates, probe_of: Option<QueueName>, attempted: Option<&Attempted>) {
    let mut reported = Ok(());
    if let Some(queue) = probe_of {
        let finding = attempted.map_or(ProbeFinding::Undecided, |attempted| finding(&attempted.verdict));
        reported = gates.job_ended(queue, finding).await;
    }
    if let Some(Attempted {
        job,
        attempts: ATTEMPTS_TO_NOTIFY,
        verdict: Verdict::Retry { failure, .. },
        ..
    }) = attempted
        && let Some(target) = GateTarget::parse(&failure.target)
    {
        let why = format!("{job}: {}", failure.message);
        reported = reported.and(gates.third_failure(target, &cause_of(failure), &why).await);
    }
    if attempted.is_some_and(|attempted| attempted.has_recovered) {
        reported = reported.and(gates.recovered().await);
    }
    if let Err(error) = reported {
        // The gates give up a probe by themselves if its end is not reported.
        tracing::warn!(%error, "the gates do not know how an attempt ended");
    }
}

/// A word that failures of one cause share, whichever row they are about: of the message without
/// its numbers.
fn cause_of(failure: &FailureRecord) -> String {
    let message: String = failure.message.chars().filter(|c| !c.is_ascii_digit()).collect();
    let digest = hex::encode(Sha256::digest(format!("{} {message}", failure.class.as_str())));
    digest.get(..8).unwrap_or(&digest).to_owned()
}

fn finding(verdict: &Verdict) -> ProbeFinding {
    match verdict {
        Verdict::Done(_) => ProbeFinding::Done,
        Verdict::Retry { failure, .. } | Verdict::Hold { failure, .. } => blamed(failure),
        Verdict::Bury { .. } | Verdict::GiveBack => ProbeFinding::Undecided,
    }
}

fn blamed(failure: &FailureRecord) -> ProbeFinding {
    let is_outage = matches!(
        failure.class,
        FailureClass::Transient | FailureClass::Throttled | FailureClass::Auth | FailureClass::Ambiguous
    );
    match GateTarget::parse(&failure.target) {
        Some(target) if is_outage => ProbeFinding::Failed(target, failure.message.clone()),
        _ => ProbeFinding::Undecided,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hold(class: FailureClass, target: Target) -> Verdict {
        let failure = Failure::new(class, target, "x").record();
        Verdict::Hold { after_ms: 1, failure }
    }

    #[test]
    fn a_probe_job_blames_only_a_target_that_may_be_down() {
        let blamed = |class, target| finding(&hold(class, target));
        assert_eq!(
            blamed(FailureClass::Transient, Target::Docmost),
            ProbeFinding::Failed(GateTarget::Docmost, "x".to_owned())
        );
        assert_eq!(blamed(FailureClass::Gone, Target::Docmost), ProbeFinding::Undecided);
        assert_eq!(blamed(FailureClass::Transient, Target::Bridge), ProbeFinding::Undecided);
        assert_eq!(finding(&Verdict::GiveBack), ProbeFinding::Undecided);
    }

    #[test]
    fn rows_that_fail_alike_have_one_cause_and_others_have_another() {
        let cause = |message: &str| cause_of(&Failure::new(FailureClass::Transient, Target::Docmost, message).record());
        assert_eq!(cause("row 5 is locked"), cause("row 17 is locked"));
        assert_ne!(cause("row 5 is locked"), cause("Space permissions not found"));
    }
}
