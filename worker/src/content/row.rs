//! A row as Baserow gave it, with typed cells: no other file handles raw JSON of a row.
//!
//! Baserow sends a number as a text (`"12.50"`), a choice as `{id, value, color}`, linked rows as
//! `[{id, value, order}]`, a person as `{id, name}`. A template only wants to print them, so every
//! cell becomes one of the few shapes of [`Cell`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use passerelle_model::id::RowId;

/// One row, read with field names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    id: RowId,
    cells: BTreeMap<String, Cell>,
}

/// The value of one field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cell {
    Empty,
    Flag(bool),
    /// Texts, numbers, dates, and the text of a choice.
    Text(String),
    /// Rows of another table.
    Links(Vec<LinkedRow>),
    /// Several texts: multiple choices, files, look-ups.
    Texts(Vec<String>),
}

/// A row of another table, as a link shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkedRow {
    /// Its id in the other table.
    pub id: RowId,
    /// Its primary field when this row was read.
    pub text: String,
}

/// An answer that is not a row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a row: {0}")]
pub struct NotARow(&'static str);

impl Row {
    /// Reads the JSON of one row (`user_field_names=true`).
    pub fn from_json(json: &str) -> Result<Self, NotARow> {
        let Ok(Value::Object(fields)) = serde_json::from_str(json) else {
            return Err(NotARow("the answer is no JSON object"));
        };
        let id = fields
            .get("id")
            .and_then(Value::as_u64)
            .and_then(|id| RowId::new(id).ok());
        let cells = fields
            .into_iter()
            .filter(|(name, _)| name != "id" && name != "order")
            .map(|(name, value)| (name, Cell::of(value)))
            .collect();
        Ok(Self {
            id: id.ok_or(NotARow("it has no id"))?,
            cells,
        })
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

    /// The text of a field; `None` where there is no such field, or nothing in it.
    pub fn text(&self, field: &str) -> Option<&str> {
        match self.cells.get(field)? {
            Cell::Text(text) if !text.is_empty() => Some(text),
            _ => None,
        }
    }

    /// The linked rows of a field; none where there is no such field.
    pub fn links(&self, field: &str) -> &[LinkedRow] {
        match self.cells.get(field) {
            Some(Cell::Links(links)) => links,
            _ => &[],
        }
    }
}

impl Cell {
    fn of(value: Value) -> Self {
        match value {
            Value::Null => Self::Empty,
            Value::Bool(flag) => Self::Flag(flag),
            Value::Array(items) => Self::of_list(&items),
            other => text_of(&other).map_or(Self::Empty, Self::Text),
        }
    }

    fn of_list(items: &[Value]) -> Self {
        // Only links have an id, a value and an order; choices have a colour in its place, look-ups
        // have neither.
        if items.iter().all(|item| item.get("order").is_some()) {
            return Self::Links(items.iter().filter_map(linked_row).collect());
        }
        Self::Texts(items.iter().filter_map(text_of).collect())
    }
}

fn linked_row(item: &Value) -> Option<LinkedRow> {
    Some(LinkedRow {
        id: RowId::new(item.get("id")?.as_u64()?).ok()?,
        text: item.get("value").and_then(text_of).unwrap_or_default(),
    })
}

/// The text that a person would read: of an object its `value`, its `name` or its `visible_name`.
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        Value::Object(fields) => ["value", "visible_name", "name"]
            .iter()
            .find_map(|key| fields.get(*key).and_then(text_of)),
        other => Some(other.to_string()),
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
        assert_eq!(row.cell("Tags"), Some(&Cell::Texts(vec!["a".to_owned()])));
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
