//! Up to 200 rows at once: all of them, or none.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::super::State;
use super::super::changes::NewValues;
use super::super::events::Event;
use super::super::store::{Store, Table};
use super::super::tokens::{Act, Caller};
use super::Written;
use super::answer::Answer;
use super::request::Request;
use super::row_body::{self, BadRow};
use super::rows::allowed;

/// The most rows that one request may carry.
const MOST: usize = 200;

/// `POST …/batch/`
pub(crate) fn create(state: &mut State, table: u64, caller: &Caller, request: &Request) -> Written {
    let found = allowed(&state.store, table, caller, Act::Create)?;
    let rows = parse(found, &items(request)?, request.names())?;
    let change = state.store.create(table, rows, caller.user());
    let answer = shown(&state.store, table, &change.rows, request.names());
    Ok((answer, Some(Event::Rows(change))))
}

/// `PATCH …/batch/`. The rows of the answer stand in the order of their ids, however they came.
pub(crate) fn update(state: &mut State, table: u64, caller: &Caller, request: &Request) -> Written {
    let found = allowed(&state.store, table, caller, Act::Update)?;
    let items = items(request)?;
    let values = parse(found, &items, request.names())?;
    let ids = ids(items.iter().map(|item| item.get("id").unwrap_or(&Value::Null)))?;
    check(found, &ids)?;
    let change = state
        .store
        .update(table, ids.into_iter().zip(values).collect(), caller.user());
    let mut sorted = change.rows.clone();
    sorted.sort_unstable();
    let answer = shown(&state.store, table, &sorted, request.names());
    Ok((answer, Some(Event::Rows(change))))
}

/// `POST …/batch-delete/`
pub(crate) fn delete(state: &mut State, table: u64, caller: &Caller, request: &Request) -> Written {
    let found = allowed(&state.store, table, caller, Act::Delete)?;
    let ids = ids(items(request)?.iter())?;
    check(found, &ids)?;
    let change = state.store.delete(table, ids);
    Ok((Answer::done(), Some(Event::Rows(change))))
}

fn shown(store: &Store, table: u64, rows: &[u64], names: bool) -> Answer {
    let rows = rows
        .iter()
        .filter_map(|row| Some(store.snapshot(table, *row)?.json(store.table(table)?, names)));
    Answer::ok(&json!({"items": rows.collect::<Vec<_>>()}))
}

fn items(request: &Request) -> Result<Vec<Value>, Answer> {
    let problem = |error: &str, code: &str| Answer::invalid(json!({"items": [{"error": error, "code": code}]}));
    match request.object()?.remove("items") {
        Some(Value::Array(items)) if items.is_empty() => {
            Err(problem("Ensure this field has at least 1 elements.", "min_length"))
        }
        Some(Value::Array(items)) if items.len() > MOST => Err(problem(
            "Ensure this field has no more than 200 elements.",
            "max_length",
        )),
        Some(Value::Array(items)) => Ok(items),
        Some(_) => Err(problem("Expected a list of items.", "not_a_list")),
        None => Err(problem("This field is required.", "required")),
    }
}

fn parse(table: &Table, items: &[Value], names: bool) -> Result<Vec<NewValues>, Answer> {
    let mut rows = Vec::with_capacity(items.len());
    let mut problems = Map::new();
    let nothing = Map::new();
    for (index, item) in items.iter().enumerate() {
        match row_body::parse(table, item.as_object().unwrap_or(&nothing), names) {
            Ok(values) => rows.push(values),
            Err(BadRow::Sentence(sentence)) => return Err(Answer::invalid(sentence)),
            Err(BadRow::Fields(fields)) => {
                problems.insert(index.to_string(), Value::Object(fields));
            }
        }
    }
    if problems.is_empty() {
        Ok(rows)
    } else {
        Err(Answer::invalid(json!({"items": problems})))
    }
}

fn ids<'a>(values: impl Iterator<Item = &'a Value>) -> Result<Vec<u64>, Answer> {
    let mut ids = Vec::new();
    let mut problems = Map::new();
    for (index, value) in values.enumerate() {
        if let Some(id) = value.as_u64() {
            ids.push(id);
        } else {
            let problem = json!([{"error": "A valid integer is required.", "code": "invalid"}]);
            problems.insert(index.to_string(), problem);
        }
    }
    if problems.is_empty() {
        Ok(ids)
    } else {
        Err(Answer::invalid(json!({"items": problems})))
    }
}

fn check(table: &Table, ids: &[u64]) -> Result<(), Answer> {
    let (mut seen, mut twice) = (BTreeSet::new(), BTreeSet::new());
    for id in ids {
        if !seen.insert(*id) {
            twice.insert(id.to_string());
        }
    }
    if !twice.is_empty() {
        let twice: Vec<String> = twice.into_iter().collect();
        let detail = format!("The provided row ids [{}] are not unique.", twice.join(", "));
        return Err(Answer::refusal(400, "ERROR_ROW_IDS_NOT_UNIQUE", detail));
    }
    let missing: Vec<u64> = seen.into_iter().filter(|id| !table.has(*id)).collect();
    if missing.is_empty() {
        Ok(())
    } else {
        Err(Answer::no_rows(&missing, false))
    }
}
