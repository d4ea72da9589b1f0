//! Which function answers which path, after the checks of body, limit on logins, and token.

use actix_web::http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::web::{Bytes, Data};
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse};
use serde_json::{Map, Value};

use super::envelope::{Answer, Problem, Reply};
use super::pages::{self, create, duplicate, lookup, trash, tree, update};
use super::state::{Call, World};
use super::throttle::{Allowance, LOGINS};
use super::{Docmost, auth, body, health, invitations, labels, search, shares, spaces};
use crate::clock;
use crate::faults::{LoseContent, Switches};

const LOGIN: &str = "/api/auth/login";
/// Only there where pages may have synced blocks.
const LOOKUP: &str = "/api/pages/transclusion/lookup";

/// A route that needs no token.
type Open = fn(&mut World, &Map<String, Value>) -> Answer;
/// A route that needs a token.
type Closed = fn(&mut World, &Call) -> Answer;

enum Route {
    Open(Open),
    Closed(Closed),
}

/// The route of a path of the API.
fn route(path: &str) -> Option<Route> {
    let open: Option<Open> = match path {
        LOGIN => Some(auth::login),
        "/api/shares/info" => Some(shares::info),
        "/api/workspace/invites/accept" => Some(invitations::accept),
        _ => None,
    };
    open.map(Route::Open).or_else(|| closed(path).map(Route::Closed))
}

fn closed(path: &str) -> Option<Closed> {
    Some(match path {
        "/api/auth/collab-token" => auth::collab_token,
        "/api/auth/logout" => auth::logout,
        "/api/labels" => labels::list,
        "/api/labels/pages" => labels::pages,
        "/api/pages/create" => create::create,
        "/api/pages/created-by-user" => tree::created_by_user,
        "/api/pages/delete" => trash::delete,
        "/api/pages/duplicate" => duplicate::duplicate,
        "/api/pages/info" => pages::info,
        "/api/pages/labels" => labels::of_page,
        "/api/pages/labels/add" => labels::add,
        "/api/pages/labels/remove" => labels::remove,
        "/api/pages/move" => tree::r#move,
        "/api/pages/move-to-space" => tree::move_to_space,
        "/api/pages/recent" => tree::recent,
        "/api/pages/restore" => trash::restore,
        "/api/pages/sidebar-pages" => tree::sidebar,
        LOOKUP => lookup::lookup,
        "/api/pages/trash" => trash::list,
        "/api/pages/update" => update::update,
        "/api/search" => search::search,
        "/api/shares" => shares::list,
        "/api/shares/create" => shares::create,
        "/api/shares/delete" => shares::delete,
        "/api/shares/for-page" => shares::for_page,
        "/api/spaces" => spaces::list,
        "/api/spaces/create" => spaces::create,
        "/api/spaces/info" => spaces::info,
        "/api/spaces/members/add" => spaces::add_members,
        "/api/spaces/members/change-role" => spaces::change_role,
        "/api/users/me" => auth::me,
        "/api/workspace/invites" => invitations::list,
        "/api/workspace/invites/create" => invitations::create,
        "/api/workspace/invites/link" => invitations::link,
        _ => return None,
    })
}

/// Answers every call to the product.
pub(super) async fn answer(
    request: HttpRequest,
    bytes: Bytes,
    docmost: Data<Docmost>,
    faults: Data<Switches>,
) -> HttpResponse {
    let mut allowance = None;
    let outcome = handle(&request, &bytes, &docmost, &faults, &mut allowance);
    let mut response = outcome.map_or_else(Problem::into_response, Reply::into_response);
    if let Some(Allowance { left, reset }) = allowance {
        for (name, value) in [
            ("x-ratelimit-limit-auth", HeaderValue::from(LOGINS)),
            ("x-ratelimit-remaining-auth", HeaderValue::from(left)),
            ("x-ratelimit-reset-auth", HeaderValue::from(reset)),
        ] {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    response
}

fn handle(
    request: &HttpRequest,
    bytes: &Bytes,
    docmost: &Docmost,
    faults: &Switches,
    allowance: &mut Option<Allowance>,
) -> Answer {
    let path = request.path().trim_end_matches('/');
    if request.method() == Method::GET {
        return get(path).unwrap_or_else(|| Err(unknown(request)));
    }
    let route = route(path).filter(|_| request.method() == Method::POST);
    let route = route.ok_or_else(|| unknown(request))?;
    let fields = body::parse(header(request.headers(), CONTENT_TYPE), bytes)?;
    let mut world = docmost.world();
    if path == LOGIN {
        let throttle = world.logins.entry(client(request)).or_default();
        *allowance = Some(throttle.count(clock::now_ms())?);
    }
    match route {
        Route::Open(route) => route(&mut world, &fields),
        Route::Closed(route) => {
            let call = call(&world, request, fields, faults)?;
            if world.options.docmost_without_synced_blocks && path == LOOKUP {
                return Err(unknown(request));
            }
            route(&mut world, &call)
        }
    }
}

fn get(path: &str) -> Option<Answer> {
    if path.starts_with("/api") {
        health::route(path)
    } else {
        Some(Ok(index()))
    }
}

/// A call of the user whose token the request carries.
fn call(world: &World, request: &HttpRequest, fields: Map<String, Value>, faults: &Switches) -> Result<Call, Problem> {
    let (user, session) = world.authenticate(&token(request).ok_or_else(Problem::unauthorized)?)?;
    Ok(Call {
        user,
        session,
        fields,
        lose_content: request.extensions().contains::<LoseContent>(),
        faults: faults.clone(),
    })
}

/// The web application: the real server's answer to every path outside the API, known or not.
fn index() -> Reply {
    let html = "<!DOCTYPE html><html><head><title>Docmost</title></head><body><div id=\"root\"></div></body></html>";
    Reply::html(html.to_owned())
}

fn unknown(request: &HttpRequest) -> Problem {
    let text = format!("Cannot {} {}", request.method(), request.path());
    Problem::Said(StatusCode::NOT_FOUND, text)
}

fn header(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// The token of a call: from the cookie, or, without a cookie, from the `Authorization` header.
fn token(request: &HttpRequest) -> Option<String> {
    if let Some(cookie) = request.headers().get("cookie").and_then(|cookie| cookie.to_str().ok()) {
        let mut pairs = cookie.split(';').filter_map(|pair| pair.trim().split_once('='));
        if let Some((_, token)) = pairs.find(|(name, _)| *name == "authToken") {
            return Some(token.to_owned());
        }
    }
    let bearer = header(request.headers(), AUTHORIZATION)?.strip_prefix("Bearer ")?;
    Some(bearer.to_owned())
}

/// The address that logins are counted for: the first in `X-Forwarded-For`, or else the peer's.
fn client(request: &HttpRequest) -> String {
    let forwarded = request
        .headers()
        .get("x-forwarded-for")
        .and_then(|addresses| addresses.to_str().ok());
    let first = forwarded
        .and_then(|addresses| addresses.split(',').next())
        .map(|first| first.trim().to_owned());
    first.unwrap_or_else(|| {
        request
            .peer_addr()
            .map(|peer| peer.ip().to_string())
            .unwrap_or_default()
    })
}
