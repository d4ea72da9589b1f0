//! The linked rows that pages show, for thousands of rows at once: a linked table is read as a
//! whole, 200 rows per call, instead of row by row.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use passerelle_model::id::{RowId, RowKey, TableId};

use crate::clients::baserow::Table;
use crate::content::row::Row;
use crate::context::Context;
use crate::failure::Failure;
use crate::journal::Journal;
use crate::sync::linked_rows::RowReader;

/// The largest table that is kept in memory as a whole; the rows of larger ones are read one by
/// one.
const LARGEST_TABLE: u64 = 20_000;

/// The linked tables that were read during one walk.
#[derive(Debug, Default)]
pub(super) struct LinkedTables {
    tables: HashMap<TableId, Known>,
}

#[derive(Debug)]
enum Known {
    All(HashMap<RowId, Row>),
    TooLarge,
}

/// Reads rows out of whole tables.
pub(super) struct WholeTables<'a> {
    pub(super) context: &'a Context,
    pub(super) read: &'a mut LinkedTables,
    /// A walk keeps no record of its calls.
    pub(super) journal: Journal,
}

impl RowReader for WholeTables<'_> {
    fn journal(&mut self) -> &mut Journal {
        &mut self.journal
    }

    async fn shown(&mut self, table: &Table, id: RowId) -> Result<Option<Row>, Failure> {
        self.read.row(self.context, table, id).await
    }

    async fn current(&mut self, table: &Table, id: RowId) -> Result<Option<Row>, Failure> {
        self.read.row(self.context, table, id).await
    }
}

impl LinkedTables {
    async fn row(&mut self, context: &Context, table: &Table, id: RowId) -> Result<Option<Row>, Failure> {
        let known = match self.tables.entry(table.id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => place.insert(load(context, table.id).await?),
        };
        if let Known::All(rows) = known
            && let Some(row) = rows.get(&id)
        {
            return Ok(Some(row.clone()));
        }
        // The table is too large, or the row is newer than what was read.
        let key = RowKey {
            table: table.id,
            row: id,
        };
        context.row(&mut Journal::default(), key).await
    }
}

async fn load(context: &Context, table: TableId) -> Result<Known, Failure> {
    let (mut rows, mut page) = (HashMap::new(), 1);
    loop {
        let listed = context.rows(&mut Journal::default(), table, page).await?;
        if listed.count > LARGEST_TABLE {
            return Ok(Known::TooLarge);
        }
        rows.extend(listed.rows.into_iter().map(|row| (row.id(), row)));
        if !listed.has_more {
            return Ok(Known::All(rows));
        }
        page += 1;
    }
}
