//! The facts that travel through the ledger stream (Redis) into the store (SQL).
//!
//! The queue's scripts append them in the same atomic step as the change that they report, so the
//! ledger can be late but never wrong. Each fact is JSON; the deliveries of a group are compressed
//! together: a slow database never slows acceptance, and the stream stays small.

use serde::{Deserialize, Serialize};

use crate::event::{DeliveryKey, NewEvent};
use crate::id::{JobKey, ProcessName, Subject};
use crate::outcome::Outcome;
use crate::seq::Seq;
use crate::time::Timestamp;

/// What kind of failure it was; the table of `worker/src/failure.rs` says what follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureClass {
    /// May go away by itself: connect errors, time-outs, 5xx.
    Transient,
    /// The target asked us to slow down.
    Throttled,
    /// Our account is refused as a whole.
    Auth,
    /// A write was sent and its answer is unknown.
    Ambiguous,
    /// The row or the page is not there any more.
    Gone,
    /// Repeating cannot help.
    Permanent,
    /// The job kills its worker, or cannot be read.
    Poison,
}

impl FailureClass {
    /// The stored word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Transient => "transient",
            Self::Throttled => "throttled",
            Self::Auth => "auth",
            Self::Ambiguous => "ambiguous",
            Self::Gone => "gone",
            Self::Permanent => "permanent",
            Self::Poison => "poison",
        }
    }
}

/// A failure as it is kept: what was asked of whom, and what came back. Already redacted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureRecord {
    /// Its class.
    pub class: FailureClass,
    /// The system that failed: `docmost`, `baserow`, `bridge`, ….
    pub target: String,
    /// One sentence for people.
    pub message: String,
    /// The HTTP status, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The start of the answer's body (≤ 4 KiB, secrets removed).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
}

/// One step of an attempt, as `trace` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// What was done: `read_row`, `create_page`, ….
    pub name: String,
    /// What was asked of whom, e.g. `POST docmost pages/create`. Never a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// The HTTP status, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// How long after the attempt it began, in milliseconds; earlier versions did not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_ms: Option<u64>,
    /// What kind of failure it was, if the call failed; earlier versions did not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<FailureClass>,
    /// What came of it, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// How one attempt at a job ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[must_use]
pub enum Verdict {
    /// It is finished, with this outcome.
    Done(Outcome),
    /// It failed and will be tried again; the attempt counts.
    Retry {
        /// Milliseconds from now.
        after_ms: u64,
        /// Why.
        failure: FailureRecord,
    },
    /// It cannot be done now through no fault of its own; the attempt does not count.
    Hold {
        /// Milliseconds from now.
        after_ms: u64,
        /// Why.
        failure: FailureRecord,
    },
    /// It is given up and kept as a dead letter.
    Bury {
        /// A word for filters: `permanent`, `exhausted`, `poison`.
        reason: String,
        /// Why.
        failure: FailureRecord,
    },
    /// The worker stops; the job goes back to the front, the attempt does not count.
    GiveBack,
}

/// What a worker tells the queue at the end of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// How it ended.
    pub verdict: Verdict,
    /// What was done on the way.
    pub steps: Vec<Step>,
    /// When it began (the worker's clock).
    pub started: Timestamp,
}

/// One attempt at a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptRecord {
    /// The job.
    pub job: JobKey,
    /// A final verdict closes the row's open items up to this entry.
    pub covers: Seq,
    /// 1 for the first counted attempt.
    pub attempt: u32,
    /// The process that ran it.
    pub worker: ProcessName,
    /// When it began.
    pub started: Timestamp,
    /// When it was settled.
    pub ended: Timestamp,
    /// How it ended.
    pub verdict: Verdict,
    /// What was done on the way.
    #[serde(default)]
    pub steps: Vec<Step>,
}

/// One fact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "snake_case")]
pub enum LedgerRecord {
    /// A delivery became durable.
    Accepted(NewEvent),
    /// A delivery came again.
    Duplicate {
        /// Its identity.
        key: DeliveryKey,
        /// When it came again.
        received: Timestamp,
    },
    /// A job was attempted.
    Attempt(AttemptRecord),
    /// A dead letter was replayed by an operator as a new forced event.
    Replayed {
        /// The dead letter.
        letter: String,
        /// The job it was.
        job: JobKey,
        /// The new event.
        event: DeliveryKey,
        /// Who did it, in the operator's words.
        by: String,
        /// Why; empty in facts of older versions.
        #[serde(default)]
        why: String,
        /// When.
        at: Timestamp,
    },
    /// A dead letter was discarded by an operator.
    Discarded {
        /// The dead letter.
        letter: String,
        /// The job it was.
        job: JobKey,
        /// Who did it.
        by: String,
        /// Why.
        why: String,
        /// When.
        at: Timestamp,
    },
    /// An operator acted on something else: a queue, a gate, Baserow's fields and webhooks, a
    /// waiting job.
    Switched {
        /// What the operator acted on. Stored as `queue`, as it has always been.
        #[serde(rename = "queue")]
        on: Subject,
        /// `paused`, `resumed`, `close`, `open`, `ramp`, `provisioned`, `retried`, `run_now`.
        act: String,
        /// Who did it.
        by: String,
        /// Why.
        why: String,
        /// When.
        at: Timestamp,
    },
}

/// One entry of the stream: the facts of one atomic step, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerEntry {
    /// The stream id, as Redis prints it.
    pub id: String,
    /// Its place in the order.
    pub seq: Seq,
    /// What the count of answered deliveries says of it; `None` where it holds none, or was written
    /// by a former version.
    pub answered: Option<Answered>,
    /// Which entry of this life of Redis' data it is, from 1 on; `None` where a former version
    /// wrote it.
    pub number: Option<u64>,
    /// The facts. A record that could not be read is kept as its bytes, so that one bad record
    /// never stops the ledger.
    pub records: Vec<Result<LedgerRecord, UnreadableRecord>>,
}

/// How many deliveries Redis had answered in this life of its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answered {
    /// Before this entry.
    pub before: u64,
    /// With those of this entry.
    pub total: u64,
}

/// A stream record that is not one of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreadableRecord {
    /// Why it could not be read.
    pub error: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}
