//! Docmost's answers: the success envelope, and its four kinds of error body.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, SET_COOKIE};
use serde_json::{Value, json};

const JSON: &str = "application/json; charset=utf-8";

/// The result of a route.
pub(super) type Answer = Result<Reply, Problem>;

#[derive(Debug, Default)]
pub(super) struct Reply {
    data: Option<Value>,
    /// Sent as it is, without the envelope (health, the web application).
    bare: Option<Bare>,
    cookie: Option<String>,
}

#[derive(Debug)]
enum Bare {
    Json(Value),
    Page(String),
}

impl Reply {
    /// A success with data.
    pub(super) fn data(data: Value) -> Self {
        Self {
            data: Some(data),
            ..Self::default()
        }
    }

    /// A success without data: the key `data` is absent.
    pub(super) fn done() -> Self {
        Self::default()
    }

    /// The same with a `Set-Cookie` header.
    pub(super) fn with_cookie(self, cookie: String) -> Self {
        Self {
            cookie: Some(cookie),
            ..self
        }
    }

    /// JSON outside the envelope.
    pub(super) fn bare(json: Value) -> Self {
        Self {
            bare: Some(Bare::Json(json)),
            ..Self::default()
        }
    }

    /// A page of the web application.
    pub(super) fn html(html: String) -> Self {
        Self {
            bare: Some(Bare::Page(html)),
            ..Self::default()
        }
    }

    pub(super) fn into_response(self) -> HttpResponse {
        let mut response = HttpResponse::Ok();
        if let Some(cookie) = self.cookie {
            response.insert_header((SET_COOKIE, cookie));
        }
        match (self.bare, self.data) {
            (Some(Bare::Json(json)), _) => response
                .insert_header((CACHE_CONTROL, "no-cache, no-store, must-revalidate"))
                .content_type(JSON)
                .json(json),
            (Some(Bare::Page(html)), _) => response.content_type("text/html; charset=utf-8").body(html),
            (None, Some(data)) => response
                .content_type(JSON)
                .json(json!({"data": data, "success": true, "status": 200})),
            (None, None) => response
                .content_type(JSON)
                .json(json!({"success": true, "status": 200})),
        }
    }
}

/// A failure, in one of the four shapes that real servers send.
#[derive(Debug)]
pub(super) enum Problem {
    /// With a text and the name of the status: `{"message","error","statusCode"}`.
    Said(StatusCode, String),
    /// Without a text: `{"message":"Unauthorized","statusCode":401}`.
    Plain(StatusCode),
    /// Fields that were refused: 400, and `message` is a list.
    Invalid(Vec<String>),
    /// From the HTTP layer, or unexpected: `{"statusCode","message"}`.
    Raw(StatusCode, &'static str),
    /// Too many logins; the number of seconds to wait.
    Throttled(i64),
}

impl Problem {
    pub(super) fn bad_request(text: &str) -> Self {
        Self::Said(StatusCode::BAD_REQUEST, text.to_owned())
    }

    pub(super) fn not_found(text: &str) -> Self {
        Self::Said(StatusCode::NOT_FOUND, text.to_owned())
    }

    pub(super) const fn forbidden() -> Self {
        Self::Plain(StatusCode::FORBIDDEN)
    }

    pub(super) const fn unauthorized() -> Self {
        Self::Plain(StatusCode::UNAUTHORIZED)
    }

    /// The answer of the real server to every unexpected error.
    pub(super) const fn internal() -> Self {
        Self::Raw(StatusCode::INTERNAL_SERVER_ERROR, "Internal server error")
    }

    pub(super) fn into_response(self) -> HttpResponse {
        match self {
            Self::Said(status, text) => HttpResponse::build(status)
                .content_type(JSON)
                .json(json!({"message": text, "error": name(status), "statusCode": status.as_u16()})),
            Self::Plain(status) => HttpResponse::build(status)
                .content_type(JSON)
                .json(json!({"message": name(status), "statusCode": status.as_u16()})),
            Self::Invalid(messages) => HttpResponse::BadRequest()
                .content_type(JSON)
                .json(json!({"message": messages, "error": "Bad Request", "statusCode": 400})),
            Self::Raw(status, text) => HttpResponse::build(status)
                .content_type(JSON)
                .json(json!({"statusCode": status.as_u16(), "message": text})),
            Self::Throttled(seconds) => HttpResponse::TooManyRequests()
                .insert_header(("retry-after-auth", seconds.to_string()))
                .content_type(JSON)
                .json(json!({"statusCode": 429, "message": "Too many requests"})),
        }
    }
}

fn name(status: StatusCode) -> &'static str {
    status.canonical_reason().unwrap_or("Error")
}

/// The answer of a fault switch: a failure with this status, in the words of an unexpected error.
pub(super) fn failure(status: StatusCode) -> HttpResponse {
    let text = match status {
        StatusCode::INTERNAL_SERVER_ERROR => "Internal server error",
        StatusCode::PAYLOAD_TOO_LARGE => "Request body is too large",
        StatusCode::TOO_MANY_REQUESTS => "Too many requests",
        other => name(other),
    };
    Problem::Raw(status, text).into_response()
}
