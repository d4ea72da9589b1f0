//! What a visitor gets who is refused, or whose page cannot be made.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpResponse, ResponseError};

use crate::pages::{Frame, Pages};

/// An answer that is no page of the console's own, ready to be sent.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    html: String,
    to: Option<String>,
    /// Seconds until another try makes sense.
    wait: Option<u64>,
}

impl Refusal {
    /// A page that says what is wrong. `key` names the text: `<key>.title` and `<key>.text`, in
    /// which `{why}` is `why`.
    pub(crate) fn page(pages: &Pages, frame: &Frame, status: StatusCode, key: &str, why: &str) -> Self {
        Self {
            status,
            html: pages.refusal(frame, key, why),
            to: None,
            wait: None,
        }
    }

    /// To another page.
    pub(crate) fn see_other(to: String) -> Self {
        Self {
            status: StatusCode::SEE_OTHER,
            html: String::new(),
            to: Some(to),
            wait: None,
        }
    }

    /// The same with the seconds after which another try makes sense.
    pub(crate) fn after(self, seconds: u64) -> Self {
        Self {
            wait: Some(seconds),
            ..self
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "answered {}", self.status)
    }
}

impl ResponseError for Refusal {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut answer = HttpResponse::build(self.status);
        if let Some(to) = &self.to {
            return answer.insert_header((header::LOCATION, to.clone())).finish();
        }
        if let Some(seconds) = self.wait {
            answer.insert_header((header::RETRY_AFTER, HeaderValue::from(seconds)));
        }
        answer.content_type("text/html; charset=utf-8").body(self.html.clone())
    }
}
