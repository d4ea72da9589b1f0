//! The ledger rule: what each fact does to which items. Pure: facts and the open items of their
//! rows in, rows to write out.
//!
//! - An *accepted* delivery adds an event and its items; those that the ingress closed are closed
//!   at once.
//! - A *duplicate* counts on the latest event with its key.
//! - An *attempt* that ended for good closes every open item of its row up to the entry that it
//!   covers. The last of them gets the outcome; the earlier ones are `superseded`: the page was
//!   made equal to the row as it was after the last. If the job was given up (`dead`) or refused
//!   (`rejected`), all of them get that outcome: none of them was carried out by another, and one
//!   dead letter answers for all.
//! - Any other attempt is only kept: retries, holds and hand-backs close nothing.
//!
//! The rule looks at one fact after another, so how the stream is cut into batches makes no
//! difference to what is stored.

use std::collections::{BTreeMap, HashMap};

use passerelle_model::event::{Disposition, NewEvent};
use passerelle_model::id::{JobKey, RowKey};
use passerelle_model::ledger::{AttemptRecord, LedgerEntry, LedgerRecord, UnreadableRecord, Verdict};
use passerelle_model::outcome::Outcome;
use passerelle_model::seq::Seq;
use passerelle_model::time::Timestamp;

/// The place of a fact in the one order of all facts: the stream entry, and the fact's number in
/// it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) seq: Seq,
    pub(super) number: i64,
}

/// A stream entry, and the place of its first fact.
#[derive(Debug, Clone, Copy)]
pub(super) struct Placed<'f> {
    pub(super) entry: &'f LedgerEntry,
    pub(super) first: i64,
}

/// An item of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct ItemId {
    pub(super) event: Place,
    pub(super) number: i64,
}

/// How and by what an item was closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Closing {
    pub(super) outcome: Outcome,
    pub(super) at: Timestamp,
    /// `None`: the ingress closed it when it came in.
    pub(super) by: Option<Place>,
}

#[derive(Debug)]
pub(super) struct NewEventRow<'f> {
    pub(super) place: Place,
    pub(super) record: &'f NewEvent,
    pub(super) again: Again,
}

/// Repetitions of a delivery.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Again {
    pub(super) times: i64,
    pub(super) last: Option<Timestamp>,
}

#[derive(Debug)]
pub(super) struct NewItemRow {
    pub(super) id: ItemId,
    pub(super) table: Option<i64>,
    pub(super) row: Option<i64>,
    /// Where the item is about something else than a row.
    pub(super) job: Option<String>,
    pub(super) closing: Option<Closing>,
}

/// What a batch of facts changes in the store.
#[derive(Debug, Default)]
pub(super) struct Changes<'f> {
    pub(super) events: Vec<NewEventRow<'f>>,
    pub(super) items: Vec<NewItemRow>,
    /// Items of earlier batches that are closed now.
    pub(super) closed: Vec<(ItemId, Closing)>,
    /// Repetitions of deliveries of earlier batches, by delivery key.
    pub(super) again: BTreeMap<String, Again>,
    pub(super) attempts: Vec<(Place, &'f AttemptRecord)>,
    /// What operators did: replays, discards, pauses.
    pub(super) acts: Vec<(Place, &'f LedgerRecord)>,
    pub(super) unreadable: Vec<(Place, &'f UnreadableRecord)>,
}

/// The jobs whose open items the facts may close: what to load before folding.
pub(super) fn jobs_to_close(entries: &[Placed<'_>]) -> Vec<JobKey> {
    let records = entries.iter().flat_map(|placed| placed.entry.records.iter().flatten());
    let mut jobs: Vec<JobKey> = records
        .filter_map(|record| match record {
            LedgerRecord::Attempt(attempt) if final_outcome(&attempt.verdict).is_some() => Some(attempt.job.clone()),
            _ => None,
        })
        .collect();
    jobs.sort_unstable();
    jobs.dedup();
    jobs
}

/// Applies the rule to the facts in order. `open` holds the stored open items of [`jobs_to_close`].
pub(super) fn fold<'f>(entries: &[Placed<'f>], open: impl IntoIterator<Item = (JobKey, ItemId)>) -> Changes<'f> {
    let mut fold = Fold::default();
    for (job, item) in open {
        fold.open.entry(job).or_default().push(Open { item, new_index: None });
    }
    for items in fold.open.values_mut() {
        items.sort_unstable_by_key(|open| open.item);
    }
    for Placed { entry, first } in entries {
        for (number, record) in (*first..).zip(&entry.records) {
            let place = Place { seq: entry.seq, number };
            match record {
                Ok(record) => fold.apply(place, record),
                Err(unreadable) => fold.changes.unreadable.push((place, unreadable)),
            }
        }
    }
    fold.changes
}

