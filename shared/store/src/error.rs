//! Why the store could not do what it was asked.

use sqlx::error::ErrorKind;
use sqlx::migrate::MigrateError;

/// Why the store could not answer.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It could not be opened.
    #[error("the store {place} cannot be opened: {source}. {hint}")]
    Open {
        /// The URL without user and password.
        place: String,
        /// What the database said.
        source: sqlx::Error,
        /// What to do.
        hint: &'static str,
    },
    /// The schema could not be brought up to date.
    #[error("the store's schema cannot be brought up to date: {0}. {hint}", hint = schema_hint(.0))]
    Schema(#[source] MigrateError),
    /// A pooler gives its server connections to others between two transactions.
    #[error(
        "the store {place} is behind a pooler in transaction mode, which cannot be used: connect to PostgreSQL directly, or in session mode"
    )]
    Pooler {
        /// The URL without user and password.
        place: String,
    },
    /// The database failed.
    #[error("the store failed: {0}. It is safe to try again; if it lasts, check the database that DATABASE_URL names")]
    Database(#[from] sqlx::Error),
    /// Another writer has written the ledger meanwhile; read the position again.
    #[error("another process writes the ledger; read the position again")]
    LedgerMoved,
    /// Another attempt has written what this one has read.
    #[error("another attempt at this row has written its page meanwhile; this one stops, and the next one reads again")]
    Overtaken,
    /// A stored value is not what we store.
    #[error("the store holds something unreadable: {0}. Was it changed by hand? Restore that value")]
    Unreadable(String),
}

impl StoreError {
    /// Whether the database is the cause, and not the call: then the same call may succeed later,
    /// and no other call would succeed now.
    pub fn is_outage(&self) -> bool {
        match self {
            Self::Open { source, .. } | Self::Database(source) | Self::Schema(MigrateError::Execute(source)) => {
                is_outage(source)
            }
            Self::Schema(MigrateError::ExecuteMigration(source, _)) => is_away(source),
            Self::Schema(_) | Self::Pooler { .. } | Self::LedgerMoved | Self::Overtaken | Self::Unreadable(_) => false,
        }
    }
}

/// What to do about a schema that cannot be changed.
fn schema_hint(error: &MigrateError) -> &'static str {
    match error {
        MigrateError::Execute(source) | MigrateError::ExecuteMigration(source, _) if is_read_only(source) => {
            "The database can only be read: is DATABASE_URL that of a standby, or is its disk mounted read-only?"
        }
        MigrateError::Execute(_) | MigrateError::ExecuteMigration(..) => {
            "It is safe to try again; if it lasts, check the database that DATABASE_URL names"
        }
        _ => "Was it written by a newer version? Then run that version; else restore the backup",
    }
}

fn is_read_only(error: &sqlx::Error) -> bool {
    /// PostgreSQL: a read-only transaction.
    const READ_ONLY: &str = "25006";
    error.as_database_error().is_some_and(|error| {
        error.code().as_deref() == Some(READ_ONLY) || error.message().contains("readonly database")
    })
}

/// A full disk, a lock, a shutdown, a role without rights, a schema that is being restored:
/// whatever the database complains of, unless it is the data themselves.
fn is_outage(error: &sqlx::Error) -> bool {
    /// SQLSTATE class: data exception.
    const DATA: &str = "22";
    match error {
        sqlx::Error::Database(error) => {
            matches!(error.kind(), ErrorKind::Other)
                && !error
                    .code()
                    .is_some_and(|code| code.len() == 5 && code.starts_with(DATA))
        }
        other => is_away(other),
    }
}

/// Nothing was there to answer.
fn is_away(error: &sqlx::Error) -> bool {
    matches!(
        error,
        sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed
    )
}
