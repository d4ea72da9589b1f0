//! The test call: one delivery of invented content, made while the caller waits. No retry, no log entry, and always 200.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::super::api::{Answer, check_address, grid, table_json};
use super::super::events::head;
use super::super::schema::Kind;
use super::super::snapshot::Snapshot;
use super::super::store::Store;
use super::super::{Baserow, values, wire};
use super::call::{Call, Content};
use super::hook::{EVENTS, Hook};

/// `POST /api/database/webhooks/table/{table}/test-call/`
pub(crate) async fn answer(baserow: &Baserow, table: u64, body: &Map<String, Value>) -> Result<Answer, Answer> {
    let text = |key: &str| body.get(key).and_then(Value::as_str);
    let (outgoing, patience) = {
        let state = baserow.lock();
        state.store.table(table).ok_or_else(Answer::no_table)?;
        let mut hook = Hook::new(0, table);
        text("url").unwrap_or_default().clone_into(&mut hook.url);
        text("request_method").unwrap_or("POST").clone_into(&mut hook.method);
        hook.names = body
            .get("use_user_field_names")
            .and_then(Value::as_bool)
            .unwrap_or(true);
        let headers = body.get("headers").and_then(Value::as_object);
        let headers = headers
            .into_iter()
            .flatten()
            .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
        hook.headers = headers.collect();
        check_address(&hook.url, state.settings.blocks_private_addresses)?;
        let event = EVENTS
            .into_iter()
            .find(|event| Some(*event) == text("event_type"))
            .ok_or_else(|| {
                Answer::invalid(
                    json!({"event_type": [{"error": "This event type is not known.", "code": "invalid_choice"}]}),
                )
            })?;
        let event_id = Uuid::new_v4().to_string();
        let payload = wire::python(&payload(&state.store, &hook, event, &event_id));
        let call = Call::new(&hook, event, &event_id, Content::Ready(payload.clone()));
        (call.outgoing(&payload), state.settings.request_timeout())
    };
    let request = outgoing.logged();
    let received = outgoing.send(patience).await.ok();
    Ok(Answer::ok(&json!({
        "request": request,
        "response": received.as_ref().map(super::exchange::Received::logged).unwrap_or_default(),
        "status_code": received.as_ref().map(|received| received.status),
        "is_unreachable": received.is_none(),
    })))
}

fn payload(store: &Store, hook: &Hook, event: &str, event_id: &str) -> Value {
    let mut payload = head(hook.table, None, event_id, event);
    let mut put = |key: &str, value: Value| {
        payload.insert(key.to_owned(), value);
    };
    let rows = json!([empty_row(store, hook)]);
    match event {
        "rows.created" => put("items", rows),
        "rows.updated" => {
            put("items", rows.clone());
            put("old_items", rows);
        }
        "rows.deleted" => put("row_ids", json!([0])),
        "field.created" | "field.updated" => put("field", empty_field()),
        "field.deleted" => put("field_id", json!(1)),
        "view.created" | "view.updated" => put("view", grid(0, (0, Value::Null), "View", 1, None)),
        "view.deleted" => put("view_id", json!(1)),
        _ => {
            let mut view = grid(0, (hook.table, table_json(store, hook.table)), "View", 1, None);
            if let Some(view) = view.as_object_mut() {
                for key in ["row_identifier_type", "row_height_size", "public", "slug"] {
                    view.shift_remove(key);
                }
            }
            put("view", view);
            put("row_ids", json!([0]));
            put("total_count", json!(1));
        }
    }
    Value::Object(payload)
}

/// A row with id 0 and nothing in it.
fn empty_row(store: &Store, hook: &Hook) -> Value {
    let Some(table) = store.table(hook.table) else {
        return Value::Null;
    };
    let empty = |kind: &Kind| match kind {
        Kind::Link { .. } => json!([]),
        other => values::empty(other),
    };
    let row = Snapshot {
        id: 0,
        order: 0,
        values: table
            .fields
            .iter()
            .map(|field| (field.id, empty(&field.kind)))
            .collect(),
    };
    row.json(table, hook.names)
}

fn empty_field() -> Value {
    json!({
        "id": 0,
        "table_id": 0,
        "name": "Field",
        "order": 1,
        "type": "text",
        "primary": false,
        "read_only": false,
        "immutable_type": false,
        "immutable_properties": false,
        "description": null,
        "database_id": null,
        "workspace_id": null,
        "db_index": false,
        "field_constraints": [],
        "text_default": "",
    })
}
