//! The webhooks of a table, for users: list, make, change, delete.

use serde_json::{Map, Value, json};

use super::super::State;
use super::super::webhooks::address::{self, BadAddress};
use super::super::webhooks::hook::{EVENTS, Hook};
use super::answer::{Answer, Answered};
use super::request::Request;

/// The most webhooks that a table may have.
const MOST: usize = 20;

/// `GET /api/database/webhooks/table/{table}/`
pub(crate) fn list(state: &State, table: u64) -> Answered {
    state.store.table(table).ok_or_else(Answer::no_table)?;
    let hooks = state.hooks.values().filter(|hook| hook.table == table).map(Hook::json);
    Ok(Answer::ok(&Value::Array(hooks.collect())))
}

/// `GET /api/database/webhooks/{webhook}/`
pub(crate) fn one(state: &State, webhook: u64) -> Answered {
    state
        .hooks
        .get(&webhook)
        .map(|hook| Answer::ok(&hook.json()))
        .ok_or_else(missing)
}

fn missing() -> Answer {
    Answer::refusal(
        404,
        "ERROR_TABLE_WEBHOOK_DOES_NOT_EXIST",
        "The requested table webhook does not exist.",
    )
}

/// `POST /api/database/webhooks/table/{table}/`
pub(crate) fn create(state: &mut State, table: u64, request: &Request) -> Answered {
    let body = request.object()?;
    state.store.table(table).ok_or_else(Answer::no_table)?;
    let id = add(state, table, &body)?;
    one(state, id)
}

/// Adds a webhook and gives its id.
pub(crate) fn add(state: &mut State, table: u64, body: &Map<String, Value>) -> Result<u64, Answer> {
    for key in ["name", "url"] {
        if body.get(key).and_then(Value::as_str).is_none_or(str::is_empty) {
            let problem = json!({key: [{"error": "This field is required.", "code": "required"}]});
            return Err(Answer::invalid(problem));
        }
    }
    if state.hooks.values().filter(|hook| hook.table == table).count() >= MOST {
        let detail = format!(
            "The maximally allowed webhooks per table has been exceeded. You can create a maximum of {MOST} webhooks."
        );
        return Err(Answer::refusal(400, "ERROR_TABLE_WEBHOOK_MAX_LIMIT_EXCEEDED", detail));
    }
    let mut hook = Hook::new(state.new_hook_id(), table);
    change(&mut hook, body, state.settings.blocks_private_addresses)?;
    let id = hook.id;
    state.hooks.insert(id, hook);
    Ok(id)
}

/// `PATCH /api/database/webhooks/{webhook}/`. Switching it on forgets its failures.
pub(crate) fn update(state: &mut State, webhook: u64, request: &Request) -> Answered {
    let body = request.object()?;
    let blocks = state.settings.blocks_private_addresses;
    let hook = state.hooks.get_mut(&webhook).ok_or_else(missing)?;
    let mut changed = hook.clone();
    change(&mut changed, &body, blocks)?;
    changed.touch();
    *hook = changed;
    Ok(Answer::ok(&hook.json()))
}

/// `DELETE /api/database/webhooks/{webhook}/`
pub(crate) fn delete(state: &mut State, webhook: u64) -> Answered {
    state.hooks.remove(&webhook).map(|_| Answer::done()).ok_or_else(missing)
}

fn change(hook: &mut Hook, body: &Map<String, Value>, blocks_private_addresses: bool) -> Result<(), Answer> {
    if let Some(name) = body.get("name").and_then(Value::as_str) {
        name.clone_into(&mut hook.name);
    }
    if let Some(url) = body.get("url").and_then(Value::as_str) {
        check_address(url, blocks_private_addresses)?;
        url.clone_into(&mut hook.url);
    }
    if let Some(method) = body.get("request_method").and_then(Value::as_str) {
        hook.method = check_method(method)?;
    }
    if let Some(names) = body.get("use_user_field_names").and_then(Value::as_bool) {
        hook.names = names;
    }
    if let Some(headers) = body.get("headers").and_then(Value::as_object) {
        hook.headers = check_headers(headers)?;
    }
    if let Some(all) = body.get("include_all_events").and_then(Value::as_bool) {
        hook.all_events = all;
    }
    if let Some(events) = body.get("events").and_then(Value::as_array) {
        hook.events = check_events(events)?;
    }
    if let Some(config) = body.get("event_config").and_then(Value::as_array) {
        hook.watch(config);
    }
    match body.get("active").and_then(Value::as_bool) {
        Some(true) => hook.switch_on(),
        Some(false) => hook.active = false,
        None => {}
    }
    Ok(())
}

/// 400 for an address that may not be called.
fn check_address(url: &str, blocks_private_addresses: bool) -> Result<(), Answer> {
    if !blocks_private_addresses {
        return Ok(());
    }
    address::check(url).map_err(|bad| {
        let error = match bad {
            BadAddress::NoUrl => "Enter a valid URL.",
            BadAddress::Forbidden => "Invalid URL",
        };
        Answer::invalid(json!({"url": [{"error": error, "code": "invalid_url"}]}))
    })
}

fn check_method(method: &str) -> Result<String, Answer> {
    if ["POST", "GET", "PUT", "PATCH", "DELETE"].contains(&method) {
        return Ok(method.to_owned());
    }
    let error = format!("\"{method}\" is not a valid choice.");
    Err(Answer::invalid(
        json!({"request_method": [{"error": error, "code": "invalid_choice"}]}),
    ))
}

/// The real server, too, answers 500 to a value that is empty or not a text.
fn check_headers(headers: &Map<String, Value>) -> Result<Vec<(String, String)>, Answer> {
    let check = |(name, value): (&String, &Value)| match value.as_str() {
        None | Some("") => Err(Answer::page(500, "Server Error")),
        Some(value) if value.contains(['\n', '\r']) => {
            let error = format!("The provided header value {value} is invalid.");
            Err(Answer::invalid(
                json!({"headers": [{"error": error, "code": "invalid_http_header_value"}]}),
            ))
        }
        Some(value) => Ok((name.clone(), value.to_owned())),
    };
    headers.iter().map(check).collect()
}

fn check_events(events: &[Value]) -> Result<Vec<String>, Answer> {
    let check = |(index, event): (usize, &Value)| {
        let event = event.as_str().unwrap_or_default();
        if EVENTS.contains(&event) {
            return Ok(event.to_owned());
        }
        let error = format!("\"{event}\" is not a valid choice.");
        let problem = json!({"events": {index.to_string(): [{"error": error, "code": "invalid_choice"}]}});
        Err(Answer::invalid(problem))
    };
    events.iter().enumerate().map(check).collect()
}
