//! What differs between the products: names, limits, and the words of a failure.

use std::collections::BTreeMap;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use serde_json::Value;

/// What the server must know about a product.
#[derive(Debug, Clone, Copy)]
pub struct Manners {
    /// The product's name, for people.
    pub name: &'static str,
    /// The routes that [`crate::faults::FaultKind::Wedge`] spares: they answer 200 in any case.
    pub sign_of_life: &'static [&'static str],
    /// The longest body that is read, in bytes. A longer one is answered with 413.
    pub body_limit: usize,
    /// The path of its socket, if it has one: requests for sockets elsewhere are hung up on.
    pub socket: Option<&'static str>,
    /// The product's own words for a failure with this status, when a fault brings none.
    pub failure: fn(StatusCode) -> HttpResponse,
}

impl Manners {
    /// The answer of a fault: in the fault's words, or else in the product's.
    pub(crate) fn failure(&self, status: u16, headers: &BTreeMap<String, String>, body: Option<Value>) -> HttpResponse {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = match body {
            None => (self.failure)(status),
            Some(Value::String(text)) => HttpResponse::build(status)
                .content_type("text/html; charset=utf-8")
                .body(text),
            Some(json) => HttpResponse::build(status).json(json),
        };
        for (name, value) in headers {
            if let (Ok(name), Ok(value)) = (
                HeaderName::try_from(name.as_str()),
                HeaderValue::try_from(value.as_str()),
            ) {
                response.headers_mut().insert(name, value);
            }
        }
        response.headers_mut().remove(header::CONTENT_LENGTH);
        response
    }
}
