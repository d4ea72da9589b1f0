//! The REST API: from a call to its answer.
//!
//! The order of the checks is the real one's: the host, the path, the caller, the method, and only
//! then the table and the body.

mod answer;
mod batches;
pub(crate) mod fields;
mod filters;
mod formula;
mod list;
mod request;
mod route;
mod row_body;
mod rows;
mod setup;
mod tables;
mod users;
mod webhooks;

use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::json;

use super::Baserow;
use super::events::Event;
use super::tokens::{Caller, Stranger};
pub(crate) use answer::Answer;
use answer::Answered;
use request::Request;
use route::{Door, Route};
pub(crate) use row_body::parse as parse_row;
pub(crate) use webhooks::add as add_hook;

/// The answer of a write, and the event for webhooks.
type Written = Result<(Answer, Option<Event>), Answer>;

/// Answers every call to the product.
pub(crate) async fn answer(baserow: Data<Baserow>, http: HttpRequest, body: Bytes) -> HttpResponse {
    let request = Request::new(&http, body);
    if !baserow.lock().settings.knows_host(&request.host) {
        return Answer::page(400, "Bad Request").response(None);
    }
    let Some(route) = Route::of(&request.path) else {
        let is_route = Route::of(&format!("{}/", request.path)).is_some();
        let answer = if is_route {
            Answer::no_slash(&request.path)
        } else {
            Answer::no_route(&request.path)
        };
        return answer.response(None);
    };
    let answer = match let_in(&baserow, route, &request) {
        Ok(caller) => carry_out(&baserow, route, caller, &request)
            .await
            .unwrap_or_else(|refusal| refusal),
        Err(refusal) => refusal,
    };
    answer.response(route.allow())
}

fn let_in(baserow: &Baserow, route: Route, request: &Request) -> Result<Option<Caller>, Answer> {
    let door = route.door(&request.method);
    if door == Door::Open {
        return Ok(None);
    }
    let caller = baserow
        .lock()
        .doors
        .caller(request.authorization.as_deref(), door != Door::Session);
    match caller {
        Ok(Caller::User(_)) if door == Door::Token => Err(Answer::stranger(Stranger::NoCredentials, 403)),
        Ok(caller) => Ok(Some(caller)),
        Err(stranger) => Err(Answer::stranger(stranger, if door == Door::Token { 403 } else { 401 })),
    }
}

async fn carry_out(baserow: &Baserow, route: Route, caller: Option<Caller>, request: &Request) -> Answered {
    let method = if request.method == "HEAD" {
        "GET"
    } else {
        request.method.as_str()
    };
    if route
        .allow()
        .is_some_and(|allow| !allow.split(", ").any(|allowed| allowed == method))
    {
        return Err(Answer::sentence(405, &format!("Method \"{method}\" not allowed.")));
    }
    let Some(caller) = caller else {
        return users::open(baserow, route, request);
    };
    if method == "GET" {
        read(baserow, route, &caller, request)
    } else {
        write(baserow, route, &caller, request).await
    }
}

fn read(baserow: &Baserow, route: Route, caller: &Caller, request: &Request) -> Answered {
    let state = &mut *baserow.lock();
    match route {
        Route::TokenCheck => Ok(Answer::ok(&json!({"token": "OK"}))),
        Route::AllTables => Ok(tables::all(&state.store)),
        Route::Workspaces => Ok(setup::workspaces(&state.store)),
        Route::Tokens => Ok(setup::tokens(state, caller)),
        Route::Applications => Ok(tables::applications(&state.store)),
        Route::Rows(table) => list::rows(&state.store, table, caller, request),
        Route::Row(path) => rows::one(&state.store, path, caller, request),
        Route::Fields(table) => fields::list(&state.store, table),
        Route::Field(field) => fields::one(&state.store, field),
        Route::Webhooks(table) => webhooks::list(state, table),
        Route::Webhook(webhook) => webhooks::one(state, webhook),
        _ => Err(Answer::no_route(&request.path)),
    }
}

/// Carries out a write and sends its webhooks, unless the caller asked for silence.
async fn write(baserow: &Baserow, route: Route, caller: &Caller, request: &Request) -> Answered {
    let echoes = {
        let state = &mut *baserow.lock();
        let (answer, event) = match (route, request.method.as_str()) {
            (Route::Rows(table), _) => rows::create(state, table, caller, request)?,
            (Route::Row(path), "PATCH") => rows::update(state, path, caller, request)?,
            (Route::Row(path), _) => rows::delete(state, path, caller)?,
            (Route::RowMove(path), _) => rows::move_row(state, path, caller, request)?,
            (Route::Batch(table), "POST") => batches::create(state, table, caller, request)?,
            (Route::Batch(table), _) => batches::update(state, table, caller, request)?,
            (Route::BatchDelete(table), _) => batches::delete(state, table, caller, request)?,
            (Route::Workspaces, _) => (setup::create_workspace(state, request)?, None),
            (Route::Databases(workspace), _) => (setup::create_database(state, workspace, request)?, None),
            (Route::Tokens, _) => (setup::create_token(state, caller, request)?, None),
            (Route::Tables(database), _) => tables::create(state, database, request)?,
            (Route::Fields(table), _) => fields::create(state, table, request)?,
            (Route::Field(field), "PATCH") => fields::update(state, field, request)?,
            (Route::Field(field), _) => fields::delete(state, field)?,
            (Route::Webhooks(table), _) => (webhooks::create(state, table, request)?, None),
            (Route::Webhook(webhook), "PATCH") => (webhooks::update(state, webhook, request)?, None),
            (Route::Webhook(webhook), _) => (webhooks::delete(state, webhook)?, None),
            (Route::Restore, _) => rows::restore(state, request)?,
            _ => return Err(Answer::no_route(&request.path)),
        };
        let silent = !request.flag("send_webhook_events", true) && !state.settings.ignores_send_webhook_events;
        let echoes = event.filter(|_| !silent).map(|event| state.deliver(&event));
        (answer, echoes, state.settings.echo_before_answer)
    };
    let (answer, echoes, wait) = echoes;
    baserow.deliver();
    if let (Some(echoes), true) = (echoes, wait) {
        echoes.sent().await;
    }
    Ok(answer)
}
