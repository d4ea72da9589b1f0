//! The tables and their rows, in memory.
//!
//! Links are kept once per field and side, so that both sides always agree. A deleted row stays in
//! the trash with its links, invisible, until it is restored.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;
use serde_json::Value;

use super::api::fields;
use super::schema::{self, Field, Kind};
use super::values::LinkTo;

pub(crate) const DATABASE: u64 = 1;
pub(crate) const WORKSPACE: u64 = 1;
const WORKSPACE_NAME: &str = "Agence";
const DATABASE_NAME: &str = "Formation";

/// One unit of a row's order; orders between two rows are fractions.
pub(crate) const ORDER_UNIT: u128 = 100_000_000_000_000_000_000;

#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) tables: BTreeMap<u64, Table>,
    /// The name of the one workspace; none before a user makes it.
    pub(crate) workspace: Option<String>,
    /// The names of the databases.
    pub(crate) databases: BTreeMap<u64, String>,
    links: HashMap<u64, BTreeMap<u64, BTreeSet<u64>>>,
    next_field: u64,
    next_option: u64,
}

/// A table with its rows, also those in the trash.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) id: u64,
    pub(crate) database: u64,
    pub(crate) name: String,
    pub(crate) fields: Vec<Field>,
    pub(crate) rows: BTreeMap<u64, Row>,
    pub(crate) next_row: u64,
}

/// A row. What is computed (links, formulas, dates of change) is not in `cells`.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) order: u128,
    pub(crate) cells: HashMap<u64, Value>,
    pub(crate) trashed: bool,
    pub(crate) created_by: u64,
    pub(crate) modified_by: u64,
    pub(crate) modified_on: Timestamp,
}

impl Table {
    pub(crate) fn field(&self, id: u64) -> Option<&Field> {
        self.fields.iter().find(|field| field.id == id)
    }

    pub(crate) fn position(&self, field: u64) -> Option<usize> {
        self.fields.iter().position(|other| other.id == field)
    }

    /// The key of a field in JSON: its name exactly as typed, or `field_<id>`.
    pub(crate) fn key(field: &Field, names: bool) -> String {
        if names {
            field.name.clone()
        } else {
            format!("field_{}", field.id)
        }
    }

    /// The rows that are not in the trash, in their order.
    pub(crate) fn alive(&self) -> Vec<u64> {
        let mut rows: Vec<(u128, u64)> = self
            .rows
            .iter()
            .filter(|(_, row)| !row.trashed)
            .map(|(id, row)| (row.order, *id))
            .collect();
        rows.sort_unstable();
        rows.into_iter().map(|(_, id)| id).collect()
    }

    pub(crate) fn has(&self, row: u64) -> bool {
        self.rows.get(&row).is_some_and(|row| !row.trashed)
    }

    /// The order behind the last row.
    pub(crate) fn last_order(&self) -> u128 {
        let last = self.rows.values().filter(|row| !row.trashed).map(|row| row.order).max();
        (last.unwrap_or(0) / ORDER_UNIT + 1) * ORDER_UNIT
    }
}

impl Store {
    pub(crate) fn new() -> Self {
        let mut store = Self {
            tables: BTreeMap::new(),
            workspace: Some(WORKSPACE_NAME.to_owned()),
            databases: BTreeMap::from([(DATABASE, DATABASE_NAME.to_owned())]),
            links: HashMap::new(),
            next_field: schema::NEXT_FIELD_ID,
            next_option: 1,
        };
        fields::make_tables(&mut store, schema::tables());
        store
    }

    pub(crate) fn table(&self, id: u64) -> Option<&Table> {
        self.tables.get(&id)
    }

    /// The table with this name.
    pub(crate) fn table_named(&self, name: &str) -> Option<&Table> {
        self.tables.values().find(|table| table.name == name)
    }

    /// A new table with one text field, the primary one.
    pub(crate) fn add_table(&mut self, database: u64, name: String, primary: String) -> u64 {
        let id = self.tables.keys().max().copied().unwrap_or_default() + 1;
        let primary = Field {
            id: self.new_field_id(&name, &primary),
            name: primary,
            kind: Kind::Text,
        };
        let table = Table {
            id,
            database,
            name,
            fields: vec![primary],
            rows: BTreeMap::new(),
            next_row: 1,
        };
        self.tables.insert(id, table);
        self.databases
            .entry(database)
            .or_insert_with(|| DATABASE_NAME.to_owned());
        id
    }

    /// A new id for a field of a table, by their names.
    pub(crate) fn new_field_id(&mut self, table: &str, field: &str) -> u64 {
        let used = |id: u64| self.tables.values().any(|table| table.field(id).is_some());
        if let Some(recorded) = schema::recorded_id(table, field).filter(|id| !used(*id)) {
            return recorded;
        }
        let mut id = self.next_field;
        while used(id) {
            id += 1;
        }
        self.next_field = id + 1;
        id
    }

    /// A new id for a select option.
    pub(crate) fn new_option_id(&mut self) -> u64 {
        self.next_option += 1;
        self.next_option - 1
    }

    /// The rows that `row` is linked to by `field` and that are not in the trash.
    pub(crate) fn linked(&self, field: u64, table: u64, row: u64) -> BTreeSet<u64> {
        let Some(table) = self.table(table) else {
            return BTreeSet::new();
        };
        self.links
            .get(&field)
            .and_then(|rows| rows.get(&row))
            .into_iter()
            .flatten()
            .copied()
            .filter(|linked| table.has(*linked))
            .collect()
    }

    /// Makes `row` link to exactly these rows; the other side follows. Unknown rows are dropped
    /// silently.
    pub(crate) fn link(&mut self, field: &Field, row: u64, to: &[LinkTo]) {
        let Kind::Link { table, related } = field.kind else {
            return;
        };
        let wanted: BTreeSet<u64> = to.iter().filter_map(|end| self.find(table, end)).collect();
        let before = self
            .links
            .entry(field.id)
            .or_default()
            .insert(row, wanted.clone())
            .unwrap_or_default();
        let Some(related) = related else { return };
        let other_side = self.links.entry(related).or_default();
        for gone in before.difference(&wanted) {
            other_side.entry(*gone).or_default().remove(&row);
        }
        for gained in &wanted {
            other_side.entry(*gained).or_default().insert(row);
        }
    }

    fn find(&self, table: u64, end: &LinkTo) -> Option<u64> {
        let rows = self.table(table)?;
        match end {
            LinkTo::Id(id) => rows.has(*id).then_some(*id),
            LinkTo::Text(text) => rows
                .alive()
                .into_iter()
                .find(|row| self.primary_text(table, *row) == *text),
        }
    }

    /// The text that other rows show for this one.
    pub(crate) fn primary_text(&self, table: u64, row: u64) -> String {
        let cell = self.table(table).and_then(|table| {
            let primary = table.fields.first()?;
            table.rows.get(&row)?.cells.get(&primary.id)?.as_str()
        });
        match cell {
            Some(text) if !text.is_empty() => text.to_owned(),
            _ => format!("unnamed row {row}"),
        }
    }
}
