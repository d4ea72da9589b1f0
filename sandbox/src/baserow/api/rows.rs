//! One row: get, create, update, delete, move, restore.

use serde_json::Value;

use super::super::State;
use super::super::events::Event;
use super::super::store::{Store, Table};
use super::super::tokens::{Act, Caller};
use super::answer::{Answer, Answered};
use super::request::Request;
use super::route::RowPath;
use super::{Written, row_body};

/// The table, if it exists and the caller may do this in it.
pub(crate) fn allowed<'a>(store: &'a Store, table: u64, caller: &Caller, act: Act) -> Result<&'a Table, Answer> {
    let found = store.table(table).ok_or_else(Answer::no_table)?;
    if caller.may(act, table) {
        Ok(found)
    } else {
        Err(Answer::no_permission())
    }
}

fn shown(store: &Store, table: u64, row: u64, names: bool) -> Value {
    match (store.table(table), store.snapshot(table, row)) {
        (Some(table), Some(snapshot)) => snapshot.json(table, names),
        _ => Value::Null,
    }
}

/// `GET …/rows/table/{table}/{row}/`
pub(crate) fn one(store: &Store, RowPath { table, row }: RowPath, caller: &Caller, request: &Request) -> Answered {
    let found = allowed(store, table, caller, Act::Read)?;
    if !found.has(row) {
        return Err(Answer::no_rows(&[row], true));
    }
    Ok(Answer::ok(&shown(store, table, row, request.names())))
}

/// `POST …/rows/table/{table}/`: 200, not 201.
pub(crate) fn create(state: &mut State, table: u64, caller: &Caller, request: &Request) -> Written {
    let found = allowed(&state.store, table, caller, Act::Create)?;
    let names = request.names();
    let values = row_body::parse(found, &request.object()?, names).map_err(row_body::BadRow::refusal)?;
    let change = state.store.create(table, vec![values], caller.user());
    let row = change.rows.first().copied().unwrap_or_default();
    Ok((
        Answer::ok(&shown(&state.store, table, row, names)),
        Some(Event::Rows(change)),
    ))
}

/// `PATCH …/rows/table/{table}/{row}/`: even one that changes nothing is an event.
pub(crate) fn update(
    state: &mut State,
    RowPath { table, row }: RowPath,
    caller: &Caller,
    request: &Request,
) -> Written {
    let found = allowed(&state.store, table, caller, Act::Update)?;
    let names = request.names();
    let body = request.object()?;
    if !found.has(row) {
        return Err(Answer::no_rows(&[row], false));
    }
    let values = row_body::parse(found, &body, names).map_err(row_body::BadRow::refusal)?;
    let change = state.store.update(table, vec![(row, values)], caller.user());
    Ok((
        Answer::ok(&shown(&state.store, table, row, names)),
        Some(Event::Rows(change)),
    ))
}

/// `DELETE …/rows/table/{table}/{row}/`: to the trash.
pub(crate) fn delete(state: &mut State, RowPath { table, row }: RowPath, caller: &Caller) -> Written {
    let found = allowed(&state.store, table, caller, Act::Delete)?;
    if !found.has(row) {
        return Err(Answer::no_rows(&[row], true));
    }
    let change = state.store.delete(table, vec![row]);
    Ok((Answer::done(), Some(Event::Rows(change))))
}

/// `PATCH …/rows/table/{table}/{row}/move/?before_id=…`
pub(crate) fn move_row(
    state: &mut State,
    RowPath { table, row }: RowPath,
    caller: &Caller,
    request: &Request,
) -> Written {
    let found = allowed(&state.store, table, caller, Act::Update)?;
    let before = request.parameter("before_id").and_then(|before| before.parse().ok());
    if let Some(missing) = [Some(row), before].into_iter().flatten().find(|row| !found.has(*row)) {
        return Err(Answer::no_rows(&[missing], false));
    }
    let change = state.store.move_row(table, row, before, caller.user());
    let answer = Answer::ok(&shown(&state.store, table, row, request.names()));
    Ok((answer, Some(Event::Rows(change))))
}

/// `PATCH /api/trash/restore/`, for rows.
pub(crate) fn restore(state: &mut State, request: &Request) -> Written {
    let body = request.object()?;
    let id = |key: &str| body.get(key).and_then(Value::as_u64);
    let gone = || {
        Answer::refusal(
            400,
            "ERROR_TRASH_ITEM_DOES_NOT_EXIST",
            "The specified trash item does not exist.",
        )
    };
    if body.get("trash_item_type").and_then(Value::as_str) != Some("row") {
        return Err(gone());
    }
    let (Some(table), Some(row)) = (id("parent_trash_item_id"), id("trash_item_id")) else {
        return Err(gone());
    };
    let change = state.store.restore(table, row).ok_or_else(gone)?;
    Ok((Answer::done(), Some(Event::Rows(change))))
}
