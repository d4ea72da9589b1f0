//! The control routes of Baserow, for tests and the demo, in JSON. A real server has none of them.
//!
//! | call, below `/_sandbox/baserow` | effect |
//! |---|---|
//! | `GET /state` | deliveries that wait or are under way, settings, counts of rows |
//! | `PATCH /settings` | changes `Settings`; unknown keys are refused |
//! | `PUT /time-scale` `{"scale":100}` | how many times faster than the real server it waits |
//! | `POST /tables` `{"name":"Deals","primary":"Name"}` | adds a table with one text field; `database` (1) |
//! | `PATCH /tables/{table}` `{"name":"Offers"}` | renames a table |
//! | `DELETE /tables/{table}` | deletes a table with its rows and webhooks |
//! | `DELETE /workspaces` | deletes all workspaces with their databases and tables |
//! | `GET /tables/{table}/rows` | the rows of a table, with field names |
//! | `POST /tables/{table}/rows` | adds an array of rows, without any webhook call |
//! | `GET /webhooks` | all webhooks as the API shows them, with `table_id` and `sign_with` |
//! | `POST /webhooks` | adds a webhook |
//! | `PATCH /webhooks/{id}` `{"sign_with":…}` | signs its deliveries from now on; null ends it |
//! | `GET /attempts` | all attempts of all deliveries, oldest first |
//! | `DELETE /attempts` | clears the list of attempts |
//! | `POST /tokens` | adds a database token |
//! | `DELETE /sessions` | ends all sessions of users, as expiry does |
//! | `POST /reset` | resets everything to the state of the options |
//!
//! A table is named by its id or its name. More fields of a table are made through the API, by a
//! user. A row is an object by field names, with `id` for an id of the caller's choice. A webhook
//! has `table`, `url`, and optionally `name`, `events`, `event_config`, `headers`,
//! `use_user_field_names`, `sign_with`. A token has `key`, and optionally `user`, `may` (`create`,
//! `read`, `update`, `delete`) and `tables`.

use actix_web::web::{self, Data, Json, Path, ServiceConfig};
use actix_web::{HttpResponse, Responder};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::api::{add_hook, parse_row};
use super::store::{DATABASE, Store, Table};
use super::tokens::Token;
use super::{Baserow, State};

pub(crate) fn routes(config: &mut ServiceConfig) {
    config.service(
        web::scope("/_sandbox/baserow")
            .route("/state", web::get().to(state))
            .route("/settings", web::patch().to(change_settings))
            .route("/time-scale", web::put().to(set_time_scale))
            .route("/tables", web::post().to(add_table))
            .route("/workspaces", web::delete().to(delete_workspaces))
            .route("/tables/{table}", web::patch().to(rename_table))
            .route("/tables/{table}", web::delete().to(delete_table))
            .route("/tables/{table}/rows", web::get().to(list_rows))
            .route("/tables/{table}/rows", web::post().to(add_rows))
            .route("/webhooks", web::get().to(list_webhooks))
            .route("/webhooks", web::post().to(add_webhook))
            .route("/webhooks/{webhook}", web::patch().to(change_webhook))
            .route("/attempts", web::get().to(list_attempts))
            .route("/attempts", web::delete().to(forget_attempts))
            .route("/tokens", web::post().to(add_token))
            .route("/sessions", web::delete().to(end_sessions))
            .route("/reset", web::post().to(reset)),
    );
}

fn refused(why: impl Into<String>) -> HttpResponse {
    HttpResponse::BadRequest().json(json!({"error": why.into()}))
}

async fn state(baserow: Data<Baserow>) -> impl Responder {
    let state = baserow.lock();
    let (queued, running, resting) = state.deliveries.counts();
    let rows = state
        .store
        .tables
        .values()
        .map(|table| (table.name.clone(), json!(table.alive().len())));
    Json(json!({
        "idle": queued + running + resting == 0,
        "deliveries": {
            "queued": queued, "running": running, "resting": resting, "made": state.deliveries.made(),
        },
        "rows": Value::Object(rows.collect()),
        "settings": state.settings,
        "time_scale": baserow.tempo().scale(),
    }))
}

