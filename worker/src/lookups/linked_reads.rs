//! Linked rows that the jobs in hand read once for all of them: a hundred new projects of one
//! client read the client once. The [cache](super::cache) cannot do that: Baserow tells of the
//! client's own change whenever a project is linked to it, which keeps the client out for a moment.
//!
//! A read serves the jobs that were leased before it began: a later change of the row is told by an
//! event, and the rows that link to it are looked at again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use passerelle_model::id::RowKey;
use tokio::time::timeout;

use crate::clients::guard::is_let_through;
use crate::clients::lease::lease_of_this_task;
use crate::content::row::Row;
use crate::context::Context;
use crate::failure::Failure;
use crate::journal::Journal;

/// What was read longer ago is read again.
const FRESH: Duration = Duration::from_secs(10);
/// A read that takes longer is not waited for by other jobs.
const PATIENCE: Duration = Duration::from_secs(3);

/// What was read for jobs in hand.
#[derive(Debug, Default)]
pub(crate) struct LinkedReads(Mutex<HashMap<RowKey, Slot>>);

/// Held by the job that reads.
type Slot = Arc<tokio::sync::Mutex<Option<Read>>>;

#[derive(Debug)]
struct Read {
    began: Instant,
    /// It serves jobs up to this number of the roster.
    up_to: u64,
    row: Row,
}

impl Read {
    fn is_fresh(&self) -> bool {
        self.began.elapsed() < FRESH
    }
}

impl LinkedReads {
    fn of(&self, key: RowKey) -> Slot {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_wanted = |slot: &Slot| match slot.try_lock() {
            Ok(read) => read.as_ref().is_some_and(Read::is_fresh),
            Err(_) => true,
        };
        slots.retain(|_, slot| Arc::strong_count(slot) > 1 || is_wanted(slot));
        Arc::clone(slots.entry(key).or_default())
    }
}

impl Context {
    /// A linked row that a page shows; `None` if it does not exist or is in the trash.
    pub(crate) async fn linked_row(&self, journal: &mut Journal, key: RowKey) -> Result<Option<Row>, Failure> {
        // A job that stopped gates let through reads alone: it speaks for itself.
        let lease = lease_of_this_task().filter(|_| !is_let_through());
        let Some(entry) = lease.as_ref().and_then(|lease| lease.entry()) else {
            return self.row(journal, key).await;
        };
        let slot = self.linked_reads.of(key);
        let Ok(mut read) = timeout(PATIENCE, slot.lock()).await else {
            return self.row(journal, key).await;
        };
        if let Some(read) = read
            .as_ref()
            .filter(|read| read.is_fresh() && entry.number() <= read.up_to)
        {
            journal.note("read_row", format!("{key}, read by another job"));
            return Ok(Some(read.row.clone()));
        }
        let (began, up_to) = (Instant::now(), entry.latest());
        let row = self.row(journal, key).await?;
        *read = row.clone().map(|row| Read { began, up_to, row });
        Ok(row)
    }
}
