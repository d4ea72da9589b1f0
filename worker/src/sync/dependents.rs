//! Propagates a change to the rows whose pages show the changed row: a client gets a new name, and
//! the pages of its projects follow (B9).
//!
//! Baserow does not announce it: the project has not changed, only the text of its link. So the
//! client's job asks Baserow for the rows that link to it and requests a sync of each, as an
//! operator's forced sync would. It does not touch their pages: every row has one job, and only
//! that job writes its page.
//!
//! **Whom it concerns (L2).** A table that is linked to hears of every row that links to it. The
//! events say which fields have changed: a rule whose pages show none of them is not concerned, and
//! its rows are not even looked for. An event about links alone changes no cell but computed ones;
//! where pages show such a cell, it is compared with what they were told last ([`shown`]). Rows
//! that gained or lost the row from its own side are synced, and no others.
//!
//! **Idempotent.** The requested event is named after the event that caused it, so a repeated
//! attempt is a duplicate.
//!
//! **No loops.** A row that was synced for another one propagates nothing, unless it changed too:
//! what its pages show comes from rows at most one link away, and nothing of the row itself has
//! changed.
//!
//! **Rows that get sub-pages** (B2) propagate to the row whose collection they are in, also when
//! they come, go, are unlinked, or are moved among their neighbours.
//!
//! [`shown`]: crate::lookups::shown

use passerelle_model::config::CollectionAction;
use passerelle_model::event::{EventKind, NewEvent};
use passerelle_model::id::{EventId, RowId, RowKey, TableId};
use passerelle_model::job::{EventKinds, Job};
use serde_json::json;

use crate::clients::baserow::{Linking, Table};
use crate::content::event_body::RowBody;
use crate::context::Context;
use crate::failure::Failure;
use crate::journal::Journal;
use crate::lookups::shown::ShownBy;
use crate::rules::{PageRule, reacts, sub_page_slot};
use crate::sync::fields_shown::FieldsShown;
use crate::sync::request::{Requester, request, row_item};
use crate::sync::row_changes::RowChanges;

/// Most pages of linking rows that are read, 200 rows each; the reconciliation finds the others.
const MOST_PAGES: u32 = 25;
/// Most rows in one event, as in Baserow's own.
const LARGEST_EVENT: usize = 200;
/// Requests a sync of all rows whose pages this change of a row concerns. Returns how many; `None`
/// where no rule shows rows of this table.
pub async fn propagate(
    context: &Context,
    table: &Table,
    key: RowKey,
    job: &Job,
    journal: &mut Journal,
) -> Result<Option<usize>, Failure> {
    let uses = uses_of(context, table.id, journal).await?;
    if uses.is_empty() {
        return Ok(None);
    }
    let following: Vec<Use<'_>> = uses.into_iter().filter(Use::follows).collect();
    if following.is_empty() {
        return Ok(Some(0));
    }
    let changes = RowChanges::of_job(context, key, job).await?;
    let mut rows = 0;
    for usage in following {
        let propagation = Propagation {
            context,
            usage,
            by: key,
            because_of: &job.last_event,
        };
        rows += propagation.run(&changes, journal).await?;
    }
    Ok(Some(rows))
}

/// A rule whose pages show rows of a table, and the link field by which they do.
struct Use<'a> {
    rule: &'a PageRule,
    table: TableId,
    field: &'a str,
    /// Where the shown rows get pages of their own.
    collection: Option<&'a CollectionAction>,
}

impl Use<'_> {
    fn follows(&self) -> bool {
        reacts(self.rule, EventKinds::of(EventKind::Updated))
    }
}

/// A rule whose pages show rows of this table, also if our token does not see the table.
pub async fn shown_by<'a>(
    context: &'a Context,
    table: TableId,
    journal: &mut Journal,
) -> Result<Option<&'a str>, Failure> {
    let uses = uses_of(context, table, journal).await?;
    Ok(uses.first().map(|usage| usage.rule.name.as_str()))
}

