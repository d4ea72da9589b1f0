//! Rows under the names that the rules use, whatever people call the fields now.
//!
//! A row is read by the names of now. Where a field was renamed since its name was first seen, its
//! cell is also found under the former name; what is written under that name goes to the field.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use passerelle_model::id::{RowId, RowKey, TableId};
use passerelle_model::ledger::FailureClass;
use passerelle_store::Named;

use super::names::Renamed;
use super::tables::Fields;
use crate::clients::baserow::{Linking, LinkingRows, Rows};
use crate::content::row::Row;
use crate::context::Context;
use crate::failure::Failure;
use crate::journal::Journal;

/// Before a row is created or looked for by a text, the names of its fields are at most so old.
const FRESH: Duration = Duration::from_secs(1);

/// Where a cell does not fit the description of its field, the description is at most so old.
const UNREADABLE: Duration = Duration::from_secs(10);

impl Context {
    /// A row; `None` if it does not exist or is in the trash.
    pub(crate) async fn row(&self, journal: &mut Journal, key: RowKey) -> Result<Option<Row>, Failure> {
        let Some(row) = self.baserow.row(journal, key).await? else {
            return Ok(None);
        };
        self.described_row(journal, key.table, row).await
    }

    /// A row, its cells read as the fields are described, also under former names.
    pub(crate) async fn described_row(
        &self,
        journal: &mut Journal,
        table: TableId,
        row: Row,
    ) -> Result<Option<Row>, Failure> {
        Ok(self.described(journal, table, vec![row]).await?.pop())
    }

    /// One page (from 1) of all rows of a table, in people's own order.
    pub(crate) async fn rows(&self, journal: &mut Journal, table: TableId, page: u32) -> Result<Rows, Failure> {
        let mut listed = self.baserow.rows(journal, table, page).await?;
        listed.rows = self.described(journal, table, listed.rows).await?;
        Ok(listed)
    }

    /// One page (from 1) of the rows of a table whose link field has this row.
    pub(crate) async fn rows_linking(
        &self,
        journal: &mut Journal,
        link: Linking<'_>,
        page: u32,
    ) -> Result<LinkingRows, Failure> {
        let fields = self.tables.fields(&self.baserow, journal, link.table).await?;
        let field = fields.present(link.field);
        self.baserow
            .rows_linking(journal, Linking { field, ..link }, page)
            .await
    }

    /// The rows of a table whose text field is exactly this.
    pub(crate) async fn rows_with(
        &self,
        journal: &mut Journal,
        table: TableId,
        field: &str,
        text: &str,
    ) -> Result<Vec<Row>, Failure> {
        let fields = self.fresh_fields(journal, table).await?;
        let field = fields.present(field);
        let rows = self.baserow.rows_with(journal, table, field, text).await?;
        Ok(rows.into_iter().map(|row| row.also_under(fields.renamed())).collect())
    }

    /// Writes fields of a row. A field that was renamed a moment ago is found by its id.
    pub(crate) async fn write_row(
        &self,
        journal: &mut Journal,
        key: RowKey,
        values: &BTreeMap<&str, String>,
    ) -> Result<(), Failure> {
        let fields = self.tables.fields(&self.baserow, journal, key.table).await?;
        let written = self.baserow.write(journal, key, &presently(&fields, values)).await;
        let Err(failure) = written else { return Ok(()) };
        if failure.class != FailureClass::Permanent {
            return Err(failure);
        }
        let fresh = self.fresh_fields(journal, key.table).await?;
        if presently(&fresh, values) == presently(&fields, values) {
            return Err(failure);
        }
        self.baserow.write(journal, key, &presently(&fresh, values)).await
    }

    /// Creates a row.
    pub(crate) async fn create_row(
        &self,
        journal: &mut Journal,
        table: TableId,
        values: &BTreeMap<&str, String>,
    ) -> Result<RowId, Failure> {
        let fields = self.fresh_fields(journal, table).await?;
        self.baserow.create(journal, table, &presently(&fields, values)).await
    }

    /// Rows of a table, their cells read as the fields are described, also under former names. If a
    /// cell cannot be read, its field may have another type since a moment ago.
    async fn described(&self, journal: &mut Journal, table: TableId, rows: Vec<Row>) -> Result<Vec<Row>, Failure> {
        let Some(first) = rows.first() else {
            return Ok(rows);
        };
        let mut fields = self.fields_of(journal, table, first).await?;
        let describe = |fields: &Fields| -> Vec<Row> {
            let rows = rows.iter().cloned();
            rows.map(|row| row.described(fields.described())).collect()
        };
        let mut described = describe(&fields);
        if !described.iter().all(Row::is_readable) {
            fields = self.fields_asked_within(UNREADABLE, journal, table).await?;
            described = describe(&fields);
        }
        let described = described.into_iter();
        Ok(described.map(|row| row.also_under(fields.renamed())).collect())
    }

    /// The fields of a table, asked for again if this row has others than are known.
    async fn fields_of(&self, journal: &mut Journal, table: TableId, row: &Row) -> Result<Arc<Fields>, Failure> {
        let fields = self.tables.fields(&self.baserow, journal, table).await?;
        if fields.are_those_of(row.cells().map(|(name, _)| name)) {
            return Ok(fields);
        }
        self.fields_asked_within(Duration::ZERO, journal, table).await
    }

    /// The first of these fields that the table does not have.
    pub(crate) async fn missing_field<'n>(
        &self,
        journal: &mut Journal,
        table: TableId,
        names: &[&'n str],
    ) -> Result<Option<&'n str>, Failure> {
        let fields = self.fresh_fields(journal, table).await?;
        Ok(names.iter().copied().find(|name| fields.get(name).is_none()))
    }

    async fn fresh_fields(&self, journal: &mut Journal, table: TableId) -> Result<Arc<Fields>, Failure> {
        self.fields_asked_within(FRESH, journal, table).await
    }

    async fn fields_asked_within(
        &self,
        age: Duration,
        journal: &mut Journal,
        table: TableId,
    ) -> Result<Arc<Fields>, Failure> {
        let fields = self
            .tables
            .fields_asked_within(age, &self.baserow, journal, table)
            .await?;
        for (old, new) in fields.renamed() {
            if self.rules.name_field(old) {
                let id = fields.get(old).and_then(|field| field.id).unwrap_or_default();
                let renamed = Renamed {
                    named: Named::Field(table),
                    id: &id.to_string(),
                    old,
                    new,
                };
                self.notify_rename(renamed).await;
            }
        }
        Ok(fields)
    }
}

/// Values under the names of now.
fn presently<'a>(fields: &'a Fields, values: &BTreeMap<&'a str, String>) -> BTreeMap<&'a str, String> {
    let values = values.iter();
    values
        .map(|(name, value)| (fields.present(name), value.clone()))
        .collect()
}
