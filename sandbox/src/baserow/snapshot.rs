//! A row as answers show it: links, formulas and dates of change computed, as JSON with field names
//! or ids.

use serde_json::{Value, json};

use super::schema::{Field, Kind};
use super::store::{ORDER_UNIT, Row, Store, Table};
use super::{tempo, values};

/// A row at one moment, by field id.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Snapshot {
    pub(crate) id: u64,
    pub(crate) order: u128,
    pub(crate) values: Vec<(u64, Value)>,
}

impl Store {
    /// The present row, if it exists and is not in the trash.
    pub(crate) fn snapshot(&self, table: u64, row: u64) -> Option<Snapshot> {
        let fields = self.table(table)?;
        let kept = fields.rows.get(&row).filter(|row| !row.trashed)?;
        let values = fields
            .fields
            .iter()
            .map(|field| (field.id, self.shown(fields, field, row, kept)))
            .collect();
        Some(Snapshot {
            id: row,
            order: kept.order,
            values,
        })
    }

    fn shown(&self, table: &Table, field: &Field, id: u64, row: &Row) -> Value {
        let cell = || {
            row.cells
                .get(&field.id)
                .cloned()
                .unwrap_or_else(|| values::empty(&field.kind))
        };
        match &field.kind {
            Kind::SingleSelect(options) => {
                let id = cell().as_u64();
                let option = options.iter().find(|option| Some(option.id) == id);
                option.map_or(
                    Value::Null,
                    |option| json!({"id": option.id, "value": option.value, "color": option.color}),
                )
            }
            Kind::Link { table, .. } => self.shown_links(field.id, *table, id),
            Kind::Remainder { minuend, parts, .. } => {
                let minuend = values::units_of(row.cells.get(minuend).unwrap_or(&Value::Null), 2);
                let parts = parts.iter();
                let taken: i64 = parts.map(|(link, summand)| self.sum(table, *link, *summand, id)).sum();
                json!(values::decimal(minuend - taken, 2))
            }
            Kind::LastModified => json!(tempo::printed(row.modified_on)),
            Kind::LastModifiedBy => user(row.modified_by),
            Kind::CreatedBy => user(row.created_by),
            Kind::Text
            | Kind::LongText
            | Kind::Url
            | Kind::Email
            | Kind::Boolean
            | Kind::Number { .. }
            | Kind::Date => cell(),
        }
    }

    fn shown_links(&self, field: u64, table: u64, row: u64) -> Value {
        let mut linked: Vec<(u128, u64)> = self
            .linked(field, table, row)
            .into_iter()
            .filter_map(|linked| Some((self.table(table)?.rows.get(&linked)?.order, linked)))
            .collect();
        linked.sort_unstable();
        let shown =
            |(place, id): (u128, u64)| json!({"id": id, "value": self.primary_text(table, id), "order": order(place)});
        Value::Array(linked.into_iter().map(shown).collect())
    }

    /// The sum of a field over the rows linked by `link`.
    fn sum(&self, table: &Table, link: u64, summand: u64, row: u64) -> i64 {
        let Some(Kind::Link { table: other, .. }) = table.field(link).map(|field| &field.kind) else {
            return 0;
        };
        let rows = self.table(*other).map(|other| &other.rows);
        self.linked(link, *other, row)
            .iter()
            .filter_map(|linked| rows?.get(linked)?.cells.get(&summand))
            .map(|cell| values::units_of(cell, 2))
            .sum()
    }
}

impl Snapshot {
    /// The row as JSON, with the field names of the table as it is now, or with field ids.
    pub(crate) fn json(&self, table: &Table, names: bool) -> Value {
        let mut json = serde_json::Map::new();
        json.insert("id".to_owned(), json!(self.id));
        json.insert("order".to_owned(), json!(order(self.order)));
        for (id, value) in &self.values {
            if let Some(field) = table.field(*id) {
                json.insert(Table::key(field, names), value.clone());
            }
        }
        Value::Object(json)
    }
}

/// An order as Baserow prints it: twenty decimal places.
pub(crate) fn order(order: u128) -> String {
    format!("{}.{:020}", order / ORDER_UNIT, order % ORDER_UNIT)
}

/// A user as a field shows it.
fn user(id: u64) -> Value {
    let name = if id == 2 { "Bridge Bot" } else { "Admin" };
    json!({"id": id, "name": name})
}