async fn change_settings(baserow: Data<Baserow>, changes: Json<Map<String, Value>>) -> HttpResponse {
    let mut state = baserow.lock();
    let Ok(Value::Object(mut settings)) = serde_json::to_value(&state.settings) else {
        return refused("the settings cannot be shown");
    };
    for (key, value) in changes.into_inner() {
        if !settings.contains_key(&key) {
            return refused(format!("there is no setting {key:?}"));
        }
        settings.insert(key, value);
    }
    match serde_json::from_value(Value::Object(settings)) {
        Ok(settings) => {
            state.settings = settings;
            HttpResponse::Ok().json(&state.settings)
        }
        Err(error) => refused(format!("a setting has a value of the wrong kind: {error}")),
    }
}

#[derive(Debug, Deserialize)]
struct TimeScale {
    scale: f64,
}

async fn set_time_scale(baserow: Data<Baserow>, wanted: Json<TimeScale>) -> impl Responder {
    baserow.tempo().set(wanted.scale);
    Json(json!({"scale": baserow.tempo().scale()}))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewTable {
    name: String,
    primary: String,
    database: Option<u64>,
}

/// Two tables of one name are in two databases, as on the real server.
async fn add_table(baserow: Data<Baserow>, wanted: Json<NewTable>) -> HttpResponse {
    let NewTable {
        name,
        primary,
        database,
    } = wanted.into_inner();
    let database = database.unwrap_or(DATABASE);
    let mut state = baserow.lock();
    let mut tables = state.store.tables.values();
    if tables.any(|table| table.database == database && table.name == name) {
        return refused(format!("the database {database} has a table {name:?} already"));
    }
    HttpResponse::Ok().json(json!({"id": state.store.add_table(database, name, primary)}))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewName {
    name: String,
}

async fn rename_table(baserow: Data<Baserow>, table: Path<String>, wanted: Json<NewName>) -> HttpResponse {
    let mut state = baserow.lock();
    let id = match find(&state.store, &table) {
        Ok(table) => table.id,
        Err(why) => return refused(why),
    };
    if let Some(table) = state.store.tables.get_mut(&id) {
        table.name = wanted.into_inner().name;
    }
    HttpResponse::NoContent().finish()
}

async fn delete_table(baserow: Data<Baserow>, table: Path<String>) -> HttpResponse {
    let mut state = baserow.lock();
    let table = match find(&state.store, &table) {
        Ok(table) => table.id,
        Err(why) => return refused(why),
    };
    state.store.tables.remove(&table);
    state.hooks.retain(|_, hook| hook.table != table);
    HttpResponse::NoContent().finish()
}

async fn delete_workspaces(baserow: Data<Baserow>) -> impl Responder {
    let mut state = baserow.lock();
    let State { store, hooks, .. } = &mut *state;
    store.workspace = None;
    store.databases.clear();
    store.tables.clear();
    hooks.clear();
    HttpResponse::NoContent()
}

/// A table by its id or name.
fn find<'a>(store: &'a Store, table: &str) -> Result<&'a Table, String> {
    let by_id = table.parse().ok().and_then(|id| store.table(id));
    by_id
        .or_else(|| store.table_named(table))
        .ok_or_else(|| format!("there is no table {table:?}"))
}

async fn list_rows(baserow: Data<Baserow>, table: Path<String>) -> HttpResponse {
    let state = baserow.lock();
    let table = match find(&state.store, &table) {
        Ok(table) => table,
        Err(why) => return refused(why),
    };
    let rows = table
        .alive()
        .into_iter()
        .filter_map(|row| state.store.snapshot(table.id, row));
    let rows: Vec<Value> = rows.map(|row| row.json(table, true)).collect();
    HttpResponse::Ok().json(rows)
}

async fn add_rows(baserow: Data<Baserow>, table: Path<String>, rows: Json<Vec<Map<String, Value>>>) -> HttpResponse {
    let mut state = baserow.lock();
    match seed(&mut state, &table, &rows) {
        Ok(ids) => HttpResponse::Ok().json(json!({"ids": ids})),
        Err(why) => refused(why),
    }
}

