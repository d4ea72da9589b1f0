//! From a row in a request's body to values for its fields.

use serde_json::{Map, Value, json};

use super::super::changes::NewValues;
use super::super::store::Table;
use super::super::values::{self, Refused};
use super::answer::Answer;

/// What is wrong with a row's body.
#[derive(Debug)]
pub(crate) enum BadRow {
    Fields(Map<String, Value>),
    /// One sentence about all of it.
    Sentence(String),
}

impl BadRow {
    /// The refusal of a request that is only this row.
    pub(crate) fn refusal(self) -> Answer {
        match self {
            Self::Fields(fields) => Answer::invalid(fields),
            Self::Sentence(sentence) => Answer::invalid(sentence),
        }
    }
}

/// The values of a row. Unknown keys are ignored silently, and so are names in another case.
pub(crate) fn parse(table: &Table, body: &Map<String, Value>, names: bool) -> Result<NewValues, BadRow> {
    let mut values = NewValues::new();
    let mut problems = Map::new();
    for field in &table.fields {
        let key = Table::key(field, names);
        let Some(value) = body.get(&key) else { continue };
        match values::accept(&field.kind, value) {
            Ok(accepted) => values.push((field.clone(), accepted)),
            Err(Refused::Field { error, code }) => {
                problems.insert(key, json!([{"error": error, "code": code}]));
            }
            Err(Refused::Sentence(sentence)) => return Err(BadRow::Sentence(sentence)),
        }
    }
    if problems.is_empty() {
        Ok(values)
    } else {
        Err(BadRow::Fields(problems))
    }
}
