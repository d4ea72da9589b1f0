//! Control routes of this product, beside those that every product has (see [`crate::faults`]):
//!
//! | call | effect |
//! |---|---|
//! | `GET /_sandbox/pages` | all pages with labels, Markdown and HTML, trashed too, oldest first |
//! | `POST /_sandbox/pages` | `{space, pages}`: so many pages of the owner at the top of a space |
//! | `PUT /_sandbox/backup` | keeps a copy of all pages and labels |
//! | `POST /_sandbox/backup` | brings the kept pages and labels back; what came since is gone |
//! | `PUT /_sandbox/pages/{id}` | makes a page with this id: `{title, spaceSlug, state?}`; `state`: its document, base64 |
//! | `DELETE /_sandbox/collab` | the process of the documents is killed; `?stored=true`: it ends in order |
//! | `POST /_sandbox/tokens` | `{email, type?, expiresInSeconds?}`: a token; negative: an expired one |
//! | `DELETE /_sandbox/spaces/{slug}` | the owner deletes a space with its pages |
//! | `DELETE /_sandbox/sessions` | ends all sessions: every token is refused |
//! | `DELETE /_sandbox/roles` | clears the cache of roles, as if five seconds had passed |
//! | `DELETE /_sandbox/logins` | resets the limit on logins |

use actix_web::web::{self, Data, Json, Path, ServiceConfig};
use actix_web::{HttpResponse, Responder};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Docmost;
use super::content::Format;
use super::state::{Page, World};

pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .route("/_sandbox/pages", web::get().to(pages))
        .route("/_sandbox/pages", web::post().to(add_pages))
        .route("/_sandbox/backup", web::put().to(back_up))
        .route("/_sandbox/backup", web::post().to(bring_back))
        .route("/_sandbox/pages/{id}", web::put().to(put_page))
        .route("/_sandbox/collab", web::delete().to(end_collab))
        .route("/_sandbox/spaces/{slug}", web::delete().to(delete_space))
        .route("/_sandbox/tokens", web::post().to(token))
        .route("/_sandbox/sessions", web::delete().to(end_sessions))
        .route("/_sandbox/roles", web::delete().to(forget_roles))
        .route("/_sandbox/logins", web::delete().to(forget_logins));
}

async fn pages(docmost: Data<Docmost>) -> impl Responder {
    let world = docmost.world();
    let mut pages: Vec<&Page> = world.pages.values().collect();
    pages.sort_by_key(|page| (page.created, page.id.clone()));
    let pages: Vec<Value> = pages.into_iter().map(|page| page_json(&world, page)).collect();
    Json(pages)
}

#[derive(Debug, Deserialize)]
struct WantedPages {
    space: String,
    pages: u32,
}

async fn add_pages(docmost: Data<Docmost>, wanted: Json<WantedPages>) -> HttpResponse {
    let mut world = docmost.world();
    let found = world.spaces.values().find(|space| space.slug == wanted.space);
    let Some((space, owner)) = found.map(|space| (space.id.clone(), space.creator.clone())) else {
        return HttpResponse::NotFound().json(json!({"message": "there is no such space"}));
    };
    for number in 1..=wanted.pages {
        world.seed_page(&space, &owner, format!("Page {number}"));
    }
    HttpResponse::NoContent().finish()
}

async fn back_up(docmost: Data<Docmost>) -> impl Responder {
    let mut world = docmost.world();
    world.backup = Some((world.pages.clone(), world.labels.clone()));
    HttpResponse::NoContent()
}

async fn bring_back(docmost: Data<Docmost>) -> HttpResponse {
    let mut world = docmost.world();
    let Some((pages, labels)) = world.backup.clone() else {
        return HttpResponse::NotFound().json(json!({"message": "there is no backup"}));
    };
    // Nobody restores a running Docmost: what its documents had in memory is gone.
    world.end_collab(false);
    (world.pages, world.labels) = (pages, labels);
    HttpResponse::NoContent().finish()
}

