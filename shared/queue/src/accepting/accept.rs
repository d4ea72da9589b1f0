//! From a proven delivery to a durable one: claim, ledger entry and jobs in one atomic step,
//! together with whatever else arrives meanwhile.

use std::any::Any;
use std::borrow::Borrow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::json;
use tokio::time::sleep;

use crate::accepting::answer::{Taken, parse_answer};
use crate::accepting::group_commit::Commit;
use crate::accepting::submission::{PATIENCE, Submission, patience_of};
use crate::ledger_stream;
use crate::life::Memory;
use crate::server::backoff::Reconnecting;
use crate::server::keys::Keys;
use crate::server::scripts::{ACCEPT, Call};
use crate::{Queue, QueueError, Redis, short_id};
use passerelle_model::event::{Disposition, EventKind, Item, NewEvent, OwnEvent};
use passerelle_model::id::{EventId, JobKey, RowKey};
use passerelle_model::job::EventKinds;

/// How long a delivery is remembered, so that its repetition is recognised (spec A2).
const CLAIM_SECONDS: u32 = 86_400;
/// How long the answer of a call is kept for its repetition.
pub(crate) const ANSWER_SECONDS: u32 = 600;

/// Proof that a delivery is durable: the only licence to answer 200. Only [`Queue::accept`] makes
/// it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Accepted {
    status: AcceptStatus,
}

/// What became of an accepted delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AcceptStatus {
    /// At least one row's job will cover it.
    Queued,
    /// It had been accepted before.
    Duplicate,
    /// Recorded; nothing to do.
    Ignored,
}

impl Accepted {
    /// What became of it.
    pub fn status(&self) -> AcceptStatus {
        self.status
    }
}

impl Queue {
    /// Makes a delivery durable: claim, ledger entry and jobs in one atomic step, together with
    /// whatever else arrives meanwhile.
    ///
    /// Dropping the future does not take the delivery back; it is only not sent again for this
    /// caller's sake. [`QueueError::Unavailable`] means that the delivery may or may not be
    /// durable; accepting it again is safe, and `Duplicate` then means that it is. (Lend the event
    /// if you need it then.)
    pub async fn accept(&self, event: impl Borrow<NewEvent>) -> Result<Accepted, QueueError> {
        self.accept_keeping(event, Arc::new(())).await
    }

    /// The same, and keeps something until the delivery is in no hands here any more, also if the
    /// caller has gone: its share of a bounded memory.
    pub async fn accept_keeping(
        &self,
        event: impl Borrow<NewEvent>,
        kept: Arc<dyn Any + Send + Sync>,
    ) -> Result<Accepted, QueueError> {
        let submission = Submission::new(Prepared::new(event.borrow(), None)?);
        drop(event);
        self.accept_submission(submission.keeping(kept)).await
    }

    /// The same for a delivery whose sender does not wait: a try may take as long as its upload
    /// needs.
    pub async fn accept_patiently(&self, event: impl Borrow<NewEvent>) -> Result<Accepted, QueueError> {
        let submission = Submission::new(Prepared::new(event.borrow(), None)?);
        drop(event);
        self.accept_submission(submission.patient()).await
    }

    async fn accept_submission(&self, mut submission: Submission) -> Result<Accepted, QueueError> {
        // Dropped with this future.
        let caller = Arc::new(());
        submission.caller = Some(Arc::downgrade(&caller));
        let has_work = !submission.prepared.jobs.is_empty();
        let status = match self.taken(submission).await? {
            Taken::New if has_work => AcceptStatus::Queued,
            Taken::New => AcceptStatus::Ignored,
            Taken::Duplicate => AcceptStatus::Duplicate,
            Taken::Gone => return Err(QueueError::Protocol("a delivery cannot be gone".to_owned())),
        };
        Ok(Accepted { status })
    }

    /// Asks for a row, whatever its state: a new forced event of the source `operator`, which keeps
    /// who and why. Returns its id, by which it can be traced.
    pub async fn force(&self, row: RowKey, by: &str, why: &str) -> Result<EventId, QueueError> {
        let name = format!("force-{}", ulid::Ulid::generate());
        let event = OwnEvent {
            source: "operator",
            name: &name,
            kind: EventKind::Forced,
            payload: json!({ "forced_by": by, "why": why }).to_string().into_bytes(),
        }
        .asking_for([JobKey::Row(row)])?;
        let id = event.key.event.clone();
        let _durable = self.accept(event).await?;
        Ok(id)
    }

    pub(crate) async fn submit(&self, prepared: Prepared) -> Result<Taken, QueueError> {
        self.taken(Submission::new(prepared)).await
    }

    async fn taken(&self, submission: Submission) -> Result<Taken, QueueError> {
        let answer = self.inner.acceptor.submit(submission).await;
        answer.unwrap_or_else(|_| Err(QueueError::Unavailable("the process is stopping".to_owned())))
    }
}

/// An event as the script takes it.
pub(crate) struct Prepared {
    claim: String,
    /// What the ledger keeps of it.
    pub(super) delivery: Vec<u8>,
    /// What the record of a job says of it: its kind and its id.
    event: String,
    jobs: Vec<JobKey>,
    origin: Option<Origin>,
}

/// What an event of our own is made from; it is removed in the same step, and if it is not there
/// any more, nothing happens.
pub(crate) struct Origin {
    /// `letter` or `task`.
    pub(crate) kind: &'static str,
    /// Its id.
    pub(crate) id: String,
    /// A further fact for the ledger; may be empty.
    pub(crate) note: Vec<u8>,
    /// A dead letter (id, content) that takes its place.
    pub(crate) letter: Option<(String, Vec<u8>)>,
}

