//! Lists of rows by what the bridge has written into them.

use passerelle_model::id::{PageId, TableId};
use serde_json::{Value, json};

use super::answers::Listing;
use super::{Baserow, query_text};
use crate::content::row::Row;
use crate::failure::Failure;
use crate::journal::Journal;

/// Rows whose field has the id of one of these pages.
#[derive(Debug, Clone, Copy)]
pub struct OfPages<'a> {
    /// Their table.
    pub table: TableId,
    /// The name of the field.
    pub field: &'a str,
    pub pages: &'a [PageId],
    /// Whether rows in which the field is empty are meant, too.
    pub or_none: bool,
}

impl Baserow {
    /// At most 200 rows of pages, in people's own order. There may be others among them: Baserow
    /// ignores a filter on a field that it does not know, and lists everything.
    pub async fn rows_of_pages(&self, journal: &mut Journal, wanted: OfPages<'_>) -> Result<Vec<Row>, Failure> {
        let OfPages { table, field, .. } = wanted;
        let of = |kind: &str, value: &str| json!({"field": field, "type": kind, "value": value});
        let mut filters: Vec<Value> = wanted.pages.iter().map(|page| of("equal", page.as_str())).collect();
        if wanted.or_none {
            filters.push(of("empty", ""));
        }
        let filters = json!({"filter_type": "OR", "filters": filters}).to_string();
        let query = [("user_field_names", "true"), ("size", "200"), ("filters", &filters)];
        let path = format!("rows/table/{table}/?{}", query_text(&query));
        let listing: Listing = self.ask(journal, "list_rows", &path).await?;
        let rows = listing.results.iter();
        Ok(rows.filter_map(|row| Row::from_json(&row.to_string()).ok()).collect())
    }
}
