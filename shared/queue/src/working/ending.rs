//! The end of an attempt, whoever declares it: the worker's verdict, a crash, a record that cannot
//! be read.

use crate::QueueError;
use crate::gate::GateTarget;
use crate::ledger_stream::encode_fact;
use crate::letters::{DeadLetter, encode_letter};
use crate::server::scripts::Call;
use crate::working::crash::CrashPolicy;
use crate::working::fetch::Unreadable;
use crate::working::lease::{HeldLease, millis};
use passerelle_model::id::{EventId, JobKey, ProcessName};
use passerelle_model::job::Job;
use passerelle_model::ledger::{AttemptRecord, FailureClass, FailureRecord, LedgerRecord, Settlement, Step, Verdict};
use passerelle_model::time::Timestamp;

/// Longest delay that is taken seriously: a year.
const LONGEST_DELAY_MS: u64 = 366 * 24 * 3_600_000;

/// Who ends an attempt.
pub(crate) enum Holder {
    /// Its worker.
    Worker(HeldLease),
    /// Whoever noticed that its worker has vanished.
    Nobody {
        key: Vec<u8>,
        token: String,
        worker: ProcessName,
    },
}

impl From<HeldLease> for Holder {
    fn from(held: HeldLease) -> Self {
        Self::Worker(held)
    }
}

impl Holder {
    fn worker(&self) -> &ProcessName {
        match self {
            Self::Worker(held) => &held.leases.worker,
            Self::Nobody { worker, .. } => worker,
        }
    }

    pub(crate) fn key_and_token(&self) -> (&[u8], &str) {
        match self {
            Self::Worker(held) => (&held.key, &held.token),
            Self::Nobody { key, token, .. } => (key, token),
        }
    }
}

/// How a worker or a handler vanished, and what follows.
pub(crate) struct Crash<'a> {
    pub(crate) why: &'a str,
    pub(crate) began: Timestamp,
    pub(crate) policy: CrashPolicy,
}

/// The end of an attempt, as the script takes it.
pub(crate) struct Ending {
    pub(crate) holder: Holder,
    word: &'static str,
    delay_ms: u64,
    /// Whose recovery ends the wait before its time.
    blamed: Option<GateTarget>,
    fact: Vec<u8>,
    letter: Option<(String, Vec<u8>)>,
}

impl Ending {
    /// A worker's own verdict.
    pub(crate) fn of(job: &Job, held: HeldLease, settlement: Settlement) -> Result<Self, QueueError> {
        let (word, delay_ms) = match &settlement.verdict {
            Verdict::Done(_) => (DONE, 0),
            Verdict::Retry { after_ms, .. } => ("retry", *after_ms),
            Verdict::Hold { after_ms, .. } => ("hold", *after_ms),
            Verdict::Bury { .. } => ("bury", 0),
            Verdict::GiveBack => ("return", 0),
        };
        let letter = match &settlement.verdict {
            Verdict::Bury { reason, failure } => Some(letter_of(job, reason, failure, job.attempts + 1)?),
            _ => None,
        };
        let blamed = match &settlement.verdict {
            Verdict::Retry { failure, .. } | Verdict::Hold { failure, .. } => GateTarget::parse(&failure.target),
            _ => None,
        };
        let fact = attempt_fact(job, &held.leases.worker, settlement)?;
        Ok(Self {
            holder: held.into(),
            word,
            delay_ms: delay_ms.min(LONGEST_DELAY_MS),
            blamed,
            fact,
            letter,
        })
    }

    /// A job that was never begun goes back as it was; there is nothing to tell the ledger.
    pub(crate) fn untouched(held: HeldLease) -> Self {
        Self {
            holder: held.into(),
            word: "return",
            delay_ms: 0,
            blamed: None,
            fact: Vec::new(),
            letter: None,
        }
    }

