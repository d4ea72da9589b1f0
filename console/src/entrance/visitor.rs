//! Who asks for a page: anybody, or a visitor who may be there.

use std::net::IpAddr;

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap};
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest, HttpResponse};
use futures::future::LocalBoxFuture;
use minijinja::Value;
use passerelle_model::time::Timestamp;
use passerelle_store::{Account, Role};

use super::keys::{Key, Kind};
use super::refusal::Refusal;
use crate::desk::Desk;
use crate::pages::{Frame, Person, encoded};
use crate::settings::RowContents;
use crate::words::Tongue;

/// The longest name that a proxy may give.
const LONGEST_NAME: usize = 100;

/// Anybody who asks for a page.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) desk: Data<Desk>,
    pub(crate) tongue: Tongue,
    /// The cookie of a session, which may be over.
    pub(crate) session: Option<Key>,
    /// The cookie that makes forms safe where there is no session.
    pub(crate) visit: Option<Key>,
    pub(crate) address: IpAddr,
    pub(super) path: String,
    /// The name that a trusted proxy gives.
    proxied: Option<String>,
    /// Whether the request can be from a page of this site.
    pub(super) is_from_here: bool,
}

impl Caller {
    fn of(request: &HttpRequest) -> Option<Self> {
        let desk = request.app_data::<Data<Desk>>()?.clone();
        let is_by_tls = desk.settings.is_by_tls();
        let text = |name: header::HeaderName| text_of(request.headers(), name.as_str());
        let peer = request
            .peer_addr()
            .map_or_else(|| IpAddr::from([0, 0, 0, 0]), |peer| peer.ip().to_canonical());
        let trusted = desk
            .settings
            .proxy
            .as_ref()
            .filter(|proxy| proxy.addresses.contains(&peer));
        let forwarded = trusted.and_then(|_| text_of(request.headers(), "x-forwarded-for"));
        let forwarded = forwarded.and_then(|list| list.rsplit(',').next()?.trim().parse().ok());
        Some(Self {
            tongue: text(header::ACCEPT_LANGUAGE).map_or(Tongue::English, |list| Tongue::of_header(&list)),
            session: Key::of(request, Kind::Session, is_by_tls),
            visit: Key::of(request, Kind::Visit, is_by_tls),
            address: forwarded.unwrap_or(peer),
            path: request
                .uri()
                .path_and_query()
                .map_or("/", |path| path.as_str())
                .to_owned(),
            proxied: trusted
                .and_then(|proxy| text_of(request.headers(), &proxy.header))
                .map(|name| name.trim().to_owned())
                .filter(|name| !name.is_empty() && name.chars().count() <= LONGEST_NAME),
            is_from_here: is_from_here(request.headers(), desk.settings.url.as_deref()),
            desk,
        })
    }

    /// The frame of a page for somebody who is not signed in.
    pub(crate) fn frame(&self) -> Frame {
        Frame {
            tongue: self.tongue,
            person: None,
            token: self.visit.as_ref().map(Key::form_token).unwrap_or_default(),
            path: self.path.clone(),
        }
    }

    /// A page that says what is wrong.
    pub(crate) fn refuse(&self, status: StatusCode, key: &str, why: &str) -> Refusal {
        Refusal::page(&self.desk.pages, &self.frame(), status, key, why)
    }

    /// A page that says that Redis or the database does not answer.
    pub(crate) fn away(&self, error: &impl ToString) -> Refusal {
        self.refuse(StatusCode::SERVICE_UNAVAILABLE, "refused.away", &error.to_string())
    }

    async fn account(&self) -> Result<Option<Account>, Refusal> {
        let store = &self.desk.store;
        let found = if let Some(name) = &self.proxied {
            store.account(name).await
        } else if let Some(session) = &self.session {
            store.session(&session.stored(), Timestamp::now()).await
        } else {
            return Ok(None);
        };
        found.map_err(|error| self.away(&error))
    }

