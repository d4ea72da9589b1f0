//! Every way to be refused: one table with the HTTP status, the word that the caller gets and the
//! word that we log and count.
//!
//! The two words differ where the caller must not learn more: every failed proof is `unauthorized`
//! to the caller, for every cause. Nothing here ever carries a secret, a signature or a piece of
//! the body.

use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::RETRY_AFTER;
use passerelle_model::id::TableId;
use passerelle_queue::QueueError;
use serde::Serialize;

use crate::spool::NotSpooled;

/// Why a request is not answered 200.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Rejection {
    #[error("there is no such address here")]
    NotFound,
    #[error("this address does not answer to this method")]
    MethodNotAllowed,
    #[error("bridge.toml has no source of this name, and no \"*\"")]
    UnknownSource,
    #[error("the header with the proof is missing")]
    ProofMissing,
    #[error("the header with the signature does not hold 64 hexadecimal digits")]
    SignatureMalformed,
    #[error(
        "the signature fits none of the source's live secrets; was the body changed on its way, or a secret rotated?"
    )]
    SignatureWrong,
    #[error("the token is none of the source's live secrets")]
    TokenWrong,
    #[error(
        "the source may not speak of table {table}: add it to the source's `tables` in bridge.toml, or call the address \
         of the source that has it"
    )]
    TableNotAllowed { table: TableId },
    #[error("the body is longer than {limit} bytes (INGRESS_LARGEST_BODY_BYTES)")]
    BodyTooLarge { limit: usize },
    #[error("the body did not arrive within {limit:?} (INGRESS_BODY_TIMEOUT_SECONDS), or was slower than 2 Mbit/s")]
    BodyTooSlow { limit: Duration },
    #[error("the connection broke before the body was complete")]
    BodyIncomplete,
    #[error("the body is not JSON")]
    NotJson,
    #[error("the body is JSON, but not an object")]
    NotAnObject,
    #[error("the body's object names a field twice")]
    RepeatedField,
    #[error("{0} is missing")]
    MissingField(&'static str),
    #[error("{0} is not what it must be: an id")]
    InvalidId(&'static str),
    #[error("{0} is not what it must be: a text")]
    NotAText(&'static str),
    #[error("{0} is not what it must be: a list")]
    NotAList(&'static str),
    #[error("Redis is away")]
    QueueAway,
    #[error("Redis is away, and {0}")]
    NotSpooled(#[from] NotSpooled),
    #[error("the delivery could not be made durable: {0}")]
    QueueUnavailable(#[from] QueueError),
    #[error("the delivery could not be made durable within {limit:?} (INGRESS_ACCEPT_TIMEOUT_SECONDS)")]
    QueueTooSlow { limit: Duration },
}

/// One line of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Refusal {
    status: StatusCode,
    answered: &'static str,
    logged: &'static str,
}

#[derive(Serialize)]
struct Answer {
    accepted: bool,
    reason: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'static str>,
}

/// How long a caller should wait when the queue is away. Baserow has a schedule of its own and
/// ignores it; signing proxies may not.
const RETRY_AFTER_SECONDS: &str = "5";

impl Rejection {
    fn refusal(&self) -> Refusal {
        let (status, answered, logged) = match self {
            Self::NotFound => (StatusCode::NOT_FOUND, "not_found", "not_found"),
            Self::MethodNotAllowed => (
                StatusCode::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                "method_not_allowed",
            ),
            Self::UnknownSource => (StatusCode::NOT_FOUND, "unknown_source", "unknown_source"),
            Self::ProofMissing => (StatusCode::UNAUTHORIZED, "unauthorized", "proof_missing"),
            Self::SignatureMalformed => (StatusCode::UNAUTHORIZED, "unauthorized", "signature_malformed"),
            Self::SignatureWrong => (StatusCode::UNAUTHORIZED, "unauthorized", "signature_wrong"),
            Self::TokenWrong => (StatusCode::UNAUTHORIZED, "unauthorized", "token_wrong"),
            Self::TableNotAllowed { .. } => (StatusCode::FORBIDDEN, "table_not_allowed", "table_not_allowed"),
            Self::BodyTooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "body_too_large"),
            Self::BodyTooSlow { .. } => (StatusCode::REQUEST_TIMEOUT, "body_too_slow", "body_too_slow"),
            Self::BodyIncomplete => (StatusCode::BAD_REQUEST, "body_incomplete", "body_incomplete"),
            Self::NotJson => (StatusCode::BAD_REQUEST, "not_json", "not_json"),
            Self::NotAnObject => (StatusCode::BAD_REQUEST, "not_an_object", "not_an_object"),
            Self::RepeatedField => (StatusCode::BAD_REQUEST, "repeated_field", "repeated_field"),
            Self::MissingField(_) => (StatusCode::BAD_REQUEST, "missing_field", "missing_field"),
            Self::InvalidId(_) => (StatusCode::BAD_REQUEST, "invalid_id", "invalid_id"),
            Self::NotAText(_) => (StatusCode::BAD_REQUEST, "not_a_text", "not_a_text"),
            Self::NotAList(_) => (StatusCode::BAD_REQUEST, "not_a_list", "not_a_list"),
            Self::NotSpooled(NotSpooled::Full { .. }) => {
                (StatusCode::SERVICE_UNAVAILABLE, "queue_unavailable", "spool_full")
            }
            Self::NotSpooled(NotSpooled::Disk { .. } | NotSpooled::Slow) => {
                (StatusCode::SERVICE_UNAVAILABLE, "queue_unavailable", "spool_failed")
            }
            Self::QueueAway | Self::QueueUnavailable(_) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "queue_unavailable",
                "queue_unavailable",
            ),
            Self::QueueTooSlow { .. } => (StatusCode::SERVICE_UNAVAILABLE, "queue_unavailable", "queue_too_slow"),
        };
        Refusal {
            status,
            answered,
            logged,
        }
    }

    /// The word in logs and in the label `reason`: one of a fixed few.
    pub(crate) fn reason(&self) -> &'static str {
        self.refusal().logged
    }

    /// Whether it is our fault, not the caller's.
    pub(crate) fn is_ours(&self) -> bool {
        self.refusal().status.is_server_error()
    }

    /// The answer to the caller. Its connection ends with it: actix limits the time for a head only
    /// on a connection's first request, so nobody who has not proven anything may have a second
    /// one.
    pub(crate) fn response(&self) -> HttpResponse {
        let Refusal { status, answered, .. } = self.refusal();
        let mut response = HttpResponse::build(status);
        response.force_close();
        if self.is_ours() {
            response.insert_header((RETRY_AFTER, RETRY_AFTER_SECONDS));
        }
        let field = match self {
            Self::MissingField(field) | Self::InvalidId(field) | Self::NotAText(field) | Self::NotAList(field) => {
                Some(*field)
            }
            _ => None,
        };
        response.json(Answer {
            accepted: false,
            reason: answered,
            field,
        })
    }
}

#[cfg(test)]
mod tests {
    use actix_web::body::to_bytes;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::missing(Rejection::ProofMissing)]
    #[case::malformed(Rejection::SignatureMalformed)]
    #[case::wrong_signature(Rejection::SignatureWrong)]
    #[case::wrong_token(Rejection::TokenWrong)]
    #[tokio::test]
    async fn a_caller_without_proof_learns_nothing_but_that(#[case] rejection: Rejection) {
        let response = rejection.response();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        let body = to_bytes(response.into_body()).await.unwrap();
        assert_eq!(&body[..], br#"{"accepted":false,"reason":"unauthorized"}"#);
        assert_ne!(rejection.reason(), "unauthorized");
    }

    #[tokio::test]
    async fn a_queue_that_is_away_is_told_with_a_time_to_come_back_and_without_its_address() {
        let rejection = Rejection::from(QueueError::Unavailable("redis://secret@10.0.0.1".to_owned()));
        let response = rejection.response();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers().get(RETRY_AFTER).unwrap(), RETRY_AFTER_SECONDS);
        let body = to_bytes(response.into_body()).await.unwrap();
        assert_eq!(&body[..], br#"{"accepted":false,"reason":"queue_unavailable"}"#);
    }

    #[tokio::test]
    async fn a_malformed_body_is_told_which_field_is_wrong() {
        let response = Rejection::MissingField("event_id").response();
        let body = to_bytes(response.into_body()).await.unwrap();
        assert_eq!(
            &body[..],
            br#"{"accepted":false,"reason":"missing_field","field":"event_id"}"#
        );
    }
}
