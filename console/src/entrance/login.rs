//! Signing in and out.

use std::time::Instant;

use actix_web::http::{StatusCode, header};
use actix_web::web::{Query, ServiceConfig, get, post, resource};
use actix_web::{Error, HttpResponse};
use minijinja::context;
use passerelle_model::time::Timestamp;
use passerelle_store::{Account, Session};
use serde::Deserialize;

use super::form::Knock;
use super::keys::{self, Key, Kind};
use super::password;
use super::visitor::Caller;

/// Most sessions of one person: of more, the oldest end.
const MOST_SESSIONS: u32 = 20;
/// The longest address that somebody is led back to.
const LONGEST_ADDRESS: usize = 2000;

pub(crate) fn routes(config: &mut ServiceConfig) {
    config
        .service(resource("/login").route(get().to(form)).route(post().to(sign_in)))
        .service(resource("/logout").route(post().to(sign_out)));
}

#[derive(Debug, Deserialize)]
struct Wanted {
    #[serde(default)]
    to: String,
}

async fn form(mut caller: Caller, wanted: Query<Wanted>) -> Result<HttpResponse, Error> {
    let key = caller.visit.clone().unwrap_or_else(Key::make);
    caller.visit = Some(key.clone());
    let mut answer = answer(&caller, StatusCode::OK, &wanted.to, "")?;
    let cookie = key.cookie(Kind::Visit, caller.desk.settings.is_by_tls());
    answer
        .add_cookie(&cookie)
        .map_err(actix_web::error::ErrorInternalServerError)?;
    Ok(answer)
}

/// The form, with what is wrong.
fn answer(caller: &Caller, status: StatusCode, to: &str, problem: &str) -> Result<HttpResponse, Error> {
    let content = context! { to => inside(to), problem => problem };
    let html = caller.desk.pages.render(&caller.frame(), "login.html", content);
    let html = html.map_err(|error| caller.refuse(StatusCode::INTERNAL_SERVER_ERROR, "refused.broken", &error))?;
    Ok(HttpResponse::build(status)
        .content_type("text/html; charset=utf-8")
        .body(html))
}

async fn sign_in(knock: Knock) -> Result<HttpResponse, Error> {
    let Knock { caller, fields } = knock;
    let (name, to) = (fields.text("name"), fields.text("to"));
    if let Some(wait) = caller.desk.attempts.wait(name, caller.address, Instant::now()) {
        let minutes = caller.tongue.span(wait);
        let refusal = caller.refuse(StatusCode::TOO_MANY_REQUESTS, "refused.wait", &minutes);
        return Err(refusal.after(wait.as_secs().max(1)).into());
    }
    caller.desk.attempts.note(name, caller.address, Instant::now());
    let found = caller.desk.store.account(name).await;
    let account = found.map_err(|error| {
        // Nobody has guessed wrongly.
        caller.desk.attempts.forgive(name, caller.address);
        caller.away(&error)
    })?;
    if !is_right(&caller, fields.exact("password"), account.as_ref()).await {
        tracing::warn!(account = name, address = %caller.address, "somebody could not sign in to the console");
        let problem = caller.tongue.say("login.wrong", &[]);
        return answer(&caller, StatusCode::UNAUTHORIZED, to, &problem);
    }
    caller.desk.attempts.forgive(name, caller.address);
    let (key, began) = (Key::make(), Timestamp::now());
    let session = Session {
        id: key.stored(),
        account: name.to_owned(),
        began,
        ends: began.plus(caller.desk.settings.session),
    };
    let kept = caller.desk.store.begin_session(&session, MOST_SESSIONS).await;
    kept.map_err(|error| caller.away(&error))?;
    let is_by_tls = caller.desk.settings.is_by_tls();
    Ok(HttpResponse::SeeOther()
        .insert_header((header::LOCATION, inside(to)))
        .cookie(key.cookie(Kind::Session, is_by_tls))
        .cookie(keys::forgotten(Kind::Visit, is_by_tls))
        .finish())
}

/// Hashing takes memory and a core: few at once.
async fn is_right(caller: &Caller, given: &str, account: Option<&Account>) -> bool {
    let Ok(_turn) = caller.desk.hashing.acquire().await else {
        return false;
    };
    let (given, hashed) = (given.to_owned(), account.and_then(|account| account.password.clone()));
    let checked = tokio::task::spawn_blocking(move || password::is_right(&given, hashed.as_deref()));
    checked.await.unwrap_or(false)
}

async fn sign_out(knock: Knock) -> Result<HttpResponse, Error> {
    let Knock { caller, .. } = knock;
    if let Some(session) = &caller.session {
        let ended = caller.desk.store.end_session(&session.stored()).await;
        ended.map_err(|error| caller.away(&error))?;
    }
    Ok(HttpResponse::SeeOther()
        .insert_header((header::LOCATION, "/login"))
        .cookie(keys::forgotten(Kind::Session, caller.desk.settings.is_by_tls()))
        .finish())
}

/// An address within the console; of any other, its first page.
fn inside(to: &str) -> String {
    let is_path = to.starts_with('/') && !to.starts_with("//") && to.len() <= LONGEST_ADDRESS;
    let is_plain = to.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if is_path && is_plain {
        to.to_owned()
    } else {
        "/".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_led_to_another_site() {
        for to in [
            "https://evil.example",
            "//evil.example",
            "/\\evil.example",
            "",
            "why",
            "/a\r\nSet-Cookie: x",
        ] {
            assert_eq!(inside(to), "/", "{to:?}");
        }
        assert_eq!(inside("/why?q=t2%2Fr5"), "/why?q=t2%2Fr5");
    }
}
