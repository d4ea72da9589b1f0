//! One HTTP exchange: sent with explicit limits, read to the end, and a lost answer told apart from
//! a refused connection.

use std::time::{Duration, SystemTime};

use passerelle_model::config::Authorities;
use passerelle_model::ledger::FailureClass;
use passerelle_model::shown::{REDACTED, without_secrets};
use passerelle_model::time::Timestamp;
use passerelle_queue::gate::LONGEST_ASKED;
use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Certificate, RequestBuilder, Url};
use serde_json::Value;

use crate::clients::certificate;
use crate::clients::lease::check_lease;
use crate::failure::{Failure, Target, Unanswered};

/// The largest answer that is read; a row with long texts stays far below.
const MOST_ANSWER_BYTES: usize = 16 * 1024 * 1024;
/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an unused connection is kept. Servers close theirs after 2 s (gunicorn's default) to 75
/// s; a request that meets such a closing ends without an answer, and costs an attempt. So ours are
/// closed first.
const IDLE_TIMEOUT: Duration = Duration::from_secs(1);

/// What it would mean to send a request twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// Nothing: it changes no content. It reads, or signs in or out.
    Reads,
    /// Nothing more: it sets a state that may be set again.
    Repeatable,
    /// A second thing would exist. A lost answer is therefore *ambiguous*, never just transient.
    Creates,
}

impl Effect {
    /// The class of a failure after which nobody knows whether the request was carried out.
    pub(super) fn unknown_outcome(self) -> FailureClass {
        match self {
            Self::Reads | Self::Repeatable => FailureClass::Transient,
            Self::Creates => FailureClass::Ambiguous,
        }
    }
}

/// A complete answer, of any status.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

impl Answer {
    /// Whether the status is 2xx.
    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The body, if the answer is JSON by its content type and its text.
    pub(super) fn json(&self) -> Option<Value> {
        self.header("content-type").filter(|kind| kind.contains("json"))?;
        serde_json::from_str(&self.body).ok()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok().map(str::trim)
    }

    /// How long the target asks us to keep away: seconds or an HTTP date, in the first of these
    /// headers that is there. At most [`LONGEST_ASKED`]; none if it is neither.
    pub(super) fn wait_in(&self, headers: &[&str]) -> Option<Duration> {
        let text = headers.iter().find_map(|name| self.header(name))?;
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let wait = if is_number {
            // A number that does not fit is a long time as well.
            text.parse().map_or(Duration::MAX, Duration::from_secs)
        } else {
            let until = httpdate::parse_http_date(text).ok()?;
            // By the clock of the server, which wrote both.
            let date = self
                .header("date")
                .and_then(|date| httpdate::parse_http_date(date).ok());
            until.duration_since(date.unwrap_or_else(now)).unwrap_or_default()
        };
        Some(wait.min(LONGEST_ASKED))
    }

    /// Whether a proxy may have answered this status, which the target gives as well, for a target
    /// that it did not reach.
    pub(super) fn may_be_a_proxys(&self) -> bool {
        // Not 500 and 504: a target that fails or is slow at this one request.
        self.status < 500 || matches!(self.status, 502 | 503 | 521..=523 | 525..=530)
    }

    /// The failure for an answer that is not the target's own: a proxy or a login page answered in
    /// its place.
    pub(super) fn not_reached(&self, target: Target, effect: Effect) -> Failure {
        // A success or a 5xx may have been carried out behind the proxy all the same.
        let class = match self.status {
            300..=499 => FailureClass::Transient,
            _ => effect.unknown_outcome(),
        };
        let place = self.header("location").and_then(|location| Url::parse(location).ok());
        let place = place.map_or_else(String::new, |url| {
            format!(" to {}://{}", url.scheme(), url.host_str().unwrap_or_default())
        });
        let (status, target_word) = (self.status, target.as_str());
        let message = format!(
            "{status}{place} is no answer of {target_word} itself: is its address right, and does the proxy before it reach it?"
        );
        Failure {
            unanswered: Some(Unanswered::NotReached),
            ..self.failure(class, target, message)
        }
    }

