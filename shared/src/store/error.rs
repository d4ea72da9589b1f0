//! Why the store could not do what it was asked.

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
    #[error(
        "the store's schema cannot be brought up to date: {0}. Was it written by a newer version? Then run that version; else restore the backup"
    )]
    Schema(#[source] sqlx::migrate::MigrateError),
    /// The database failed.
    #[error("the store failed: {0}. It is safe to try again; if it lasts, check the database that DATABASE_URL names")]
    Database(#[from] sqlx::Error),
    /// Another writer has written the ledger meanwhile; read the position again.
    #[error("another process writes the ledger; read the position again")]
    LedgerMoved,
    /// A stored value is not what we store.
    #[error("the store holds something unreadable: {0}. Was it changed by hand? Restore that value")]
    Unreadable(String),
}
