//! From the writer of the ledger to the task that sends: only what spans need, and never more than
//! [`MOST_FACTS`].

use std::collections::BTreeSet;

use passerelle_model::event::{Disposition, NewEvent};
use passerelle_model::id::JobKey;
use passerelle_model::ledger::{AttemptRecord, FailureClass, LedgerRecord, Step, Verdict};
use passerelle_model::outcome::Outcome;
use passerelle_model::seq::Seq;
use passerelle_model::time::Timestamp;
use passerelle_model::trace_context::TraceContext;
use passerelle_store::{Follower, Recorded};
use tokio::sync::mpsc::{self, Receiver, Sender};

/// Facts that wait to be sent; some kilobytes each at the most.
const MOST_FACTS: usize = 2048;

/// A fact, as its spans need it: nothing of what a row, a page or a failure says.
#[derive(Debug)]
pub(crate) enum Fact {
    Delivery(Delivery),
    Attempt(Attempt),
}

/// A delivery that was accepted.
#[derive(Debug, Clone)]
pub(crate) struct Delivery {
    pub(crate) trace: TraceContext,
    pub(crate) key: String,
    pub(crate) event: String,
    pub(crate) source: String,
    pub(crate) kind: &'static str,
    pub(crate) table: Option<u64>,
    pub(crate) received: Timestamp,
    pub(crate) accepted: Timestamp,
    /// Its rows.
    pub(crate) items: usize,
    /// How those ended that never became a job.
    pub(crate) closed: Vec<Outcome>,
}

/// An attempt at a job.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    pub(crate) job: JobKey,
    pub(crate) covers: Seq,
    /// Its own entry.
    pub(crate) entry: Seq,
    pub(crate) number: u32,
    pub(crate) worker: String,
    pub(crate) started: Timestamp,
    pub(crate) ended: Timestamp,
    /// `done`, `retry`, `hold`, `bury` or `give_back`.
    pub(crate) verdict: &'static str,
    pub(crate) failure: Option<FailureClass>,
    /// How it ended, if for good.
    pub(crate) outcome: Option<Outcome>,
    /// Without what they say.
    pub(crate) steps: Vec<Step>,
    pub(crate) written: Written,
}

/// The transaction that wrote a fact.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Written {
    pub(crate) began: Timestamp,
    pub(crate) ended: Timestamp,
    pub(crate) database: &'static str,
}

/// Hears of facts, and lets go what is too much.
#[derive(Debug)]
pub(crate) struct Inbox(Sender<Fact>);

impl Inbox {
    pub(crate) fn new() -> (Self, Receiver<Fact>) {
        let (sender, receiver) = mpsc::channel(MOST_FACTS);
        (Self(sender), receiver)
    }

    fn put(&self, fact: Fact) {
        match self.0.try_reserve() {
            Ok(room) => room.send(fact),
            Err(_) => dropped("full", fact.spans()),
        }
    }
}

impl Follower for Inbox {
    fn recorded(&self, recorded: Recorded<'_>) {
        let written = Written {
            began: recorded.began,
            ended: recorded.ended,
            database: recorded.database,
        };
        for entry in recorded.entries {
            for record in entry.records.iter().flatten() {
                let fact = match record {
                    LedgerRecord::Accepted(event) => delivery(event, entry.seq).map(Fact::Delivery),
                    LedgerRecord::Attempt(record) => Some(Fact::Attempt(attempt(record, entry.seq, written))),
                    _ => None,
                };
                if let Some(fact) = fact {
                    self.put(fact);
                }
            }
        }
    }
}

/// Counts spans that are not sent.
pub(crate) fn dropped(reason: &'static str, spans: usize) {
    let spans = u64::try_from(spans).unwrap_or(u64::MAX);
    metrics::counter!("passerelle_spans_dropped_total", "reason" => reason).increment(spans);
}

