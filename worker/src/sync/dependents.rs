//! Propagates a change to the rows whose pages show the changed row: a client gets a new name, and
//! the pages of its projects follow (B9).
//!
//! Baserow does not announce it: the project has not changed, only the text of its link. So the
//! client's job asks Baserow for the rows that link to it and requests a sync of each, as an
//! operator's forced sync would. It does not touch their pages: every row has one job, and only
//! that job writes its page.
//!
//! **Idempotent.** The requested event is named after the event that caused it, so a repeated
//! attempt is a duplicate.
//!
//! **No loops.** A row that was synced for another one propagates nothing, unless it changed too:
//! what its pages show comes from rows at most one link away, and nothing of the row itself has
//! changed.
//!
//! **Rows that get sub-pages** (B2) propagate to the row whose collection they are in, also when
//! they come, go, or are unlinked.

use passerelle_model::config::CollectionAction;
use passerelle_model::event::{EventKind, NewEvent};
use passerelle_model::id::{EventId, RowId, RowKey, TableId};
use passerelle_model::job::{EventKinds, Job};
use serde_json::json;

use crate::clients::baserow::Table;
use crate::context::Context;
use crate::failure::Failure;
use crate::journal::Journal;
use crate::rules::{PageRule, reacts, sub_page_slot};
use crate::sync::request::{Requester, request, row_item};

/// Most pages of linking rows that are read, 200 rows each; the reconciliation finds the others.
const MOST_PAGES: u32 = 25;
/// Most rows in one event, as in Baserow's own.
const LARGEST_EVENT: usize = 200;

/// Requests a sync of all rows whose pages show this row. Returns how many; `None` where no rule
/// shows rows of this table.
pub async fn propagate(
    context: &Context,
    table: &Table,
    key: RowKey,
    job: &Job,
    journal: &mut Journal,
) -> Result<Option<usize>, Failure> {
    let mut propagated = None;
    for rule in context.rules.pages() {
        let dependent = match context.table(journal, &rule.table).await {
            Ok(Some(dependent)) => dependent,
            Ok(None) => continue,
            // A name that fits two tables: the jobs of their rows say so.
            Err(failure) if failure.is_final() => continue,
            Err(failure) => return Err(failure),
        };
        for (field, collection) in fields_of(rule) {
            if target_of(context, journal, dependent.id, field).await? != Some(table.id) {
                continue;
            }
            let before = propagated.unwrap_or_default();
            propagated = Some(before);
            if concerns(rule, collection.is_some(), job) {
                let propagation = Propagation {
                    context,
                    rule,
                    table: dependent.id,
                    field,
                    by: key,
                    because_of: &job.last_event,
                };
                propagated = Some(before + propagation.rows(collection, journal).await?);
            }
        }
    }
    Ok(propagated)
}

/// The table that a link field leads to. A table that our token may not read must not stop the rows
/// of another one.
async fn target_of(
    context: &Context,
    journal: &mut Journal,
    table: TableId,
    field: &str,
) -> Result<Option<TableId>, Failure> {
    let target = context
        .tables
        .linked_table(&context.baserow, journal, table, field)
        .await;
    match target {
        Err(failure) if failure.is_final() => Ok(None),
        target => target,
    }
}

/// The link fields by which the pages of a rule use other rows; with the collection where these get
/// pages of their own.
fn fields_of(rule: &PageRule) -> impl Iterator<Item = (&str, Option<&CollectionAction>)> {
    let links = rule.links.values().map(|field| (field.as_str(), None));
    let collection = rule.collection.iter();
    links.chain(collection.map(|collection| (collection.of.as_str(), Some(collection))))
}

/// Whether the rows that link to a job's row have to look at it again.
fn concerns(rule: &PageRule, gets_sub_page: bool, job: &Job) -> bool {
    let is_asked_for = job.kinds.contains(EventKind::Forced) && !was_propagated(&job.last_event);
    let has_come_or_gone = job.kinds.contains(EventKind::Created) || job.kinds.contains(EventKind::Deleted);
    let updated = EventKinds::of(EventKind::Updated);
    reacts(rule, updated)
        && (job.kinds.contains(EventKind::Updated) || is_asked_for || (gets_sub_page && has_come_or_gone))
}

/// Whether the event was not about this row itself: another row requested it, or the
/// reconciliation, which finds the others too.
fn was_propagated(event: &EventId) -> bool {
    Requester::Linked.made(event) || Requester::Reconcile.made(event)
}

/// The rows of one table that link to one row by one field.
struct Propagation<'a> {
    context: &'a Context,
    rule: &'a PageRule,
    table: TableId,
    field: &'a str,
    by: RowKey,
    because_of: &'a EventId,
}

impl Propagation<'_> {
    async fn rows(&self, collection: Option<&CollectionAction>, journal: &mut Journal) -> Result<usize, Failure> {
        let mut rows = self.linking(journal).await?;
        if let Some(collection) = collection {
            // A row that was deleted or unlinked does not say any more where it was; its page does.
            let slot = sub_page_slot(collection, self.by.row)?;
            rows.extend(self.context.store.rows_with_slot(self.table, &slot).await?);
        }
        rows.sort_unstable();
        rows.dedup();
        for (number, rows) in rows.chunks(LARGEST_EVENT).enumerate() {
            self.request(number, rows).await?;
        }
        if !rows.is_empty() {
            journal.note("propagate", format!("{} of rule {:?}", rows.len(), self.rule.name));
        }
        Ok(rows.len())
    }

    async fn linking(&self, journal: &mut Journal) -> Result<Vec<RowId>, Failure> {
        let mut rows = Vec::new();
        for page in 1..=MOST_PAGES {
            let linking = self
                .context
                .rows_linking(journal, (self.table, self.field), self.by.row, page)
                .await?;
            rows.extend(linking.rows);
            if !linking.has_more {
                return Ok(rows);
            }
        }
        journal.note(
            "find_linking_rows",
            format!("only the first {} rows are synced again", rows.len()),
        );
        Ok(rows)
    }

    async fn request(&self, number: usize, rows: &[RowId]) -> Result<(), Failure> {
        let payload = json!({"because_of": self.because_of, "row": self.by.to_string(), "rule": self.rule.name});
        let cause = format!("{payload} {} {number}", self.field);
        let event = Requester::Linked.event(&cause, &payload).map(|event| NewEvent {
            table: Some(self.table),
            items: rows.iter().copied().map(row_item).collect(),
            ..event
        });
        request(self.context, event).await
    }
}
