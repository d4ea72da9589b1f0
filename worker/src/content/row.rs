//! A row as Baserow gave it, with typed cells: only this file and `reading.rs` handle raw JSON of a
//! row.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use passerelle_model::id::RowId;

pub use super::cell::{Cell, LinkedRow};
use super::field::Described;

/// One row, read with field names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    id: RowId,
    cells: BTreeMap<String, Cell>,
    /// The cells as they came, until they are read by the descriptions of their fields.
    #[serde(skip)]
    raw: BTreeMap<String, Value>,
}

/// An answer that is not a row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a row: {0}")]
pub struct NotARow(&'static str);

impl Row {
    /// Reads the JSON of one row (`user_field_names=true`), each cell by what it looks like.
    pub fn from_json(json: &str) -> Result<Self, NotARow> {
        let Ok(Value::Object(fields)) = serde_json::from_str(json) else {
            return Err(NotARow("the answer is no JSON object"));
        };
        let id = fields.get("id").and_then(Value::as_u64);
        let raw = fields.into_iter().filter(|(name, _)| name != "id" && name != "order");
        let row = Self {
            id: id.and_then(|id| RowId::new(id).ok()).ok_or(NotARow("it has no id"))?,
            cells: BTreeMap::new(),
            raw: raw.collect(),
        };
        Ok(row.read(&Described::default()))
    }

    /// The same row, each cell read by the description of its field.
    #[must_use]
    pub fn described(self, fields: &Described) -> Self {
        Self {
            raw: BTreeMap::new(),
            ..self.read(fields)
        }
    }

    fn read(self, fields: &Described) -> Self {
        let cells = self.raw.iter();
        let cells = cells.map(|(name, value)| (name.clone(), fields.shape(name).read(value)));
        Self {
            cells: cells.collect(),
            ..self
        }
    }

    /// Whether every cell could be read.
    pub fn is_readable(&self) -> bool {
        self.cells.values().all(|cell| cell.unreadable().is_none())
    }

    /// The same row, its cells also under the names that their fields had before; `renamed` maps
    /// these to the names of now.
    #[must_use]
    pub fn also_under(mut self, renamed: &BTreeMap<String, String>) -> Self {
        for (former, present) in renamed {
            if let Some(cell) = self.cells.get(present).cloned() {
                self.cells.entry(former.clone()).or_insert(cell);
            }
        }
        self
    }

    pub fn id(&self) -> RowId {
        self.id
    }

    /// All cells by field name.
    pub fn cells(&self) -> impl Iterator<Item = (&str, &Cell)> {
        self.cells.iter().map(|(name, cell)| (name.as_str(), cell))
    }

    /// The cell of a field; `None` where the table has no such field.
    pub fn cell(&self, field: &str) -> Option<&Cell> {
        self.cells.get(field)
    }

    /// The text of a field, as people see it; `None` where there is no such field, or nothing in
    /// it.
    pub fn text(&self, field: &str) -> Option<&str> {
        self.cells.get(field)?.text()
    }

    /// The linked rows of a field; none where there is no such field.
    pub fn links(&self, field: &str) -> &[LinkedRow] {
        match self.cells.get(field) {
            Some(Cell::Links(links)) => links,
            _ => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAPTURED: &str = r#"{"id":2595,"order":"1.00","Nom":"REST projet","Statut":{"id":2,"value":"En cours","color":"blue"},
        "Client":[{"id":7,"value":"REST client","order":"4.00"}],"Tags":[{"id":1,"value":"a","color":"red"}],
        "Par":{"id":2,"name":"Bridge Bot"},"Heures":"12.50","Actif":true,"docmost_page_id":null,"docmost_url":""}"#;

    #[test]
    fn a_captured_row_becomes_typed_cells() {
        let row = Row::from_json(CAPTURED).unwrap();
        assert_eq!(row.id().get(), 2595);
        assert_eq!(row.text("Statut"), Some("En cours"));
        assert_eq!(row.text("Heures"), Some("12.50"));
        assert_eq!(row.text("Par"), Some("Bridge Bot"));
        assert_eq!(row.links("Client")[0].text, "REST client");
        assert_eq!(row.cell("Tags"), Some(&Cell::List(vec![Cell::Text("a".to_owned())])));
        assert_eq!(row.cell("Actif"), Some(&Cell::Flag(true)));
        assert_eq!(row.cell("docmost_page_id"), Some(&Cell::Empty));
        assert_eq!(row.text("docmost_url"), None);
        assert_eq!(row.cell("inconnu"), None);
    }

    #[test]
    fn what_is_no_row_is_refused() {
        for text in ["", "[]", "{}", r#"{"id":0}"#, "<html>"] {
            assert!(Row::from_json(text).is_err(), "{text}");
        }
    }
}
