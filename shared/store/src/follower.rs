//! Whoever follows the ledger, and hears of each fact after it was written.

use std::fmt;
use std::sync::Arc;

use super::Store;
use passerelle_model::ledger::LedgerEntry;
use passerelle_model::time::Timestamp;

/// What the store has just written.
#[derive(Debug, Clone, Copy)]
pub struct Recorded<'e> {
    /// The entries. After a return to older data some may have been there already.
    pub entries: &'e [LedgerEntry],
    /// When the transaction began.
    pub began: Timestamp,
    /// When it had been committed.
    pub ended: Timestamp,
    /// The database: `sqlite` or `postgresql`.
    pub database: &'static str,
}

/// Hears of what was written to the ledger. It must not wait: the writer does.
pub trait Follower: fmt::Debug + Send + Sync {
    /// These entries are in the store.
    fn recorded(&self, recorded: Recorded<'_>);
}

impl Store {
    /// The same store, with somebody who follows what is written through it.
    #[must_use]
    pub fn followed_by(self, follower: Arc<dyn Follower>) -> Self {
        Self {
            follower: Some(follower),
            ..self
        }
    }

    pub(super) fn tell_follower(&self, entries: &[LedgerEntry], began: Timestamp) {
        if let Some(follower) = &self.follower {
            follower.recorded(Recorded {
                entries,
                began,
                ended: Timestamp::now(),
                database: self.database,
            });
        }
    }
}
