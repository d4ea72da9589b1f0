//! Tables: seen by everybody, made by users, as the bridge's provisioning does; and the databases
//! that they are in.

use serde_json::{Value, json};

use super::super::State;
use super::super::store::{Store, WORKSPACE};
use super::Written;
use super::answer::Answer;
use super::request::Request;

/// `GET /api/database/tables/all-tables/`
pub(crate) fn all(store: &Store) -> Answer {
    let tables = store.tables.values();
    let shown = tables
        .map(|table| json!({"id": table.id, "name": table.name, "order": table.id, "database_id": table.database}));
    Answer::ok(&Value::Array(shown.collect()))
}

/// `GET /api/applications/`: the databases of all workspaces of a user.
pub(crate) fn applications(store: &Store) -> Answer {
    let shown = store.databases.iter().map(|(id, name)| application(store, *id, name));
    Answer::ok(&Value::Array(shown.collect()))
}

/// A database as applications are shown.
pub(super) fn application(store: &Store, id: u64, name: &str) -> Value {
    let tables = store.tables.values().filter(|table| table.database == id);
    let tables: Vec<Value> = tables
        .map(|table| json!({"id": table.id, "name": table.name, "order": table.id, "database_id": id}))
        .collect();
    json!({
        "id": id,
        "name": name,
        "order": id,
        "type": "database",
        "workspace": {"id": WORKSPACE, "name": store.workspace, "generative_ai_models_enabled": {}},
        "created_on": "2026-11-22T10:48:05.462815Z",
        "tables": tables,
    })
}

/// `POST /api/database/tables/database/{database}/`: from the one row of `data`, the names of its
/// fields.
pub(crate) fn create(state: &mut State, database: u64, request: &Request) -> Written {
    let body = request.object()?;
    let required =
        |key: &str| Answer::invalid(json!({key: [{"error": "This field is required.", "code": "required"}]}));
    let name = body
        .get("name")
        .and_then(Value::as_str)
        .ok_or_else(|| required("name"))?;
    let primary = body.get("data").and_then(|data| data.pointer("/0/0"));
    let primary = primary.and_then(Value::as_str).unwrap_or("Name");
    let id = state.store.add_table(database, name.to_owned(), primary.to_owned());
    let answer = json!({"id": id, "name": name, "order": id, "database_id": database, "data_sync": null});
    Ok((Answer::ok(&answer), None))
}
