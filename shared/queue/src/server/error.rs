//! Why the queue could not answer.

use redis::{ErrorKind, RedisError, ServerErrorKind};

/// Why the queue could not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueueError {
    /// Redis could not be reached, or did not answer in time: the outcome of the call is unknown;
    /// every call may be repeated.
    #[error("Redis does not answer: {0}")]
    Unavailable(String),
    /// Redis answered with an error of its own.
    #[error("Redis refused: {0}")]
    Refused(String),
    /// Redis has forgotten the script since it was loaded: it has not run.
    #[error("Redis does not know the script")]
    UnknownScript,
    /// The URL is not usable.
    #[error("REDIS_URL is not usable: {0}")]
    Url(String),
    /// The certificates of its authorities cannot be read.
    #[error("REDIS_CA_FILE cannot be used: {0}")]
    Certificates(String),
    /// A later version of the programs has written what Redis holds.
    #[error(
        "Redis holds the data of a later version (layout {found}, and this program knows {known}): start the programs of that version, or see \
         \"To go back\" in docs/UPGRADING.md",
        known = crate::LAYOUT
    )]
    NewerLayout {
        /// Its layout.
        found: u64,
    },
    /// What Redis answered is not what our scripts answer.
    #[error("Redis answered something unexpected: {0}")]
    Protocol(String),
}

impl From<passerelle_model::id::InvalidId> for QueueError {
    fn from(error: passerelle_model::id::InvalidId) -> Self {
        Self::Protocol(error.to_string())
    }
}

impl From<RedisError> for QueueError {
    fn from(error: RedisError) -> Self {
        if needs_new_connection(&error) {
            let mut what = error.to_string();
            if what.contains("invalid peer certificate") {
                what.push_str(". Name the certificate of its authority (PEM) in REDIS_CA_FILE");
            }
            Self::Unavailable(what)
        } else if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) {
            Self::UnknownScript
        } else if matches!(error.kind(), ErrorKind::Parse | ErrorKind::UnexpectedReturnType) {
            Self::Protocol(error.to_string())
        } else {
            Self::Refused(error.to_string())
        }
    }
}

/// The one table of errors that say "not this server, or not now": a lost connection, loading after
/// a restart, a failover, a full disk or memory. The connection is replaced, because the address
/// may lead to another server by now, and the call may be repeated.
pub(crate) fn needs_new_connection(error: &RedisError) -> bool {
    const CODES: [&str; 6] = ["OOM", "MISCONF", "BUSY", "NOREPLICAS", "UNBLOCKED", "NOAUTH"];
    match error.kind() {
        ErrorKind::Io | ErrorKind::AuthenticationFailed => true,
        ErrorKind::Server(kind) => matches!(
            kind,
            ServerErrorKind::BusyLoading
                | ServerErrorKind::TryAgain
                | ServerErrorKind::ClusterDown
                | ServerErrorKind::MasterDown
                | ServerErrorKind::ReadOnly
        ),
        _ => error.is_unrecoverable_error() || error.code().is_some_and(|code| CODES.contains(&code)),
    }
}
