//! The row of one page by one rule: find it, make it, or let it follow.

use passerelle_model::config::{RowAction, RowUpdates};
use passerelle_model::id::{RowId, RowKey, TableId};
use passerelle_model::ledger::FailureClass;
use passerelle_model::time::Timestamp;
use passerelle_store::PageRow;

use crate::clients::docmost::Page;
use crate::content::row::Row;
use crate::context::Context;
use crate::failure::Failure;
use crate::journal::Journal;
use crate::rules::DesiredRow;

/// One rule's part of a page's job.
pub(super) struct PageJob<'a, 'j> {
    pub(super) context: &'a Context,
    pub(super) page: &'a Page,
    pub(super) action: &'a RowAction,
    pub(super) wanted: DesiredRow<'a>,
    pub(super) journal: &'j mut Journal,
}

impl PageJob<'_, '_> {
    /// Makes the row right; says whether anything was written.
    pub(super) async fn ensure(&mut self) -> Result<bool, Failure> {
        let table = self.table().await?;
        match self.context.store.page_row(&self.page.id, table).await? {
            Some(PageRow {
                row: Some(row),
                content_hash,
                ..
            }) => self.follow(RowKey { table, row }, &content_hash).await,
            known => self.find_or_create(table, known).await.map(|()| true),
        }
    }

    async fn table(&mut self) -> Result<TableId, Failure> {
        let table = self.context.table(self.journal, &self.action.table).await?;
        let table = table.ok_or_else(|| {
            let name = &self.action.table;
            Failure::broken_rule(format!(
                "BASEROW_TOKEN sees no table {name}: create it, or mend the wiki rule in bridge.toml"
            ))
        })?;
        Ok(table.id)
    }

    /// Brings a row up to date that is known, if the rule wants that.
    async fn follow(&mut self, key: RowKey, written: &str) -> Result<bool, Failure> {
        if self.action.updates == RowUpdates::Never || written == self.wanted.hash {
            return Ok(false);
        }
        match self.context.write_row(self.journal, key, &self.wanted.fields).await {
            Ok(()) => {}
            Err(failure) if failure.class == FailureClass::Gone => {
                self.journal.note(
                    "row_gone",
                    format!("{key} was deleted in Baserow: it is not made again"),
                );
                self.save(key.table, key.row).await?;
                return Ok(false);
            }
            Err(failure) => return Err(failure),
        }
        self.save(key.table, key.row).await.map(|()| true)
    }

    /// Baserow ignores fields that it does not know, and a filter on one: without `page_id`, each
    /// attempt would make a row.
    async fn check_fields(&mut self, table: TableId) -> Result<(), Failure> {
        let wanted = self.wanted.fields.keys().copied();
        let names: Vec<&str> = wanted.chain([self.action.page_id.as_str()]).collect();
        let missing = self.context.missing_field(self.journal, table, &names).await?;
        missing.map_or(Ok(()), |field| {
            let name = &self.action.table;
            Err(Failure::broken_rule(format!(
                "the table {name} has no field {field:?}: create it, or mend the wiki rule in bridge.toml"
            )))
        })
    }

    async fn find_or_create(&mut self, table: TableId, intended: Option<PageRow>) -> Result<(), Failure> {
        self.check_fields(table).await?;
        let (id, field) = (self.page.id.as_str(), self.action.page_id.as_str());
        let mut found = self.context.rows_with(self.journal, table, field, id).await?;
        found.sort_by_key(crate::content::row::Row::id);
        if let Some(row) = found.first() {
            if found.len() > 1 {
                let note = format!("{} rows name this page; the oldest counts", found.len());
                self.journal.note("several_rows", note);
            }
            self.journal
                .note("adopt_row", format!("row {} names this page already", row.id()));
            self.fill(table, row).await?;
            return self.save(table, row.id()).await;
        }
        if let Some(intended) = intended {
            let now = Timestamp::now();
            if intended.started > now {
                // Written before a clock went back: it counts as now.
                self.context.store.intend_page_row(&self.page.id, table, now).await?;
            }
            self.context
                .wait_out_create(intended.started.min(now), self.context.baserow.timeout(), "row")?;
        }
        self.context
            .store
            .intend_page_row(&self.page.id, table, Timestamp::now())
            .await?;
        let created = self.context.create_row(self.journal, table, &self.wanted.fields).await;
        match created {
            Ok(row) => self.save(table, row).await,
            Err(failure) => {
                // What was refused made nothing, so the next attempt need not wait.
                if failure.class != FailureClass::Ambiguous {
                    self.context.store.abandon_page_row(&self.page.id, table).await?;
                }
                Err(failure)
            }
        }
    }

    /// Writes into a row that was not made by us what it lacks: its empty fields, or all that
    /// differ where the rule says that rows follow their pages.
    async fn fill(&mut self, table: TableId, row: &Row) -> Result<(), Failure> {
        let mut lacking = self.wanted.fields.clone();
        let follows = self.action.updates == RowUpdates::Replace;
        lacking.retain(|field, value| match row.text(field) {
            None => !value.is_empty(),
            Some(text) => follows && text != value,
        });
        if lacking.is_empty() {
            return Ok(());
        }
        let key = RowKey { table, row: row.id() };
        self.context.write_row(self.journal, key, &lacking).await
    }

    async fn save(&self, table: TableId, row: RowId) -> Result<(), Failure> {
        let row = PageRow {
            row: Some(row),
            content_hash: self.wanted.hash.clone(),
            started: Timestamp::now(),
        };
        Ok(self.context.store.save_page_row(&self.page.id, table, &row).await?)
    }
}