impl Fact {
    /// How many spans it has, at the least.
    pub(crate) fn spans(&self) -> usize {
        match self {
            Self::Delivery(delivery) => 1 + delivery.closed.len(),
            Self::Attempt(attempt) => 3 + attempt.calls(),
        }
    }
}

impl Attempt {
    pub(crate) fn calls(&self) -> usize {
        self.steps.iter().filter(|step| step.request.is_some()).count()
    }
}

/// `None` for a delivery without spans.
fn delivery(event: &NewEvent, entry: Seq) -> Option<Delivery> {
    let closed = |item: &passerelle_model::event::Item| match &item.disposition {
        Disposition::Closed(outcome) => Some(outcome.clone()),
        Disposition::Sync | Disposition::Job(_) => None,
    };
    // One span for each word, however many rows ended so.
    let mut words = BTreeSet::new();
    let closed = event.items.iter().filter_map(closed);
    let closed = closed.filter(|outcome| words.insert(outcome.name())).collect();
    Some(Delivery {
        trace: event.trace.filter(|trace| trace.is_sampled())?,
        key: event.key.to_string(),
        event: event.key.event.as_str().to_owned(),
        source: event.source.as_str().to_owned(),
        kind: event.kind.as_str(),
        table: event.table.map(passerelle_model::id::TableId::get),
        received: event.received,
        accepted: entry.moment(),
        items: event.items.len(),
        closed,
    })
}

fn attempt(record: &AttemptRecord, entry: Seq, written: Written) -> Attempt {
    let (verdict, failure, outcome) = match &record.verdict {
        Verdict::Done(outcome) => ("done", None, Some(outcome.clone())),
        Verdict::Retry { failure, .. } => ("retry", Some(failure.class), None),
        Verdict::Hold { failure, .. } => ("hold", Some(failure.class), None),
        Verdict::Bury { reason, failure } => ("bury", Some(failure.class), Some(Outcome::Dead(reason.clone()))),
        Verdict::GiveBack => ("give_back", None, None),
    };
    let bare = |step: &Step| Step {
        note: None,
        request: step.request.as_deref().map(without_query),
        // Facts of earlier versions say only so that a call failed.
        class: step
            .class
            .or((step.status.is_none() && step.note.is_some() && step.request.is_some())
                .then_some(FailureClass::Transient)),
        ..step.clone()
    };
    Attempt {
        job: record.job.clone(),
        covers: record.covers,
        entry,
        number: record.attempt,
        worker: record.worker.as_str().to_owned(),
        started: record.started,
        ended: record.ended,
        verdict,
        failure,
        outcome,
        steps: record.steps.iter().map(bare).collect(),
        written,
    }
}

/// A request without its query, which may hold what people wrote.
fn without_query(request: &str) -> String {
    request.split(['?', '#']).next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use passerelle_model::id::ProcessName;

    use super::*;

    #[test]
    fn of_a_call_neither_its_query_nor_its_note_is_kept() {
        let (time, seq) = (Timestamp::from_millis(1), Seq::from_i64(1));
        let step = Step {
            name: "look".to_owned(),
            request: Some("GET baserow rows/table/2/?search=Confidentiel".to_owned()),
            status: Some(200),
            duration_ms: 1,
            at_ms: None,
            class: None,
            note: Some("Confidentiel".to_owned()),
        };
        let record = AttemptRecord {
            job: JobKey::parse("t2/r5").unwrap(),
            covers: seq,
            attempt: 1,
            worker: ProcessName::unique("worker"),
            started: time,
            ended: time,
            verdict: Verdict::GiveBack,
            steps: vec![step],
        };
        let written = Written {
            began: time,
            ended: time,
            database: "sqlite",
        };
        let kept = attempt(&record, seq, written);
        assert_eq!(kept.steps[0].request.as_deref(), Some("GET baserow rows/table/2/"));
        assert!(!format!("{kept:?}").contains("Confidentiel"), "{kept:?}");
    }
}