    /// The visitor, if somebody who may be there asks.
    async fn visitor(mut self) -> Result<Visitor, Refusal> {
        let account = self.account().await?;
        let is_new = self.proxied.is_some() && self.visit.is_none();
        if is_new {
            self.visit = Some(Key::make());
        }
        let key = if self.proxied.is_some() {
            self.visit.clone()
        } else {
            self.session.clone()
        };
        match account {
            Some(Account { name, role, .. }) => Ok(Visitor {
                name,
                role,
                token: key.as_ref().map(Key::form_token).unwrap_or_default(),
                is_new,
                caller: self,
            }),
            None => match &self.proxied {
                Some(name) => Err(self.refuse(StatusCode::FORBIDDEN, "refused.unknown", name)),
                None => Err(Refusal::see_other(login_address(&self.path))),
            },
        }
    }
}

/// The page to sign in, which leads back to where the visitor wanted to go.
fn login_address(path: &str) -> String {
    if path == "/" || path.starts_with("/live/") {
        return "/login".to_owned();
    }
    format!("/login?to={}", encoded(path))
}

fn text_of(headers: &HeaderMap, name: &str) -> Option<String> {
    Some(headers.get(name)?.to_str().ok()?.to_owned())
}

/// Whether a request that changes something can be from a page of this site. Browsers say where it
/// is from.
fn is_from_here(headers: &HeaderMap, url: Option<&str>) -> bool {
    if text_of(headers, "sec-fetch-site").is_some_and(|site| site != "same-origin" && site != "none") {
        return false;
    }
    let Some(origin) = text_of(headers, "origin") else {
        return true;
    };
    match url {
        Some(url) => origin == url,
        None => origin.split_once("://").map(|(_, host)| host.to_owned()) == text_of(headers, "host"),
    }
}

impl FromRequest for Caller {
    type Error = actix_web::Error;
    type Future = std::future::Ready<Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let missing = || actix_web::error::ErrorInternalServerError("the console has no desk");
        std::future::ready(Self::of(request).ok_or_else(missing))
    }
}

/// A person who may see what the console shows.
#[derive(Debug, Clone)]
pub(crate) struct Visitor {
    pub(crate) caller: Caller,
    pub(crate) name: String,
    pub(crate) role: Role,
    pub(super) token: String,
    /// Whether the browser does not have the visit's cookie yet.
    is_new: bool,
}

impl Visitor {
    pub(crate) fn desk(&self) -> &Desk {
        &self.caller.desk
    }

    pub(crate) fn frame(&self) -> Frame {
        Frame {
            person: Some(Person {
                name: self.name.clone(),
                can_act: self.role == Role::Operator,
                is_proxied: self.caller.proxied.is_some(),
            }),
            token: self.token.clone(),
            ..self.caller.frame()
        }
    }

    /// A page.
    pub(crate) fn page(&self, template: &str, content: Value) -> Result<HttpResponse, Refusal> {
        let html = self.desk().pages.render(&self.frame(), template, content);
        let html = html.map_err(|error| self.refuse(StatusCode::INTERNAL_SERVER_ERROR, "refused.broken", &error))?;
        let mut answer = HttpResponse::Ok();
        if let Some(visit) = self.caller.visit.as_ref().filter(|_| self.is_new) {
            answer.cookie(visit.cookie(Kind::Visit, self.desk().settings.is_by_tls()));
        }
        Ok(answer.content_type("text/html; charset=utf-8").body(html))
    }

    /// A page that says what is wrong.
    pub(crate) fn refuse(&self, status: StatusCode, key: &str, why: &str) -> Refusal {
        Refusal::page(&self.desk().pages, &self.frame(), status, key, why)
    }

    /// A page that says that Redis or the database does not answer.
    pub(crate) fn away(&self, error: &impl ToString) -> Refusal {
        self.refuse(StatusCode::SERVICE_UNAVAILABLE, "refused.away", &error.to_string())
    }

    /// Whether this visitor may see values of rows.
    pub(crate) fn sees_contents(&self) -> bool {
        self.role == Role::Operator || self.desk().settings.row_contents == RowContents::Everybody
    }

    /// Whether this visitor may still be there: an account may be removed while a page is open.
    pub(crate) async fn is_still_welcome(&self) -> bool {
        matches!(self.caller.account().await, Ok(Some(account)) if account.name == self.name)
    }
}

impl FromRequest for Visitor {
    type Error = actix_web::Error;
    type Future = LocalBoxFuture<'static, Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let caller = Caller::from_request(request, payload);
        Box::pin(async move { Ok(caller.await?.visitor().await?) })
    }
}