impl Prepared {
    pub(crate) fn new(event: &NewEvent, origin: Option<Origin>) -> Result<Self, QueueError> {
        let row_key = |item: &Item| match (&item.disposition, event.table, item.row) {
            (Disposition::Sync, Some(table), Some(row)) => Some(JobKey::Row(RowKey { table, row })),
            (Disposition::Job(job), ..) => Some(job.clone()),
            _ => None,
        };
        Ok(Self {
            claim: event.key.to_string(),
            delivery: event
                .encode()
                .map_err(|error| QueueError::Protocol(error.to_string()))?,
            event: format!("{} {}", EventKinds::of(event.kind).bits(), event.key.event),
            jobs: event.items.iter().filter_map(row_key).collect(),
            origin,
        })
    }
}

/// Carries groups of deliveries to the script.
pub(crate) struct AcceptCommit {
    redis: Redis,
    keys: Arc<Keys>,
    caller: String,
    calls: AtomicU64,
    memory: Arc<Memory>,
    /// The count that the last answer told, and in which generation of the memory.
    told: Mutex<Option<(u64, u64)>>,
}

impl AcceptCommit {
    pub(crate) fn new(redis: Redis, keys: Arc<Keys>, memory: Arc<Memory>) -> Self {
        Self {
            redis,
            keys,
            caller: short_id(),
            calls: AtomicU64::new(0),
            memory,
            told: Mutex::default(),
        }
    }

    /// The script call for a group, behind the deliveries themselves; each has a name of its own,
    /// under which Redis keeps its answer.
    pub(crate) fn call(&self, group: &[Submission]) -> Result<Call, QueueError> {
        let keys = &self.keys;
        let number = self.calls.fetch_add(1, Ordering::Relaxed);
        let deliveries = ledger_stream::encode_group(group.iter().map(|member| &member.prepared.delivery[..]))?;
        let name = format!("{}{number:x}", self.caller);
        let mut first = redis::cmd("XADD");
        first.arg(&keys.ledger).arg("*");
        first.arg("g").arg(deliveries).arg("c").arg(&name);
        let mut call = ACCEPT.call_after(first, 11 + group.len());
        for key in [&keys.ledger, &keys.active, &keys.scheduled, &keys.records] {
            call.arg(key);
        }
        call.arg(format!("{}:{}", keys.answers, self.caller));
        call.arg(&keys.dead).arg(&keys.letters);
        call.arg(&keys.stock_data).arg(&keys.stock_meta);
        call.arg(&keys.life).arg(&keys.waits);
        for submission in group {
            call.arg(keys.claim(&submission.prepared.claim));
        }
        call.arg(&name).arg(CLAIM_SECONDS).arg(ANSWER_SECONDS);
        call.arg(&keys.wake);
        for submission in group {
            submission.prepared.write(&mut call);
        }
        Ok(call)
    }

    /// Sends the call until it is answered, the patience of its oldest member ends, or nobody waits
    /// for it any more; at least once, and once only if Redis is known to be away.
    async fn send(&self, group: &[Submission]) -> Result<Vec<Taken>, QueueError> {
        let call = self.call(group)?;
        let was_up = self.redis.is_up();
        let mut waits = Reconnecting::new();
        let generation = self.memory.generation();
        loop {
            match call.send_durably::<String>(&self.redis, patience_of(group)).await {
                Ok(answer) => {
                    let (taken, seen) = parse_answer(&answer, group.len())?;
                    let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
                    *told = self.memory.note(generation, *told, seen);
                    return Ok(taken);
                }
                Err(error @ QueueError::Unavailable(_)) => {
                    let wait = waits.next();
                    let is_over = group.iter().any(|member| member.submitted.elapsed() + wait >= PATIENCE);
                    if !was_up || is_over {
                        return Err(error);
                    }
                    sleep(wait).await;
                    if !group.iter().any(Submission::is_waited_for) {
                        return Err(error);
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }
}

impl Commit for AcceptCommit {
    type Item = Submission;
    type Answer = Result<Taken, QueueError>;
    /// 64 deliveries of one row, one of 250 rows, or 16 MiB of bodies.
    const MOST: usize = 256;

    fn weight(item: &Submission) -> usize {
        item.prepared.jobs.len() + 3 + item.prepared.delivery.len() / (64 * 1024)
    }

    async fn commit(&self, group: &[Submission]) -> Vec<Self::Answer> {
        #[expect(clippy::cast_precision_loss, reason = "a group has at most a hundred members")]
        metrics::histogram!("passerelle_queue_accept_group").record(group.len() as f64);
        match self.send(group).await {
            Ok(taken) => taken.into_iter().map(Ok).collect(),
            Err(error) => group.iter().map(|_| Err(error.clone())).collect(),
        }
    }
}

impl Prepared {
    fn write(&self, call: &mut Call) {
        call.arg(&self.event).arg(self.jobs.len());
        for job in &self.jobs {
            call.arg(job.to_string());
        }
        let Some(origin) = &self.origin else {
            call.arg("");
            return;
        };
        call.arg(origin.kind).arg(&origin.id).arg(&origin.note);
        match &origin.letter {
            Some((id, letter)) => call.arg(id).arg(letter),
            None => call.arg("").arg(""),
        };
    }
}
