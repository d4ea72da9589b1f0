//! Forms: of visitors before they sign in, and of operators.

use std::time::Instant;

use actix_web::dev::Payload;
use actix_web::http::{StatusCode, header};
use actix_web::web::Form;
use actix_web::{FromRequest, HttpMessage as _, HttpRequest, HttpResponse};
use futures::future::LocalBoxFuture;
use passerelle_store::Role;
use sha2::{Digest as _, Sha256};

use super::keys::{self, Key};
use super::visitor::{Caller, Visitor};

/// The fields of a form.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fields(Vec<(String, String)>);

impl Fields {
    /// A field's text without the blanks around it; empty where there is none.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.exact(name).trim()
    }

    /// A field's text as it was typed.
    pub(crate) fn exact(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value)
    }

    /// Identifies a form that was sent to an address. Each form on a page has a number of its own;
    /// a form without a number equals no other.
    fn identity(&self, address: &str) -> String {
        if self.text("once").is_empty() {
            return hex::encode(rand::random::<[u8; 16]>());
        }
        let mut digest = Sha256::new();
        let fields = self.0.iter().flat_map(|(name, value)| [name, value]);
        for text in std::iter::once(address).chain(fields.map(String::as_str)) {
            digest.update(text.len().to_be_bytes());
            digest.update(text);
        }
        hex::encode(digest.finalize())
    }
}

/// A form with its token, whether its sender is signed in or not.
#[derive(Debug)]
pub(crate) struct Knock {
    pub(crate) caller: Caller,
    pub(crate) fields: Fields,
}

impl FromRequest for Knock {
    type Error = actix_web::Error;
    type Future = LocalBoxFuture<'static, Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (caller, form) = (Caller::from_request(request, payload), form(request, payload));
        Box::pin(async move {
            let caller = caller.await?;
            let fields = form
                .await
                .ok_or_else(|| caller.refuse(StatusCode::BAD_REQUEST, "refused.form", ""))?;
            let keys = [&caller.session, &caller.visit];
            let tokens = keys.into_iter().flatten().map(Key::form_token);
            let is_ours = tokens
                .into_iter()
                .any(|token| keys::is_same(&token, fields.text("token")));
            if !is_ours || !caller.is_from_here {
                return Err(caller.refuse(StatusCode::FORBIDDEN, "refused.token", "").into());
            }
            Ok(Self { caller, fields })
        })
    }
}

/// What an operator asks for: the only way to a form's fields for somebody who is signed in.
#[derive(Debug)]
pub(crate) struct Act {
    pub(crate) visitor: Visitor,
    pub(crate) fields: Fields,
    /// Identifies the form.
    form: String,
}

impl Act {
    /// Carries it out, and leads to the address that this gives. The same form sent again only
    /// leads there, too. What has begun goes on when the person leaves.
    pub(crate) async fn once<F>(self, doing: fn(Self) -> F) -> Result<HttpResponse, actix_web::Error>
    where
        F: Future<Output = Result<String, actix_web::Error>> + 'static,
    {
        let desk = self.visitor.caller.desk.clone();
        let broken = self
            .visitor
            .refuse(StatusCode::INTERNAL_SERVER_ERROR, "refused.broken", "");
        let led = desk.once.of(self.form.clone(), Instant::now());
        let done = actix_web::rt::spawn(async move { led.get_or_try_init(|| doing(self)).await.cloned() });
        let address = done.await.map_err(|_| broken)??;
        Ok(HttpResponse::SeeOther()
            .insert_header((header::LOCATION, address))
            .finish())
    }
}

impl FromRequest for Act {
    type Error = actix_web::Error;
    type Future = LocalBoxFuture<'static, Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (visitor, form) = (Visitor::from_request(request, payload), form(request, payload));
        Box::pin(async move {
            let visitor = visitor.await?;
            let fields = form
                .await
                .ok_or_else(|| visitor.refuse(StatusCode::BAD_REQUEST, "refused.form", ""))?;
            let is_ours = !visitor.token.is_empty() && keys::is_same(&visitor.token, fields.text("token"));
            if !is_ours || !visitor.caller.is_from_here {
                return Err(visitor.refuse(StatusCode::FORBIDDEN, "refused.token", "").into());
            }
            if visitor.role != Role::Operator {
                return Err(visitor.refuse(StatusCode::FORBIDDEN, "refused.reader", "").into());
            }
            let form = fields.identity(&visitor.caller.path);
            Ok(Self { visitor, fields, form })
        })
    }
}

fn form(request: &HttpRequest, payload: &mut Payload) -> LocalBoxFuture<'static, Option<Fields>> {
    if request.content_type() != "application/x-www-form-urlencoded" {
        return Box::pin(async { None });
    }
    let form = Form::<Vec<(String, String)>>::from_request(request, payload);
    Box::pin(async move { form.await.ok().map(|form| Fields(form.into_inner())) })
}
