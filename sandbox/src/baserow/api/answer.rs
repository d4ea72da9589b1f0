//! Answers, and the refusals in Baserow's words.

use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use serde_json::{Value, json};

use super::super::tokens::Stranger;
use super::super::wire;

/// An answer before it goes out.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Body,
    /// Whether to send `WWW-Authenticate`, which asks for a session.
    asks_for_session: bool,
}

/// What an answer carries.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Body {
    Nothing,
    Json(String),
    Html(String),
}

/// An answer of success, or one of refusal.
pub(crate) type Answered = Result<Answer, Answer>;

impl Answer {
    /// 200 with JSON.
    pub(crate) fn ok(value: &Value) -> Self {
        Self::json(200, value)
    }

    /// 204.
    pub(crate) fn done() -> Self {
        Self::with(204, Body::Nothing)
    }

    /// 200 with an HTML body.
    pub(crate) fn html(text: &str) -> Self {
        Self::with(200, Body::Html(text.to_owned()))
    }

    pub(crate) fn json(status: u16, value: &Value) -> Self {
        Self::with(status, Body::Json(value.to_string()))
    }

    fn with(status: u16, body: Body) -> Self {
        Self {
            status,
            body,
            asks_for_session: false,
        }
    }

    /// A refusal with a code and its explanation, which is a sentence or an object.
    pub(crate) fn refusal(status: u16, error: &str, detail: impl Into<Value>) -> Self {
        Self::json(status, &json!({"error": error, "detail": detail.into()}))
    }

    /// A refusal with one sentence.
    pub(crate) fn sentence(status: u16, detail: &str) -> Self {
        Self::json(status, &json!({"detail": detail}))
    }

    /// 400 for what is wrong with a body: an object by field, or one sentence.
    pub(crate) fn invalid(detail: impl Into<Value>) -> Self {
        Self::refusal(400, "ERROR_REQUEST_BODY_VALIDATION", detail)
    }

    /// 401, or 403 where the route says so without asking for a session.
    pub(crate) fn stranger(stranger: Stranger, status: u16) -> Self {
        let body = match stranger.words() {
            (detail, None) => json!({"detail": detail}),
            (detail, Some(error)) => json!({"detail": detail, "error": error}),
        };
        Self {
            asks_for_session: status == 401,
            ..Self::json(status, &body)
        }
    }

    /// 401, not 403, for a token without the right.
    pub(crate) fn no_permission() -> Self {
        Self::refusal(
            401,
            "ERROR_NO_PERMISSION_TO_TABLE",
            "The token does not have permissions to the table.",
        )
    }

    pub(crate) fn no_table() -> Self {
        Self::refusal(404, "ERROR_TABLE_DOES_NOT_EXIST", "The requested table does not exist.")
    }

    /// 404 that prints the id; some routes print it in quotes.
    pub(crate) fn no_rows(rows: &[u64], quoted: bool) -> Self {
        let quote = if quoted { "'" } else { "" };
        let ids: Vec<String> = rows.iter().map(|row| format!("{quote}{row}{quote}")).collect();
        let detail = format!("The rows [{}] do not exist.", ids.join(", "));
        Self::refusal(404, "ERROR_ROW_DOES_NOT_EXIST", detail)
    }

    /// 404 for a path that is not a route. Django writes this one and the next, not its REST
    /// framework: hence Python's spaces.
    pub(crate) fn no_route(path: &str) -> Self {
        let body = json!({"error": "URL_NOT_FOUND", "detail": format!("URL {path} not found.")});
        Self::with(404, Body::Json(wire::python(&body)))
    }

    /// 404 for a path that would be a route with a slash at its end.
    pub(crate) fn no_slash(path: &str) -> Self {
        let detail = format!("A valid URL must end with a trailing slash. Please, redirect requests to {path}/");
        let body = json!({"error": "URL_TRAILING_SLASH_MISSING", "detail": detail});
        Self::with(404, Body::Json(wire::python(&body)))
    }

    /// The page that Django shows for a status.
    pub(crate) fn page(status: u16, words: &str) -> Self {
        let title = format!("{words} ({status})");
        let html = format!(
            "\n<!doctype html>\n<html lang=\"en\">\n<head>\n  <title>{title}</title>\n</head>\n<body>\n  \
             <h1>{title}</h1><p></p>\n</body>\n</html>\n"
        );
        Self::with(status, Body::Html(html))
    }

    /// The answer as it goes out. `allow` lists the methods of the route; pages of HTML do not
    /// carry it.
    pub(crate) fn response(self, allow: Option<&'static str>) -> HttpResponse {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = HttpResponse::build(status);
        if let Some(allow) = allow.filter(|_| !matches!(self.body, Body::Html(_))) {
            response.insert_header((header::ALLOW, allow));
        }
        if self.asks_for_session {
            response.insert_header((header::WWW_AUTHENTICATE, "JWT realm=\"api\""));
        }
        for (name, value) in [
            ("x-frame-options", "DENY"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "same-origin"),
            ("cross-origin-opener-policy", "same-origin"),
            ("vary", "origin"),
        ] {
            response.insert_header((name, value));
        }
        match self.body {
            Body::Nothing => response.finish(),
            Body::Json(json) => response.content_type("application/json").body(json),
            Body::Html(html) => response.content_type("text/html; charset=utf-8").body(html),
        }
    }
}
