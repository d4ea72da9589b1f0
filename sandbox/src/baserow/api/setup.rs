//! What an installation begins with: workspaces, databases, and database tokens, which users make.

use serde_json::{Map, Value, json};

use super::super::State;
use super::super::store::{Store, WORKSPACE};
use super::super::tokens::{Act, Caller, Token};
use super::answer::{Answer, Answered};
use super::request::Request;
use super::tables::application;

/// `GET /api/workspaces/`: none for a user who has just signed up.
pub(crate) fn workspaces(store: &Store) -> Answer {
    let shown = store.workspace.iter().map(|name| workspace(name));
    Answer::ok(&Value::Array(shown.collect()))
}

/// `POST /api/workspaces/`. There is room for one.
pub(crate) fn create_workspace(state: &mut State, request: &Request) -> Answered {
    let name = text(&request.object()?, "name")?;
    let answer = Answer::ok(&workspace(&name));
    state.store.workspace = Some(name);
    Ok(answer)
}

fn workspace(name: &str) -> Value {
    json!({
        "id": WORKSPACE, "name": name, "users": [], "order": 1, "permissions": "ADMIN",
        "unread_notifications_count": 0, "generative_ai_models_enabled": {},
    })
}

/// `POST /api/applications/workspace/{workspace}/`: a database without tables.
pub(crate) fn create_database(state: &mut State, workspace: u64, request: &Request) -> Answered {
    in_workspace(&state.store, workspace)?;
    let body = request.object()?;
    let name = text(&body, "name")?;
    if text(&body, "type")? != "database" {
        let error = json!({"type": [{"error": "\"\" is not a valid choice.", "code": "invalid_choice"}]});
        return Err(Answer::invalid(error));
    }
    let id = state.store.databases.keys().max().copied().unwrap_or_default() + 1;
    state.store.databases.insert(id, name.clone());
    Ok(Answer::ok(&application(&state.store, id, &name)))
}

/// `GET /api/database/tokens/`: those of the caller, with their keys.
pub(crate) fn tokens(state: &State, caller: &Caller) -> Answer {
    let numbered = (1..).zip(&state.doors.tokens);
    let own = numbered.filter(|(_, token)| token.user == caller.user());
    Answer::ok(&Value::Array(own.map(|(id, token)| shown(id, token)).collect()))
}

/// `POST /api/database/tokens/`: a token that may do everything in its workspace.
pub(crate) fn create_token(state: &mut State, caller: &Caller, request: &Request) -> Answered {
    let body = request.object()?;
    let name = text(&body, "name")?;
    let workspace = body.get("workspace").and_then(Value::as_u64);
    in_workspace(&state.store, workspace.ok_or_else(|| required("workspace"))?)?;
    let id = state.doors.make_token(caller.user(), &name);
    let token = state.doors.tokens.last();
    Ok(Answer::ok(&token.map_or(Value::Null, |token| shown(id, token))))
}

fn in_workspace(store: &Store, workspace: u64) -> Result<(), Answer> {
    if workspace == WORKSPACE && store.workspace.is_some() {
        return Ok(());
    }
    let detail = "The requested workspace does not exist.";
    Err(Answer::refusal(404, "ERROR_GROUP_DOES_NOT_EXIST", detail))
}

fn shown(id: usize, token: &Token) -> Value {
    let may = |act: Act| match &token.tables {
        _ if !token.may.contains(&act) => json!(false),
        None => json!(true),
        Some(tables) => tables.iter().map(|table| json!(["table", table])).collect(),
    };
    json!({
        "id": id, "name": token.name, "workspace": WORKSPACE, "key": token.key,
        "permissions": {
            "create": may(Act::Create), "read": may(Act::Read), "update": may(Act::Update), "delete": may(Act::Delete),
        },
    })
}

fn text(body: &Map<String, Value>, key: &str) -> Result<String, Answer> {
    let value = body.get(key).and_then(Value::as_str);
    value.map(str::to_owned).ok_or_else(|| required(key))
}

fn required(key: &str) -> Answer {
    Answer::invalid(json!({key: [{"error": "This field is required.", "code": "required"}]}))
}
