//! The SQL store: the ledger (events, items, attempts), the links from rows to pages, the intents to create a page.

use crate::config::StoreSettings;
use crate::id::{PageId, RowKey, Slot};
use crate::ledger::LedgerEntry;
use crate::time::Timestamp;

/// Why the store could not answer.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database failed.
    #[error("the store failed: {0}")]
    Database(#[from] sqlx::Error),
    /// Another writer has written the ledger meanwhile; read the position again.
    #[error("another process writes the ledger")]
    LedgerMoved,
    /// A stored value is not what we store.
    #[error("the store holds something unreadable: {0}")]
    Unreadable(String),
}

/// The store: SQLite or PostgreSQL, by URL.
#[derive(Debug, Clone)]
pub struct Store {}

/// The page of a row, and the state that was last written to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The row.
    pub row: RowKey,
    /// Which of its pages.
    pub slot: Slot,
    /// The page.
    pub page: PageId,
    /// Docmost's short id, for links that people use.
    pub slug_id: String,
    /// The space that it is in.
    pub space: String,
    /// Hash of the rendered state (title, icon, body) last written.
    pub content_hash: String,
    /// When it was last written.
    pub written: Timestamp,
}

/// A recorded intention to create a page: if a worker dies in between, the next one looks before it creates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// The row.
    pub row: RowKey,
    /// Which of its pages.
    pub slot: Slot,
    /// When the first create was about to be sent.
    pub started: Timestamp,
    /// Whether it existed before this call: then a page may exist already.
    pub existed: bool,
}

impl Store {
    /// Connects and brings the schema up to date.
    pub async fn open(_settings: &StoreSettings) -> Result<Self, StoreError> {
        todo!()
    }
    /// The stream id of the last ledger entry in the store.
    pub async fn ledger_position(&self) -> Result<Option<String>, StoreError> {
        todo!()
    }
    /// Writes ledger entries in one transaction, if the position is still `after`; else [`StoreError::LedgerMoved`] and nothing is written.
    pub async fn record(&self, _entries: &[LedgerEntry], _after: Option<&str>) -> Result<(), StoreError> {
        todo!()
    }
    /// The link of a row's slot.
    pub async fn link(&self, _row: RowKey, _slot: &Slot) -> Result<Option<Link>, StoreError> {
        todo!()
    }
    /// Saves a link (insert or replace) and closes the intent of the same slot, in one transaction.
    pub async fn save_link(&self, _link: &Link) -> Result<(), StoreError> {
        todo!()
    }
    /// Forgets a link, e.g. when its page is gone for good.
    pub async fn forget_link(&self, _row: RowKey, _slot: &Slot) -> Result<(), StoreError> {
        todo!()
    }
    /// Records the intention to create a page, or returns the one that is already there.
    pub async fn open_intent(&self, _row: RowKey, _slot: &Slot, _now: Timestamp) -> Result<Intent, StoreError> {
        todo!()
    }
}
