//! Writes to rows, and what each of them changed: the raw material of webhooks.

use std::collections::{BTreeMap, BTreeSet};

use super::schema::{Field, Kind};
use super::snapshot::Snapshot;
use super::store::{ORDER_UNIT, Row, Store};
use super::tempo;
use super::values::{self, Accepted};

/// The values that a caller sets in one row, by field.
pub(crate) type NewValues = Vec<(Field, Accepted)>;

/// What happened to rows. The names are those of Baserow's events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Happened {
    Created,
    Updated,
    Deleted,
}

impl Happened {
    pub(crate) const fn event(self) -> &'static str {
        match self {
            Self::Created => "rows.created",
            Self::Updated => "rows.updated",
            Self::Deleted => "rows.deleted",
        }
    }
}

/// One write and everything that webhooks report about it.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub(crate) happened: Happened,
    pub(crate) table: u64,
    pub(crate) rows: Vec<u64>,
    pub(crate) before: Vec<Snapshot>,
    pub(crate) after: Vec<Snapshot>,
    /// The fields that the caller named, whether their value is new or not.
    pub(crate) touched: BTreeSet<u64>,
    /// For each table that the rows link to, the rows there that gained or lost a link.
    pub(crate) linked: Vec<(u64, BTreeSet<u64>)>,
}

impl Store {
    /// Adds rows at the end of a table. The fields must be the table's.
    pub(crate) fn create(&mut self, table: u64, rows: Vec<NewValues>, user: u64) -> Change {
        let ids: Vec<u64> = rows.iter().filter_map(|_| self.add_row(table, user)).collect();
        let watch = Watch::begin(self, table, &[]);
        let mut touched = BTreeSet::new();
        for (id, values) in ids.iter().zip(rows) {
            touched.extend(values.iter().map(|(field, _)| field.id));
            self.set(table, *id, values);
        }
        watch.end(self, Happened::Created, ids, touched)
    }

    /// Adds one row, under a free id of the caller's choice if one is given.
    pub(crate) fn seed(&mut self, table: u64, id: Option<u64>, values: NewValues) -> Vec<u64> {
        if let (Some(id), Some(table)) = (id, self.tables.get_mut(&table)) {
            table.next_row = id;
        }
        let rows = self.create(table, vec![values], 1).rows;
        if let Some(table) = self.tables.get_mut(&table) {
            table.next_row = table.rows.keys().next_back().map_or(1, |last| last + 1);
        }
        rows
    }

    fn add_row(&mut self, table: u64, user: u64) -> Option<u64> {
        let table = self.tables.get_mut(&table)?;
        let order = table.last_order();
        let id = table.next_row;
        table.next_row += 1;
        let empty = |field: &Field| (field.id, values::empty(&field.kind));
        let row = Row {
            order,
            cells: table.fields.iter().map(empty).collect(),
            trashed: false,
            created_by: user,
            modified_by: user,
            modified_on: tempo::now(),
        };
        table.rows.insert(id, row);
        Some(id)
    }

    /// Sets values in rows that exist.
    pub(crate) fn update(&mut self, table: u64, rows: Vec<(u64, NewValues)>, user: u64) -> Change {
        let ids: Vec<u64> = rows.iter().map(|(id, _)| *id).collect();
        let watch = Watch::begin(self, table, &ids);
        let mut touched = BTreeSet::new();
        for (id, values) in rows {
            touched.extend(values.iter().map(|(field, _)| field.id));
            self.set(table, id, values);
            self.sign(table, id, user);
        }
        watch.end(self, Happened::Updated, ids, touched)
    }

    /// Moves rows to the trash.
    pub(crate) fn delete(&mut self, table: u64, rows: Vec<u64>) -> Change {
        let watch = Watch::begin(self, table, &rows);
        self.trash(table, &rows, true);
        watch.end(self, Happened::Deleted, rows, BTreeSet::new())
    }

    /// Takes a row out of the trash. Webhooks report it as created, under its old id.
    pub(crate) fn restore(&mut self, table: u64, row: u64) -> Option<Change> {
        self.table(table)?.rows.get(&row).filter(|row| row.trashed)?;
        let watch = Watch::begin(self, table, &[]);
        self.trash(table, &[row], false);
        Some(watch.end(self, Happened::Created, vec![row], BTreeSet::new()))
    }

    /// Moves a row in front of another one, or to the end.
    pub(crate) fn move_row(&mut self, table: u64, row: u64, before: Option<u64>, user: u64) -> Change {
        let watch = Watch::begin(self, table, &[row]);
        let order = self.order_before(table, row, before);
        if let Some(moved) = self.row_mut(table, row) {
            moved.order = order;
        }
        self.sign(table, row, user);
        watch.end(self, Happened::Updated, vec![row], BTreeSet::new())
    }