/// Adds all rows, or none.
fn seed(state: &mut State, table: &str, rows: &[Map<String, Value>]) -> Result<Vec<u64>, String> {
    let table = find(&state.store, table)?;
    let mut values = Vec::with_capacity(rows.len());
    for row in rows {
        let unknown = |key: &&String| *key != "id" && table.fields.iter().all(|field| field.name != **key);
        if let Some(key) = row.keys().find(unknown) {
            return Err(format!("the table {} has no field {key:?}", table.name));
        }
        let id = row.get("id").and_then(Value::as_u64);
        if let Some(id) = id.filter(|id| table.rows.contains_key(id)) {
            return Err(format!(
                "the table {} has a row {id} already, perhaps in the trash",
                table.name
            ));
        }
        let parsed = parse_row(table, row, true).map_err(|bad| format!("a row is refused: {bad:?}"))?;
        values.push((id, parsed));
    }
    let table = table.id;
    let add = |(id, values)| state.store.seed(table, id, values);
    Ok(values.into_iter().flat_map(add).collect())
}

async fn list_webhooks(baserow: Data<Baserow>) -> impl Responder {
    let state = baserow.lock();
    let shown = state.hooks.values().map(|hook| {
        let mut json = hook.json();
        json["table_id"] = json!(hook.table);
        json["sign_with"] = json!(hook.sign_with);
        json
    });
    Json(Value::Array(shown.collect()))
}

async fn add_webhook(baserow: Data<Baserow>, body: Json<Map<String, Value>>) -> HttpResponse {
    let mut state = baserow.lock();
    let table = match body.get("table") {
        Some(Value::String(name)) => name.clone(),
        Some(id) => id.to_string(),
        None => return refused("name the table: {\"table\":\"projet\",\"url\":…}"),
    };
    let table = match find(&state.store, &table) {
        Ok(table) => table.id,
        Err(why) => return refused(why),
    };
    let mut wanted = body.into_inner();
    wanted.entry("name").or_insert_with(|| json!("sandbox"));
    if wanted.contains_key("events") {
        wanted.entry("include_all_events").or_insert(json!(false));
    }
    let secret = wanted.get("sign_with").and_then(Value::as_str).map(str::to_owned);
    match add_hook(&mut state, table, &wanted) {
        Ok(id) => {
            let hook = state.hooks.get_mut(&id);
            if let Some(hook) = hook {
                hook.sign_with = secret;
            }
            HttpResponse::Ok().json(json!({"id": id}))
        }
        Err(refusal) => refusal.response(None),
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signing {
    sign_with: Option<String>,
}

async fn change_webhook(baserow: Data<Baserow>, webhook: Path<u64>, signing: Json<Signing>) -> HttpResponse {
    match baserow.lock().hooks.get_mut(&webhook) {
        Some(hook) => {
            hook.sign_with = signing.into_inner().sign_with;
            HttpResponse::NoContent().finish()
        }
        None => refused(format!("there is no webhook {webhook}")),
    }
}

async fn list_attempts(baserow: Data<Baserow>) -> impl Responder {
    let attempts: Vec<_> = baserow.lock().deliveries.attempts.iter().cloned().collect();
    Json(attempts)
}

async fn forget_attempts(baserow: Data<Baserow>) -> impl Responder {
    baserow.lock().deliveries.attempts.clear();
    HttpResponse::NoContent()
}

async fn add_token(baserow: Data<Baserow>, token: Json<Token>) -> impl Responder {
    let (token, mut state) = (token.into_inner(), baserow.lock());
    state.doors.tokens.retain(|known| known.key != token.key);
    state.doors.tokens.push(token);
    HttpResponse::NoContent()
}

async fn end_sessions(baserow: Data<Baserow>) -> impl Responder {
    baserow.lock().doors.end_sessions();
    HttpResponse::NoContent()
}

async fn reset(baserow: Data<Baserow>) -> HttpResponse {
    match baserow.reset() {
        Ok(()) => HttpResponse::NoContent().finish(),
        Err(error) => refused(error.to_string()),
    }
}