fn page_json(world: &World, page: &Page) -> Value {
    let email = |user: &str| world.users.get(user).map(|user| user.email.clone());
    let labels = page.labels.iter().filter_map(|label| world.labels.get(label));
    json!({
        "id": page.id, "slugId": page.slug_id, "title": page.title, "icon": page.icon,
        "spaceSlug": world.spaces.get(&page.space).map(|space| &space.slug),
        "parentPageId": page.parent, "position": page.position,
        "creatorEmail": email(&page.creator), "lastUpdatedByEmail": email(&page.last_updated_by),
        "createdAt": page.created.shown(), "deletedAt": page.deleted.as_ref().map(|(at, _)| at.shown()),
        "labels": labels.map(|label| label.name.as_str()).collect::<Vec<_>>(), "markdown": page.shown(Format::Markdown),
        "html": page.shown(Format::Html),
        "content": page.content, "isOpen": world.has_open_document(&page.id),
    })
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WantedToken {
    email: String,
    #[serde(rename = "type", default = "access")]
    kind: String,
    expires_in_seconds: Option<i64>,
}

fn access() -> String {
    "access".to_owned()
}

async fn token(docmost: Data<Docmost>, wanted: Json<WantedToken>) -> HttpResponse {
    let mut world = docmost.world();
    let user = world
        .users
        .values()
        .find(|user| user.email == wanted.email)
        .map(|user| user.id.clone());
    let lifetime = wanted
        .expires_in_seconds
        .unwrap_or(world.options.docmost_token_lifetime);
    match user.and_then(|user| world.issue(&user, &wanted.kind, lifetime)) {
        Some(token) => HttpResponse::Ok().json(json!({"token": token})),
        None => HttpResponse::NotFound().json(json!({"message": "no account has this e-mail"})),
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WantedPage {
    title: String,
    space_slug: String,
    state: Option<String>,
}

async fn put_page(docmost: Data<Docmost>, id: Path<String>, wanted: Json<WantedPage>) -> HttpResponse {
    let mut world = docmost.world();
    let state = wanted.state.as_ref().map(|state| BASE64.decode(state)).transpose();
    let space = world.spaces.values().find(|space| space.slug == wanted.space_slug);
    let (Ok(state), Some(space)) = (state, space) else {
        return HttpResponse::BadRequest().json(json!({"message": "no such space, or the state is no base64"}));
    };
    let space = space.id.clone();
    world.put_page(&id, &wanted.title, &space, state);
    HttpResponse::NoContent().finish()
}

#[derive(Debug, Deserialize)]
struct Ending {
    #[serde(default)]
    stored: bool,
}

async fn end_collab(docmost: Data<Docmost>, ending: web::Query<Ending>) -> impl Responder {
    docmost.world().end_collab(ending.stored);
    HttpResponse::NoContent()
}

async fn delete_space(docmost: Data<Docmost>, slug: Path<String>) -> HttpResponse {
    let mut world = docmost.world();
    let found = world.spaces.values().find(|space| space.slug == *slug);
    let Some(id) = found.map(|space| space.id.clone()) else {
        return HttpResponse::NotFound().json(json!({"message": "there is no such space"}));
    };
    world.spaces.remove(&id);
    world.pages.retain(|_, page| page.space != id);
    world.forget_roles();
    HttpResponse::NoContent().finish()
}

async fn end_sessions(docmost: Data<Docmost>) -> impl Responder {
    docmost.world().sessions.clear();
    HttpResponse::NoContent()
}

async fn forget_roles(docmost: Data<Docmost>) -> impl Responder {
    docmost.world().forget_roles();
    HttpResponse::NoContent()
}

async fn forget_logins(docmost: Data<Docmost>) -> impl Responder {
    docmost.world().logins.clear();
    HttpResponse::NoContent()
}