    /// The worker, or its handler, vanished.
    pub(crate) fn crash(job: &Job, holder: Holder, crash: &Crash<'_>) -> Result<Self, QueueError> {
        let failure = poison(crash.why, None);
        let (word, delay_ms, verdict, letter) = if let Some(wait) = crash.policy.wait(job.crashes) {
            let after_ms = millis(wait);
            ("crash", after_ms, Verdict::Retry { after_ms, failure }, None)
        } else {
            let letter = letter_of(job, POISON, &failure, job.attempts)?;
            let reason = POISON.to_owned();
            ("bury", 0, Verdict::Bury { reason, failure }, Some(letter))
        };
        let settlement = Settlement {
            verdict,
            steps: Vec::<Step>::new(),
            started: crash.began,
        };
        metrics::counter!("passerelle_queue_crashes_total").increment(1);
        Ok(Self {
            fact: attempt_fact(job, holder.worker(), settlement)?,
            holder,
            word,
            delay_ms,
            blamed: None,
            letter,
        })
    }

    /// A record that cannot be read: it is kept with its bytes and never tried again.
    pub(crate) fn unreadable(record: &Unreadable, holder: Holder) -> Result<Self, QueueError> {
        let invalid = |error: passerelle_model::id::InvalidId| QueueError::Protocol(error.to_string());
        let key = std::str::from_utf8(&record.key)
            .ok()
            .and_then(|key| JobKey::parse(key).ok());
        let job = Job {
            key: key.map_or_else(|| JobKey::parse("unreadable").map_err(invalid), Ok)?,
            attempts: 0,
            crashes: 0,
            covers: record.covers,
            kinds: passerelle_model::job::EventKinds::default(),
            last_event: EventId::parse("unreadable").map_err(invalid)?,
            waiting_since: Timestamp::now(),
            failing_since: None,
        };
        let failure = poison(
            &format!("the job's record cannot be read: {}", record.error),
            Some(record.bytes.clone()),
        );
        tracing::error!(key = %record.key.escape_ascii(), error = %record.error, "a job cannot be read; it is now a dead letter");
        let letter = Some(letter_of(&job, POISON, &failure, 0)?);
        let settlement = Settlement {
            verdict: Verdict::Bury {
                reason: POISON.to_owned(),
                failure,
            },
            steps: Vec::<Step>::new(),
            started: Timestamp::now(),
        };
        Ok(Self {
            fact: attempt_fact(&job, holder.worker(), settlement)?,
            holder,
            word: "bury",
            delay_ms: 0,
            blamed: None,
            letter,
        })
    }

    /// Adds all but its key to a call of the script.
    pub(crate) fn write(&self, call: &mut Call) {
        let (_, token) = self.holder.key_and_token();
        call.arg(token).arg(&self.fact).arg(self.word);
        if self.word == DONE {
            return;
        }
        let only_expired = matches!(self.holder, Holder::Nobody { .. });
        call.arg(u8::from(only_expired)).arg(self.delay_ms);
        call.arg(self.blamed.map_or("", GateTarget::as_str));
        match &self.letter {
            Some((id, letter)) => call.arg(id).arg(letter),
            None => call.arg("").arg(""),
        };
    }
}

/// The ending that nearly all attempts have: the script is told nothing more about it.
const DONE: &str = "done";

/// The reason of letters whose job kills its worker or cannot be read.
pub(crate) const POISON: &str = "poison";

pub(crate) fn poison(message: &str, body: Option<String>) -> FailureRecord {
    FailureRecord {
        class: FailureClass::Poison,
        target: "bridge".to_owned(),
        message: message.to_owned(),
        status: None,
        body,
    }
}

fn letter_of(job: &Job, reason: &str, failure: &FailureRecord, attempts: u32) -> Result<(String, Vec<u8>), QueueError> {
    encode_letter(&DeadLetter {
        id: ulid::Ulid::generate().to_string(),
        job: job.key.clone(),
        reason: reason.to_owned(),
        failure: failure.clone(),
        attempts,
        died: Timestamp::now(),
        covers: job.covers,
        last_event: job.last_event.as_str().to_owned(),
        deaths: 1,
        first: None,
    })
}

fn attempt_fact(job: &Job, worker: &ProcessName, settlement: Settlement) -> Result<Vec<u8>, QueueError> {
    encode_fact(&LedgerRecord::Attempt(AttemptRecord {
        job: job.key.clone(),
        covers: job.covers,
        attempt: job.attempts + 1,
        worker: worker.clone(),
        started: settlement.started,
        ended: Timestamp::now(),
        verdict: settlement.verdict,
        steps: settlement.steps,
    }))
}
