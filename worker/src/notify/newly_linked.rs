//! Whom an event newly links to a row, and who was notified of it before (B5).
//!
//! A row that is typed in the grid is created empty, and each cell is an update: the person shows
//! at a later event than the creation. So every event is asked whom it adds. Whoever was notified
//! of a row is not notified of it again, whatever undoes, repeats or replaces the link.

use passerelle_model::event::EventKind;
use passerelle_model::id::{JobKey, RowId, RowKey};

use super::event_notices::EventNotices;
use crate::content::event_body::RowBody;
use crate::failure::Failure;
use crate::outbox::notice_key;

/// The step under which `trace` shows it.
const STEP: &str = "newly_linked";

impl EventNotices<'_, '_> {
    /// The people whom the row links to now, and did not before the event.
    pub(super) async fn newly_linked(&mut self, field: &str) -> Result<Vec<RowKey>, Failure> {
        let mut ids = self.linked_now(field)?;
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let Some(before) = self.linked_before(field).await? else {
            self.journal.note(
                STEP,
                "nobody knows who was linked before this event, so nobody is notified; a person who is linked by a later one will be".to_owned(),
            );
            return Ok(Vec::new());
        };
        ids.retain(|id| !before.contains(id));
        self.keys(field, ids).await
    }

    /// The people whom the row linked to before the event; `None` if that is not known.
    async fn linked_before(&mut self, field: &str) -> Result<Option<Vec<RowId>>, Failure> {
        let (context, key) = (self.of.context, self.of.key);
        if self.event.kind == EventKind::Updated {
            let body = RowBody::read(&self.event.payload, key.row);
            let fields = context.tables.fields(&context.baserow, self.journal, key.table).await?;
            let before = body.links_before(fields.named(field));
            if before.is_some() {
                return Ok(before);
            }
        }
        // Whoever links to a row from the other side, or restores it, shows nothing of what was
        // before. A row whose creation was seen began with nobody: each person since then was
        // notified, or is now.
        let earlier = context.store.earlier_kinds(key, self.event.at).await?;
        let began_here = match self.event.kind {
            EventKind::Created => !earlier.contains(&EventKind::Deleted),
            EventKind::Forced => true,
            _ => false,
        };
        let is_known = began_here || earlier.contains(&EventKind::Created);
        Ok(is_known.then(Vec::new))
    }

    /// The name of the notice by which a person hears of a row; `None` if an earlier version has
    /// notified the person under another name.
    pub(super) async fn name_for_ever(&mut self, person: RowKey) -> Result<Option<JobKey>, Failure> {
        let (row, person) = (self.of.key, person.to_string());
        let name = notice_key("linked", &[&self.rule.name, &row.to_string(), &person])?;
        let notified = self.of.context.store.notices_about(row, &self.rule.name).await?;
        let about = |key: &JobKey| key.to_string().rsplit('/').next().map(str::to_owned);
        let before = notified
            .iter()
            .find(|notice| **notice != name && about(notice) == about(&name));
        if let Some(before) = before {
            self.journal
                .note(STEP, format!("{person} was notified of this row before: {before}"));
        }
        Ok(before.is_none().then_some(name))
    }
}
