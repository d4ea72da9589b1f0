//! Rows whose pages use the row of a job: a client gets a new name, and the pages of its projects follow (B9).
//!
//! Baserow does not announce it: the project has not changed, only the text of its link. So whoever learns of the client asks Baserow for
//! the rows that link to it and wakes each one's own job, as an operator's forced sync would. The page is not touched from here: every row
//! has one job, and only that job writes its page.
//!
//! **Again is no harm.** The woken rows' event is named after the event that woke them, so a repeated attempt is a duplicate.
//!
//! **It cannot go in circles.** A woken row wakes nobody, unless somebody else changed it too: what its own pages show comes from rows at most one
//! link away, and nothing of the row itself has changed.
//!
//! **Rows that get sub-pages** (B2) wake the row whose collection they are in, also when they come, go, or are linked no more.

use passerelle_model::config::CollectionAction;
use passerelle_model::event::{DeliveryKey, Disposition, EventKind, Item, NewEvent};
use passerelle_model::id::{EventId, InvalidId, RowId, RowKey, SourceName, TableId};
use passerelle_model::job::{EventKinds, Job};
use passerelle_model::time::Timestamp;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::clients::baserow::Table;
use crate::context::Context;
use crate::failure::Failure;
use crate::journal::Journal;
use crate::maintenance::reconcile;
use crate::rules::{PageRule, part_slot, reacts};

/// The source of the events that wake rows, and the beginning of their ids.
const SOURCE: &str = "linked";
/// Most pages of linking rows that are read, 200 rows each; the reconciliation finds the others.
const MOST_PAGES: u32 = 25;
/// Most rows in one event, as in Baserow's own.
const LARGEST_EVENT: usize = 200;

/// Wakes the jobs of all rows whose pages use this row. Says how many; `None` where no rule uses rows of this table.
pub async fn wake(
    context: &Context,
    table: &Table,
    key: RowKey,
    job: &Job,
    journal: &mut Journal,
) -> Result<Option<usize>, Failure> {
    let mut woken = None;
    for rule in context.rules.pages() {
        let Some(dependent) = context.tables.known(&rule.table).await else {
            continue;
        };
        for (field, collection) in fields_of(rule) {
            if target_of(context, journal, dependent.id, field).await? != Some(table.id) {
                continue;
            }
            let before = woken.unwrap_or_default();
            woken = Some(before);
            if concerns(rule, collection.is_some(), job) {
                let waking = Waking {
                    context,
                    rule,
                    table: dependent.id,
                    field,
                    by: key,
                    because_of: &job.last_event,
                };
                woken = Some(before + waking.rows(collection, journal).await?);
            }
        }
    }
    Ok(woken)
}

/// The table that a link field leads to. A table that our token may not read must not stop the rows of another one.
async fn target_of(
    context: &Context,
    journal: &mut Journal,
    table: TableId,
    field: &str,
) -> Result<Option<TableId>, Failure> {
    let target = context.tables.linked_table(&context.baserow, journal, table, field).await;
    match target {
        Err(failure) if failure.is_final() => Ok(None),
        target => target,
    }
}

/// The link fields by which the pages of a rule use other rows; with the collection where these get pages of their own.
fn fields_of(rule: &PageRule) -> impl Iterator<Item = (&str, Option<&CollectionAction>)> {
    let links = rule.links.values().map(|field| (field.as_str(), None));
    let collection = rule.collection.iter();
    links.chain(collection.map(|collection| (collection.of.as_str(), Some(collection))))
}

/// Whether the rows that link to a job's row have to look at it again.
fn concerns(rule: &PageRule, is_part: bool, job: &Job) -> bool {
    let is_asked_for = job.kinds.contains(EventKind::Forced) && !was_woken(&job.last_event);
    let has_come_or_gone = job.kinds.contains(EventKind::Created) || job.kinds.contains(EventKind::Deleted);
    let updated = EventKinds::of(EventKind::Updated);
    reacts(rule, updated) && (job.kinds.contains(EventKind::Updated) || is_asked_for || (is_part && has_come_or_gone))
}

/// Whether nobody has asked for this row itself: it was woken by another one, or found by the reconciliation, which finds the others too.
fn was_woken(event: &EventId) -> bool {
    let is_from = |source| {
        let rest = event.as_str().strip_prefix(source);
        rest.is_some_and(|rest: &str| rest.starts_with('-'))
    };
    is_from(SOURCE) || is_from(reconcile::SOURCE)
}

/// The rows of one table that link to one row by one field.
struct Waking<'a> {
    context: &'a Context,
    rule: &'a PageRule,
    table: TableId,
    field: &'a str,
    by: RowKey,
    because_of: &'a EventId,
}

impl Waking<'_> {
    async fn rows(&self, collection: Option<&CollectionAction>, journal: &mut Journal) -> Result<usize, Failure> {
        let mut rows = self.linking(journal).await?;
        if let Some(collection) = collection {
            // A row that was deleted or unlinked cannot tell any more where it was; its page can.
            let slot = part_slot(collection, self.by.row)?;
            rows.extend(self.context.store.rows_with_slot(self.table, &slot).await?);
        }
        rows.sort_unstable();
        rows.dedup();
        for (number, rows) in rows.chunks(LARGEST_EVENT).enumerate() {
            self.accept(number, rows).await?;
        }
        if !rows.is_empty() {
            journal.note("wake_rows", format!("{} of rule {:?}", rows.len(), self.rule.name));
        }
        Ok(rows.len())
    }

    async fn linking(&self, journal: &mut Journal) -> Result<Vec<RowId>, Failure> {
        let baserow = &self.context.baserow;
        let mut rows = Vec::new();
        for page in 1..=MOST_PAGES {
            let linking = baserow
                .rows_linking(journal, (self.table, self.field), self.by.row, page)
                .await?;
            rows.extend(linking.rows);
            if !linking.has_more {
                return Ok(rows);
            }
        }
        journal.note(
            "find_linking_rows",
            format!("only the first {} rows are woken", rows.len()),
        );
        Ok(rows)
    }

    async fn accept(&self, number: usize, rows: &[RowId]) -> Result<(), Failure> {
        let event = self
            .event(number, rows)
            .map_err(|error| Failure::unmappable(error.to_string()))?;
        let _durable = self.context.queue.accept(event).await?;
        Ok(())
    }

    fn event(&self, number: usize, rows: &[RowId]) -> Result<NewEvent, InvalidId> {
        let payload = json!({"because_of": self.because_of, "row": self.by.to_string(), "rule": self.rule.name});
        let cause = Sha256::digest(format!("{payload} {} {number}", self.field));
        let name = hex::encode(cause.get(..16).unwrap_or_default());
        Ok(NewEvent {
            key: DeliveryKey {
                webhook: None,
                event: EventId::parse(&format!("{SOURCE}-{name}"))?,
                batch: 0,
            },
            source: SourceName::parse(SOURCE)?,
            kind: EventKind::Forced,
            table: Some(self.table),
            received: Timestamp::now(),
            items: rows.iter().map(|row| item(*row)).collect(),
            payload: payload.to_string().into_bytes(),
        })
    }
}

fn item(row: RowId) -> Item {
    Item {
        row: Some(row),
        disposition: Disposition::Sync,
    }
}
