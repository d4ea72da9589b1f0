//! What Baserow answers with, as far as the bridge cares: tables, fields, lists of rows. Unknown
//! fields are tolerated.

use passerelle_model::id::{RowId, TableId};
use serde::Deserialize;
use serde_json::Value;

use crate::content::field::Format;
use crate::content::row::Row;

/// A table as `all-tables` lists it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Table {
    pub id: TableId,
    pub name: String,
    /// The database that it is in; part of a row's address for people.
    pub database_id: u64,
}

/// A field of a table, as far as the bridge cares.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Field {
    #[serde(default)]
    pub id: Option<u64>,
    pub name: String,
    /// Its type, in Baserow's word: `text`, `url`, `link_row`, `formula`, ….
    #[serde(rename = "type", default)]
    pub kind: String,
    /// Whether nobody can write it: formulas, look-ups, synced fields.
    #[serde(default)]
    pub read_only: bool,
    /// For a link: the other table.
    #[serde(default)]
    pub link_row_table_id: Option<TableId>,
    /// For a link that the other table shows too: the field there.
    #[serde(default)]
    pub link_row_related_field_id: Option<u64>,
    /// For a single or multiple select: what can be chosen.
    #[serde(default)]
    pub select_options: Vec<SelectOption>,
    /// How its cells look.
    #[serde(flatten)]
    pub format: Format,
}

/// What can be chosen in a cell of a select field.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct SelectOption {
    pub value: String,
}

/// Rows of a table whose link field has a row of another table.
#[derive(Debug, Clone, Copy)]
pub struct Linking<'a> {
    /// The table of the rows.
    pub table: TableId,
    /// The name of the link field.
    pub field: &'a str,
    /// The row that is linked.
    pub to: RowId,
}

/// One page of the rows that link to a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkingRows {
    pub rows: Vec<RowId>,
    /// Whether there is another page.
    pub has_more: bool,
}

/// One page of a table's rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Rows {
    /// The rows, in full.
    pub rows: Vec<Row>,
    /// How many the table has.
    pub count: u64,
    /// Whether there is another page.
    pub has_more: bool,
}

/// A page of rows as it comes.
#[derive(Deserialize)]
pub(super) struct Listing {
    #[serde(default)]
    pub(super) count: u64,
    pub(super) next: Option<String>,
    pub(super) results: Vec<Value>,
}

impl Listing {
    /// Its rows; what is no row is left out.
    pub(super) fn rows(&self) -> impl Iterator<Item = Row> {
        let rows = self.results.iter();
        rows.filter_map(|row| Row::from_json(&row.to_string()).ok())
    }
}
