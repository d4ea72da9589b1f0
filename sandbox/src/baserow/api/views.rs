//! Views, as far as webhooks speak of them: they can be made, renamed and deleted, but show nothing.

use serde_json::{Value, json};
use uuid::Uuid;

use super::super::State;
use super::super::events::{Event, Thing};
use super::super::store::{DATABASE, Store};
use super::Written;
use super::answer::{Answer, Answered};
use super::request::Request;

/// `GET /api/database/views/table/{table}/`
pub(crate) fn list(store: &Store, table: u64) -> Answered {
    let table = store.table(table).ok_or_else(Answer::no_table)?;
    Ok(Answer::ok(&Value::Array(table.views.values().cloned().collect())))
}

/// `GET /api/database/views/{view}/`
pub(crate) fn one(store: &Store, view: u64) -> Answered {
    let found = store.tables.values().find_map(|table| table.views.get(&view));
    found.map(Answer::ok).ok_or_else(missing)
}

fn missing() -> Answer {
    Answer::refusal(404, "ERROR_VIEW_DOES_NOT_EXIST", "The requested view does not exist.")
}

fn event(event: &'static str, table: u64, key: &'static str, value: Value) -> Event {
    Event::Thing(Thing {
        event,
        table,
        key,
        value,
    })
}

/// A view without anything in it.
pub(crate) fn grid(id: u64, (table, table_json): (u64, Value), name: &str, order: usize, owner: Option<u64>) -> Value {
    json!({
        "id": id,
        "table_id": table,
        "name": name,
        "order": order,
        "type": "grid",
        "table": table_json,
        "filter_type": "AND",
        "filters_disabled": false,
        "public_view_has_password": false,
        "show_logo": true,
        "allow_public_export": false,
        "ownership_type": "collaborative",
        "owned_by_id": owner,
        "row_identifier_type": "id",
        "row_height_size": "small",
        "public": false,
        "slug": format!("{}{}", Uuid::new_v4().simple(), &Uuid::new_v4().simple().to_string()[..11]),
    })
}

/// A table as views show it.
pub(crate) fn table_json(store: &Store, table: u64) -> Value {
    store.table(table).map_or(
        Value::Null,
        |table| json!({"id": table.id, "name": table.name, "order": table.id, "database_id": DATABASE}),
    )
}

/// `POST /api/database/views/table/{table}/`
pub(crate) fn create(state: &mut State, table: u64, request: &Request) -> Written {
    let body = request.object()?;
    let name = body.get("name").and_then(Value::as_str).unwrap_or("Grid").to_owned();
    let shown_table = table_json(&state.store, table);
    let id = state.store.new_view_id();
    let found = state.store.tables.get_mut(&table).ok_or_else(Answer::no_table)?;
    // The view that every table has from the start is not kept here, but it counts.
    let view = grid(id, (table, shown_table), &name, found.views.len() + 2, Some(1));
    found.views.insert(id, view.clone());
    Ok((Answer::ok(&view), Some(event("view.created", table, "view", view))))
}

/// `PATCH /api/database/views/{view}/`: its name.
pub(crate) fn update(state: &mut State, view: u64, request: &Request) -> Written {
    let body = request.object()?;
    for table in state.store.tables.values_mut() {
        let Some(found) = table.views.get_mut(&view) else {
            continue;
        };
        if let Some(name) = body.get("name") {
            found["name"] = name.clone();
        }
        let found = found.clone();
        return Ok((Answer::ok(&found), Some(event("view.updated", table.id, "view", found))));
    }
    Err(missing())
}

/// `DELETE /api/database/views/{view}/`
pub(crate) fn delete(state: &mut State, view: u64) -> Written {
    for table in state.store.tables.values_mut() {
        if table.views.remove(&view).is_some() {
            let event = event("view.deleted", table.id, "view_id", json!(view));
            return Ok((Answer::done(), Some(event)));
        }
    }
    Err(missing())
}
