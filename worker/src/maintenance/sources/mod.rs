//! Looks after the webhooks in Baserow (H6): nine failed calls in a row switch one off, and it
//! misses what happens meanwhile. The task switches it on again, notifies the admin, and compares
//! the rows of the gap with their pages.
//!
//! **Only with a user** (`BASEROW_EMAIL`, `BASEROW_PASSWORD`): database tokens may not see
//! webhooks. One sign-in lasts for several looks; credentials that are refused are not tried again
//! for an hour.
//!
//! **Once.** What is to be done about a webhook is stored in Redis before it is done, so a worker
//! that dies in between leaves it to the next look: the message is named after the webhook and the
//! moment at which it was switched off, and the reconciliation after the same.
//!
//! **Not for ever.** A webhook that is switched off again and again has a cause that people must
//! mend (a wrong address, a wrong secret). It is switched on at once the first time; then it rests
//! for 10, 20, 40 … minutes, six hours at most, after each time. A day without failure makes it
//! new. Meanwhile the reconciliation brings what webhooks miss.
//!
//! **Only ours.** Another bridge may use the same Baserow. A webhook is of this bridge if it carries
//! a live secret of it, or, where it carries none, if the ledger has a delivery of it. All others
//! are left alone.
//!
//! **Never made.** A webhook that a person has deleted stays deleted: `passerelle provision` makes
//! webhooks. One that shall stay silent is deleted, not switched off: who switched it off cannot be
//! seen.

mod alert;
mod history;
mod look;
mod session;
pub(super) mod watched_tables;

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use passerelle_model::config::WebhookSecrets;
use passerelle_model::id::TableId;
use passerelle_queue::Redis;

use crate::context::Context;
use crate::failure::Failure;
use history::Histories;

pub use look::Gap;
pub use session::UserSession;

/// What is needed to look after webhooks.
#[derive(Debug)]
pub struct SourceWatch {
    session: UserSession,
    secrets: WebhookSecrets,
    histories: Histories,
    /// Tables of which this process has said already that something is wrong with them.
    complained: Mutex<BTreeSet<TableId>>,
}

impl SourceWatch {
    /// In the name of a user.
    pub fn new(session: UserSession, secrets: WebhookSecrets, redis: Redis) -> Self {
        Self {
            session,
            secrets,
            histories: Histories::new(redis),
            complained: Mutex::default(),
        }
    }

    /// Looks at every webhook that the rules live by, and switches on those that are off; adds the
    /// gaps that are to be reconciled. A table that fails does not keep the others waiting: its
    /// failure is returned at the end.
    pub async fn look(&self, context: &Context, gaps: &mut Vec<Gap>) -> Result<(), Failure> {
        if !self.session.opens().await? {
            return Ok(());
        }
        let watched_tables = watched_tables::of(context).await?;
        let mut result = watched_tables.unknown.map_or(Ok(()), Err);
        for watched in watched_tables.tables.values() {
            match self.look_at(context, watched).await {
                Ok(found) => gaps.extend(found),
                // A server that does not answer will not answer for the next table.
                Err(failure) if failure.unanswered.is_some() => return Err(failure),
                Err(failure) => result = result.and(Err(failure)),
            }
        }
        result
    }

    /// A gap is closed: its rows were compared with their pages.
    pub async fn close(&self, gap: &Gap) -> Result<(), Failure> {
        let mut history = self.histories.of(gap.webhook).await?;
        history.closed(&gap.since);
        self.histories.keep(gap.webhook, &history).await
    }

    /// Whether this is worth a line in the log: the first complaint about the table since it was
    /// last well.
    fn is_new(&self, table: TableId) -> bool {
        let mut complained = self.complained.lock().unwrap_or_else(PoisonError::into_inner);
        complained.insert(table)
    }

    fn is_well(&self, table: TableId) {
        let mut complained = self.complained.lock().unwrap_or_else(PoisonError::into_inner);
        complained.remove(&table);
    }
}
