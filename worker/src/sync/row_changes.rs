//! What the open events of a row's job say about the row, for the pages of other rows that show it.

use passerelle_model::event::EventKind;
use passerelle_model::id::{EventId, RowId, RowKey};
use passerelle_model::job::Job;

use crate::content::event_body::{FieldName, RowBody};
use crate::context::Context;
use crate::failure::Failure;
use crate::notify::ledger;
use crate::sync::request::Requester;

/// Events that are read at once: a body may have megabytes.
const EVENTS_AT_ONCE: u32 = 20;

/// What has happened to a row.
#[derive(Debug, Default)]
pub(crate) struct RowChanges {
    /// Somebody wants the rows that show it to be synced, or nobody knows what has changed.
    pub(crate) is_anything: bool,
    /// It was created, restored or deleted.
    pub(crate) has_come_or_gone: bool,
    /// Rows of another table gained or lost it.
    pub(crate) links_alone: bool,
    /// Changes of its own.
    pub(crate) updates: Vec<RowBody>,
}

impl RowChanges {
    /// Reads the events that a job answers for.
    pub(crate) async fn of_job(context: &Context, key: RowKey, job: &Job) -> Result<Self, Failure> {
        let mut changes = Self {
            has_come_or_gone: job.kinds.contains(EventKind::Created) || job.kinds.contains(EventKind::Deleted),
            ..Self::default()
        };
        if !job.kinds.contains(EventKind::Updated) && !job.kinds.contains(EventKind::Forced) {
            return Ok(changes);
        }
        ledger::reach(context, job).await?;
        let (mut after, mut updates, mut forced) = (None, 0, 0);
        loop {
            let events = context
                .store
                .pending_events(key, after, job.covers, EVENTS_AT_ONCE)
                .await?;
            let Some(last) = events.last() else { break };
            after = Some(last.at);
            for event in events {
                match event.kind {
                    EventKind::Updated => {
                        updates += 1;
                        changes.add(RowBody::read(&event.payload, key.row));
                    }
                    EventKind::Forced => {
                        forced += 1;
                        changes.is_anything |= !was_propagated(&event.id);
                    }
                    EventKind::Created | EventKind::Deleted | EventKind::Other => {}
                }
            }
        }
        let is_unseen = |kind, seen| job.kinds.contains(kind) && seen == 0;
        changes.is_anything |= is_unseen(EventKind::Updated, updates)
            || (is_unseen(EventKind::Forced, forced) && !was_propagated(&job.last_event));
        Ok(changes)
    }

    /// The rows that gained or lost this one from its own side. Baserow tells the table of a row
    /// that lost its last link nothing.
    pub(crate) fn gained_or_lost(&self, reverse: FieldName<'_>) -> Vec<RowId> {
        let mut rows = Vec::new();
        for body in &self.updates {
            let Some(before) = body.links_before(reverse) else {
                continue;
            };
            let now = body.links_now(reverse);
            rows.extend(before.iter().filter(|row| !now.contains(row)));
            rows.extend(now.iter().filter(|row| !before.contains(row)));
        }
        rows
    }

    fn add(&mut self, body: RowBody) {
        if body.is_about_links_alone() {
            self.links_alone = true;
        } else if body.shows_before() {
            self.updates.push(body);
        } else {
            self.is_anything = true;
        }
    }
}

/// Whether the event was not about this row itself: another row requested it, or the
/// reconciliation, which finds the others too.
fn was_propagated(event: &EventId) -> bool {
    Requester::Linked.made(event) || Requester::Reconcile.made(event)
}