/// An item without an outcome; `new_index` where it belongs to this batch.
#[derive(Debug, Clone, Copy)]
struct Open {
    item: ItemId,
    new_index: Option<usize>,
}

#[derive(Default)]
struct Fold<'f> {
    changes: Changes<'f>,
    /// Open items by job, oldest first.
    open: HashMap<JobKey, Vec<Open>>,
    /// The latest event of this batch by delivery key.
    latest: HashMap<String, usize>,
}

impl<'f> Fold<'f> {
    fn apply(&mut self, place: Place, record: &'f LedgerRecord) {
        match record {
            LedgerRecord::Accepted(accepted) => self.accept(place, accepted),
            LedgerRecord::Duplicate { key, received } => self.count_again(key.to_string(), *received),
            LedgerRecord::Attempt(attempt) => {
                self.changes.attempts.push((place, attempt));
                if let Some(outcome) = final_outcome(&attempt.verdict) {
                    self.close(place, attempt, &outcome);
                }
            }
            LedgerRecord::Replayed { .. } | LedgerRecord::Discarded { .. } | LedgerRecord::Switched { .. } => {
                self.changes.acts.push((place, record));
            }
        }
    }

    fn accept(&mut self, event: Place, record: &'f NewEvent) {
        for (number, item) in (0_i64..).zip(&record.items) {
            let id = ItemId { event, number };
            let closing = match &item.disposition {
                Disposition::Closed(outcome) => Some(Closing {
                    outcome: outcome.clone(),
                    at: record.received,
                    by: None,
                }),
                Disposition::Sync | Disposition::Job(_) => None,
            };
            let job = match (&item.disposition, record.table, item.row) {
                (Disposition::Job(job), ..) => Some(job.clone()),
                (Disposition::Sync, Some(table), Some(row)) => Some(JobKey::Row(RowKey { table, row })),
                _ => None,
            };
            if let Some(job) = job {
                self.open.entry(job).or_default().push(Open {
                    item: id,
                    new_index: Some(self.changes.items.len()),
                });
            }
            self.changes.items.push(NewItemRow {
                id,
                table: record.table.map(|table| table.get().cast_signed()),
                row: item.row.map(|row| row.get().cast_signed()),
                job: match &item.disposition {
                    Disposition::Job(job) => Some(job.to_string()),
                    Disposition::Sync | Disposition::Closed(_) => None,
                },
                closing,
            });
        }
        self.latest.insert(record.key.to_string(), self.changes.events.len());
        self.changes.events.push(NewEventRow {
            place: event,
            record,
            again: Again::default(),
        });
    }

    fn count_again(&mut self, key: String, received: Timestamp) {
        let in_batch = self
            .latest
            .get(&key)
            .and_then(|index| self.changes.events.get_mut(*index));
        let again = match in_batch {
            Some(event) => &mut event.again,
            None => self.changes.again.entry(key).or_default(),
        };
        again.times += 1;
        again.last = Some(received);
    }

    fn close(&mut self, by: Place, attempt: &AttemptRecord, outcome: &Outcome) {
        let Some(open) = self.open.get_mut(&attempt.job) else {
            return;
        };
        let covered = open.partition_point(|open| open.item.event.seq <= attempt.covers);
        let closed: Vec<Open> = open.drain(..covered).collect();
        for (index, Open { item, new_index }) in closed.into_iter().enumerate() {
            let answers_for_all = matches!(outcome, Outcome::Dead(_) | Outcome::Rejected(_));
            let closing = Closing {
                outcome: if index + 1 == covered || answers_for_all {
                    outcome.clone()
                } else {
                    Outcome::Superseded
                },
                at: attempt.ended,
                by: Some(by),
            };
            match new_index.and_then(|index| self.changes.items.get_mut(index)) {
                Some(new) => new.closing = Some(closing),
                None => self.changes.closed.push((item, closing)),
            }
        }
    }
}

/// The outcome that a verdict gives the covered items; `None` while the job goes on.
fn final_outcome(verdict: &Verdict) -> Option<Outcome> {
    match verdict {
        Verdict::Done(outcome) => Some(outcome.clone()),
        Verdict::Bury { reason, .. } => Some(Outcome::Dead(reason.clone())),
        Verdict::Retry { .. } | Verdict::Hold { .. } | Verdict::GiveBack => None,
    }
}