async fn uses_of<'a>(context: &'a Context, table: TableId, journal: &mut Journal) -> Result<Vec<Use<'a>>, Failure> {
    let mut uses = Vec::new();
    for rule in context.rules.pages() {
        let dependent = match context.table(journal, &rule.table).await {
            Ok(Some(dependent)) => dependent,
            Ok(None) => continue,
            // A name that fits two tables: the jobs of their rows say so.
            Err(failure) if failure.is_final() => continue,
            Err(failure) => return Err(failure),
        };
        for (field, collection) in fields_of(rule) {
            if target_of(context, journal, dependent.id, field).await? == Some(table) {
                uses.push(Use {
                    rule,
                    table: dependent.id,
                    field,
                    collection,
                });
            }
        }
    }
    Ok(uses)
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

/// The rows of one table that link to one row by one field.
struct Propagation<'a> {
    context: &'a Context,
    usage: Use<'a>,
    by: RowKey,
    because_of: &'a EventId,
}

impl Propagation<'_> {
    async fn run(&self, changes: &RowChanges, journal: &mut Journal) -> Result<usize, Failure> {
        let collection = self.usage.collection;
        if changes.is_anything || (collection.is_some() && changes.has_come_or_gone) {
            return self.all(journal).await;
        }
        if changes.updates.is_empty() && !changes.links_alone {
            return Ok(0);
        }
        let fields = self.fields_shown(journal).await?;
        let is_shown = |body: &RowBody| fields.may_have_changed(body) || (collection.is_some() && body.was_moved());
        if changes.updates.iter().any(is_shown) {
            return self.all(journal).await;
        }
        let by = ShownBy {
            row: self.by,
            rule: &self.usage.rule.name,
            field: self.usage.field,
        };
        if changes.links_alone
            && fields.is_computed()
            && let Some(row) = self.context.row(journal, self.by).await?
        {
            let state = fields.state_of(&row);
            if !self.context.shown.is(by, &state).await {
                let rows = self.all(journal).await?;
                self.context.shown.remember(by, &state).await;
                return Ok(rows);
            }
        }
        let Some(reverse) = fields.reverse() else { return Ok(0) };
        self.request_all(changes.gained_or_lost(reverse), journal).await
    }

    async fn fields_shown(&self, journal: &mut Journal) -> Result<FieldsShown, Failure> {
        let Self { context, usage, by, .. } = self;
        let linking = context.tables.fields(&context.baserow, journal, usage.table).await?;
        let link = linking.get(usage.field);
        Ok(FieldsShown {
            of_table: context.tables.fields(&context.baserow, journal, by.table).await?,
            shown: context.rules.shown_fields(usage.rule, usage.field),
            reverse: link.and_then(|link| link.link_row_related_field_id),
        })
    }

    /// All rows that show it.
    async fn all(&self, journal: &mut Journal) -> Result<usize, Failure> {
        let mut rows = self.linking(journal).await?;
        if let Some(collection) = self.usage.collection {
            // A row that was deleted or unlinked does not say any more where it was; its page does.
            let slot = sub_page_slot(collection, self.by.row)?;
            rows.extend(self.context.store.rows_with_slot(self.usage.table, &slot).await?);
        }
        self.request_all(rows, journal).await
    }

    async fn request_all(&self, mut rows: Vec<RowId>, journal: &mut Journal) -> Result<usize, Failure> {
        rows.sort_unstable();
        rows.dedup();
        for (number, rows) in rows.chunks(LARGEST_EVENT).enumerate() {
            self.request(number, rows).await?;
        }
        if !rows.is_empty() {
            journal.note(
                "propagate",
                format!("{} of rule {:?}", rows.len(), self.usage.rule.name),
            );
        }
        Ok(rows.len())
    }

    async fn linking(&self, journal: &mut Journal) -> Result<Vec<RowId>, Failure> {
        let mut rows = Vec::new();
        let link = Linking {
            table: self.usage.table,
            field: self.usage.field,
            to: self.by.row,
        };
        for page in 1..=MOST_PAGES {
            let linking = self.context.rows_linking(journal, link, page).await?;
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
        let payload = json!({"because_of": self.because_of, "row": self.by.to_string(), "rule": self.usage.rule.name});
        let cause = format!("{payload} {} {number}", self.usage.field);
        let event = Requester::Linked.event(&cause, &payload).map(|event| NewEvent {
            table: Some(self.usage.table),
            items: rows.iter().copied().map(row_item).collect(),
            ..event
        });
        request(self.context, event).await
    }
}