    /// A failure with this answer as its evidence.
    pub(super) fn failure(&self, class: FailureClass, target: Target, message: impl Into<String>) -> Failure {
        Failure {
            status: Some(self.status),
            body: Some(redacted(&self.body)),
            ..Failure::new(class, target, message)
        }
    }
}

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Timestamp::now().since(Timestamp::from_millis(0))
}

/// The HTTP client for one target: no cookies (Docmost would prefer a stale cookie to our token),
/// no redirects (they lose the body).
pub(super) fn http(timeout: Duration, authorities: Option<&Authorities>) -> Result<reqwest::Client, reqwest::Error> {
    let headers = HeaderMap::from_iter([(
        reqwest::header::HeaderName::from_static("x-bridge-origin"),
        HeaderValue::from_static("bridge"),
    )]);
    let ours = authorities.map_or(Ok(Vec::new()), |ours| Certificate::from_pem_bundle(&ours.pem))?;
    reqwest::Client::builder()
        .tls_certs_merge(ours)
        .user_agent(concat!("passerelle/", env!("CARGO_PKG_VERSION")))
        .default_headers(headers)
        .timeout(timeout)
        .connect_timeout(CONNECT_TIMEOUT.min(timeout))
        .pool_idle_timeout(IDLE_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .build()
}

/// Sends a request, unless the job's lease is over, and reads the whole answer.
pub(super) async fn exchange(target: Target, effect: Effect, request: RequestBuilder) -> Result<Answer, Failure> {
    let lost = |error: reqwest::Error| {
        let failure = no_answer(target, &error);
        // A connection that was never made carried nothing; everything later may have.
        let class = if error.is_connect() {
            FailureClass::Transient
        } else {
            effect.unknown_outcome()
        };
        Failure { class, ..failure }
    };
    check_lease()?;
    let mut response = request.send().await.map_err(lost)?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(lost)? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > MOST_ANSWER_BYTES {
            // Asked again, it would answer the same.
            let class = match effect {
                Effect::Reads | Effect::Repeatable => FailureClass::Permanent,
                Effect::Creates => effect.unknown_outcome(),
            };
            let message = format!("the answer is longer than {MOST_ANSWER_BYTES} bytes");
            return Err(Failure {
                unanswered: Some(Unanswered::TooLong),
                ..Failure::new(class, target, message)
            });
        }
    }
    let body = String::from_utf8_lossy(&bytes).into_owned();
    Ok(Answer { status, headers, body })
}

/// The failure of a call that got no answer and may be repeated.
pub fn no_answer(target: Target, error: &reqwest::Error) -> Failure {
    Failure {
        unanswered: unanswered(error),
        ..Failure::new(FailureClass::Transient, target, sentence(target, error))
    }
}

fn unanswered(error: &reqwest::Error) -> Option<Unanswered> {
    match error {
        error if error.is_connect() => Some(Unanswered::NoConnection(certificate::obstacle(error))),
        error if error.is_timeout() => Some(Unanswered::TimedOut),
        _ => None,
    }
}

/// The error with its causes; without the URL, which may hold secrets.
fn sentence(target: Target, error: &reqwest::Error) -> String {
    if let Some(trouble) = certificate::trouble(target, error) {
        return format!("no connection: {trouble}");
    }
    let kind = match error {
        error if error.is_timeout() => "no answer in time",
        error if error.is_connect() => "no connection",
        _ => "the exchange broke off",
    };
    let mut causes = Vec::new();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        causes.push(inner.to_string());
        cause = inner.source();
    }
    match causes.last() {
        Some(root) => format!("{kind} ({root})"),
        None => kind.to_owned(),
    }
}

/// Takes out our own secrets, which a foreign system may echo, and what looks like a token: JSON
/// web tokens begin with `eyJ`.
fn redacted(body: &str) -> String {
    let body = without_secrets(body);
    let is_token_char = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let mut parts = body.split("eyJ");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        text.push_str(REDACTED);
        text.push_str(part.trim_start_matches(is_token_char));
    }
    text
}

#[cfg(test)]
pub(in crate::clients) mod tests;
