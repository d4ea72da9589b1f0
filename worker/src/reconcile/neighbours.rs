//! The linked rows that pages show, for thousands of rows at once: a linked table is read as a whole, 200 rows per call, instead of row by row.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};

use passerelle_shared::id::{RowId, RowKey, TableId};

use crate::bridge::{Bridge, first_link, part_links};
use crate::clients::baserow::Table;
use crate::failure::Failure;
use crate::journal::Journal;
use crate::row::{LinkedRow, Row};
use crate::rules::{PageRule, Part};

/// The largest table that is kept in memory as a whole; the rows of larger ones are read one by one.
const LARGEST_TABLE: u64 = 20_000;

/// What is remembered during one walk.
#[derive(Debug, Default)]
pub(super) struct Neighbours {
    tables: HashMap<TableId, Known>,
}

#[derive(Debug)]
enum Known {
    All(HashMap<RowId, Row>),
    TooLarge,
}

impl Neighbours {
    /// The rows that the rule's templates need: the first linked row of each link.
    pub(super) async fn links(
        &mut self,
        bridge: &Bridge,
        rule: &PageRule,
        key: RowKey,
        row: &Row,
    ) -> Result<BTreeMap<String, Option<Row>>, Failure> {
        let mut rows = BTreeMap::new();
        for (name, field) in &rule.links {
            let linked = match first_link((&rule.name, name), field, row)? {
                Some(link) => {
                    let table = bridge.linked_table(&mut Journal::default(), key, field).await?;
                    self.row(bridge, &table, link).await?
                }
                None => None,
            };
            rows.insert(name.clone(), linked);
        }
        Ok(rows)
    }

    /// The linked rows that get sub-pages, in order; none for a rule without a collection.
    pub(super) async fn parts(
        &mut self,
        bridge: &Bridge,
        rule: &PageRule,
        key: RowKey,
        row: &Row,
    ) -> Result<Vec<Part>, Failure> {
        let Some(collection) = &rule.collection else {
            return Ok(Vec::new());
        };
        let mut parts = Vec::new();
        for link in part_links(rule, collection, row)? {
            let table = bridge
                .linked_table(&mut Journal::default(), key, &collection.of)
                .await?;
            let part = RowKey {
                table: table.id,
                row: link.id,
            };
            if let Some(row) = self.row(bridge, &table, link).await? {
                let address = bridge.baserow.row_address(&table, part);
                parts.push(Part {
                    key: part,
                    row,
                    address,
                });
            }
        }
        Ok(parts)
    }

    async fn row(&mut self, bridge: &Bridge, table: &Table, link: &LinkedRow) -> Result<Option<Row>, Failure> {
        let known = match self.tables.entry(table.id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => place.insert(load(bridge, table.id).await?),
        };
        if let Known::All(rows) = known
            && let Some(row) = rows.get(&link.id)
        {
            return Ok(Some(row.clone()));
        }
        // The table is too large, or the row is newer than what was read.
        let key = RowKey {
            table: table.id,
            row: link.id,
        };
        bridge.baserow.row(&mut Journal::default(), key).await
    }
}

async fn load(bridge: &Bridge, table: TableId) -> Result<Known, Failure> {
    let (mut rows, mut page) = (HashMap::new(), 1);
    loop {
        let listed = bridge.baserow.rows(&mut Journal::default(), table, page).await?;
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
