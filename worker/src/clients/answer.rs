//! One HTTP exchange: sent with explicit limits, read to the end, and a lost answer told apart from a refused connection.

use std::time::Duration;

use passerelle_model::ledger::FailureClass;
use reqwest::RequestBuilder;
use reqwest::header::{HeaderMap, HeaderValue};
use serde_json::Value;

use crate::failure::{Failure, Target, Unanswered};

/// The largest answer that is read; a row with long texts stays far below.
const MOST_ANSWER_BYTES: usize = 16 * 1024 * 1024;
/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an unused connection is kept. Servers close theirs after 2 s (gunicorn's default) to 75 s; a request that meets such a closing
/// ends without an answer, and costs an attempt. So ours are closed first.
const IDLE_TIMEOUT: Duration = Duration::from_secs(1);

/// What it would mean to send a request twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// Nothing: it reads, or sets a state that may be set again.
    Repeatable,
    /// A second thing would exist. A lost answer is therefore *ambiguous*, never just transient.
    Creates,
}

impl Effect {
    /// The class of a failure after which nobody knows whether the request was carried out.
    pub(super) fn unknown_outcome(self) -> FailureClass {
        match self {
            Self::Repeatable => FailureClass::Transient,
            Self::Creates => FailureClass::Ambiguous,
        }
    }
}

/// A complete answer, of any status.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    /// The HTTP status.
    pub(super) status: u16,
    /// The headers.
    pub(super) headers: HeaderMap,
    /// The body.
    pub(super) body: String,
}

impl Answer {
    /// Whether the status is 2xx.
    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The body as JSON, if it is JSON: a proxy's HTML page is not the target's own word.
    pub(super) fn json(&self) -> Option<Value> {
        serde_json::from_str(&self.body).ok()
    }

    /// Whole seconds in the first of these headers that is there.
    pub(super) fn seconds_in(&self, headers: &[&str]) -> Option<Duration> {
        let text = headers.iter().find_map(|name| self.headers.get(*name))?.to_str().ok()?;
        text.trim().parse().ok().map(Duration::from_secs)
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

/// The HTTP client for one target: no cookies (Docmost would prefer a stale cookie to our token), no redirects (they lose the body).
pub(super) fn http(timeout: Duration) -> Result<reqwest::Client, reqwest::Error> {
    let headers = HeaderMap::from_iter([(
        reqwest::header::HeaderName::from_static("x-bridge-origin"),
        HeaderValue::from_static("bridge"),
    )]);
    reqwest::Client::builder()
        .user_agent(concat!("passerelle/", env!("CARGO_PKG_VERSION")))
        .default_headers(headers)
        .timeout(timeout)
        .connect_timeout(CONNECT_TIMEOUT.min(timeout))
        .pool_idle_timeout(IDLE_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .build()
}

/// Sends a request and reads the whole answer.
pub(super) async fn exchange(target: Target, effect: Effect, request: RequestBuilder) -> Result<Answer, Failure> {
    let lost = |error: reqwest::Error| {
        // A connection that was never made carried nothing; everything later may have.
        let class = if error.is_connect() {
            FailureClass::Transient
        } else {
            effect.unknown_outcome()
        };
        Failure {
            unanswered: unanswered(&error),
            ..Failure::new(class, target, sentence(&error))
        }
    };
    let mut response = request.send().await.map_err(lost)?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(lost)? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > MOST_ANSWER_BYTES {
            return Err(Failure::new(
                effect.unknown_outcome(),
                target,
                format!("the answer is longer than {MOST_ANSWER_BYTES} bytes"),
            ));
        }
    }
    let body = String::from_utf8_lossy(&bytes).into_owned();
    Ok(Answer { status, headers, body })
}

fn unanswered(error: &reqwest::Error) -> Option<Unanswered> {
    match error {
        error if error.is_connect() => Some(Unanswered::NoConnection),
        error if error.is_timeout() => Some(Unanswered::TimedOut),
        _ => None,
    }
}

/// The error with its causes; without the URL, which may hold secrets.
fn sentence(error: &reqwest::Error) -> String {
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

/// Takes out what looks like a token: JSON web tokens begin with `eyJ`.
fn redacted(body: &str) -> String {
    let is_token_char = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let mut parts = body.split("eyJ");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        text.push_str("[redacted]");
        text.push_str(part.trim_start_matches(is_token_char));
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use test_support::PATIENCE;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::time::timeout;

    use super::*;

    /// The server's side of one exchange on a connection that it would keep.
    async fn answer(connection: &mut TcpStream) {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            assert_ne!(connection.read_buf(&mut request).await.unwrap(), 0, "no whole request");
        }
        connection
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
            .await
            .unwrap();
    }

    async fn serve(server: &TcpListener) -> TcpStream {
        let (mut connection, _) = server.accept().await.unwrap();
        answer(&mut connection).await;
        connection
    }

    #[tokio::test]
    async fn an_unused_connection_is_closed_by_us_before_a_server_closes_it() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", server.local_addr().unwrap());
        let client = http(PATIENCE).unwrap();
        let ask = || exchange(Target::Baserow, Effect::Repeatable, client.get(&url));
        let (mut connection, first) = tokio::join!(serve(&server), ask());
        first.unwrap();
        // Used at once, it is used again.
        let (second, ()) = tokio::join!(ask(), answer(&mut connection));
        second.unwrap();
        let answered = Instant::now();
        let read = timeout(PATIENCE, connection.read_u8()).await.unwrap();
        assert_eq!(read.unwrap_err().kind(), std::io::ErrorKind::UnexpectedEof);
        assert!(
            answered.elapsed() >= IDLE_TIMEOUT / 2,
            "connections would never be used again"
        );
        let (third, _) = tokio::join!(ask(), serve(&server));
        third.unwrap();
    }

    #[test]
    fn tokens_never_reach_the_ledger() {
        assert_eq!(
            redacted(r#"{"token":"eyJhbGci.eyJz-_dWI.x9","a":1}"#),
            r#"{"token":"[redacted]","a":1}"#.replace("[redacted]", "[redacted][redacted]")
        );
        assert_eq!(redacted("plain"), "plain");
    }

    #[test]
    fn an_unknown_outcome_of_a_create_is_ambiguous() {
        assert_eq!(Effect::Creates.unknown_outcome(), FailureClass::Ambiguous);
        assert_eq!(Effect::Repeatable.unknown_outcome(), FailureClass::Transient);
    }
}