    fn order_before(&self, table: u64, row: u64, before: Option<u64>) -> u128 {
        let Some(table) = self.table(table) else {
            return ORDER_UNIT;
        };
        let Some(next) = before.and_then(|before| table.rows.get(&before)) else {
            return table.last_order();
        };
        let previous = table
            .rows
            .iter()
            .filter(|(id, other)| **id != row && !other.trashed && other.order < next.order)
            .map(|(_, other)| other.order)
            .max();
        previous.unwrap_or(0).midpoint(next.order)
    }

    fn trash(&mut self, table: u64, rows: &[u64], trashed: bool) {
        for row in rows {
            if let Some(row) = self.row_mut(table, *row) {
                row.trashed = trashed;
            }
        }
    }

    fn sign(&mut self, table: u64, row: u64, user: u64) {
        if let Some(row) = self.row_mut(table, row) {
            row.modified_by = user;
            row.modified_on = tempo::now();
        }
    }

    fn set(&mut self, table: u64, row: u64, values: NewValues) {
        for (field, value) in values {
            match value {
                Accepted::Links(to) => self.link(&field, row, &to),
                Accepted::Cell(cell) => {
                    if let Some(row) = self.row_mut(table, row) {
                        row.cells.insert(field.id, cell);
                    }
                }
            }
        }
    }

    fn row_mut(&mut self, table: u64, row: u64) -> Option<&mut Row> {
        self.tables.get_mut(&table)?.rows.get_mut(&row)
    }
}

/// The links of some rows, by link field and row.
type Links = BTreeMap<(u64, u64), BTreeSet<u64>>;

/// Keeps rows and their links as they were before a write, to find what it changed.
struct Watch {
    table: u64,
    rows: Vec<Snapshot>,
    links: Links,
}

impl Watch {
    fn begin(store: &Store, table: u64, rows: &[u64]) -> Self {
        Self {
            table,
            rows: snapshots(store, table, rows),
            links: links(store, table, rows),
        }
    }

    fn end(self, store: &Store, happened: Happened, rows: Vec<u64>, touched: BTreeSet<u64>) -> Change {
        let now = links(store, self.table, &rows);
        // Deleted rows count as linked to what they were linked to; all others only to what they
        // are linked to now. That is why a table gets no call when a row loses its last link to it.
        let present = if happened == Happened::Deleted {
            &self.links
        } else {
            &now
        };
        let linked = linked_tables(store, self.table)
            .into_iter()
            .filter(|(field, _)| {
                present
                    .iter()
                    .any(|((other, _), rows)| other == field && !rows.is_empty())
            })
            .map(|(field, table)| (table, gained_or_lost(field, &self.links, &now)))
            .collect();
        Change {
            happened,
            table: self.table,
            before: self.rows,
            after: snapshots(store, self.table, &rows),
            rows,
            touched,
            linked,
        }
    }
}

fn snapshots(store: &Store, table: u64, rows: &[u64]) -> Vec<Snapshot> {
    rows.iter().filter_map(|row| store.snapshot(table, *row)).collect()
}

/// The link fields of a table whose other table shows the same links, with that table. Links within
/// one table do not count.
fn linked_tables(store: &Store, table: u64) -> Vec<(u64, u64)> {
    let fields = store
        .table(table)
        .map(|table| table.fields.as_slice())
        .unwrap_or_default();
    let two_way = |field: &Field| match field.kind {
        Kind::Link {
            table: other,
            related: Some(_),
        } if other != table => Some((field.id, other)),
        _ => None,
    };
    fields.iter().filter_map(two_way).collect()
}

fn links(store: &Store, table: u64, rows: &[u64]) -> Links {
    let mut links = Links::new();
    for (field, other) in linked_tables(store, table) {
        for row in rows
            .iter()
            .filter(|row| store.table(table).is_some_and(|table| table.has(**row)))
        {
            links.insert((field, *row), store.linked(field, other, *row));
        }
    }
    links
}

fn gained_or_lost(field: u64, before: &Links, after: &Links) -> BTreeSet<u64> {
    let none = BTreeSet::new();
    before
        .keys()
        .chain(after.keys())
        .filter(|(other, _)| *other == field)
        .flat_map(|key| {
            let (before, after) = (before.get(key).unwrap_or(&none), after.get(key).unwrap_or(&none));
            before.symmetric_difference(after).copied().collect::<Vec<_>>()
        })
        .collect()
}
