//! One step of moving facts from the ledger stream into the store. Workers repeat it for ever; an
//! operator's program repeats it until nothing is left, so that what it shows is true at this
//! moment.

use super::{Store, StoreError};
use passerelle_model::ledger::{LedgerEntry, LedgerRecord, UnreadableRecord};
use passerelle_queue::{Queue, QueueError};

/// What one step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Intake {
    /// There was nothing to take.
    Empty,
    /// This many entries were written.
    Taken(usize),
    /// Another process took them first.
    Moved,
}

/// Why a step failed. Every step may be repeated.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// The stream could not be read or trimmed.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// The store could not be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Raw entries that are read at once: a reader holds so many of the largest entries in memory
/// before it can see their weight.
const READ_AT_ONCE: usize = 16;
/// A batch weighs at most this for each entry that it may have, so that 500 entries are at most 32
/// MB.
const BYTES_PER_ENTRY: usize = 64 << 10;
/// A batch makes at most this many rows for each entry that it may have.
const ROWS_PER_ENTRY: usize = 20;

/// Takes at most `count` entries, fewer if they are heavy, at least one: reads the position, reads
/// what follows it, writes it, and lets the stream forget it.
///
/// A crash between writing and forgetting is harmless: a step that finds nothing new lets the
/// stream forget up to the stored position. A Redis that lost its latest entries (a failover to a
/// replica that lagged) is read from its beginning: what the store has already is skipped.
pub async fn take_ledger(queue: &Queue, store: &Store, count: usize) -> Result<Intake, IntakeError> {
    let position = store.ledger_position().await?;
    let has_gone_back = match &position {
        Some(position) => has_gone_back(queue, position).await?,
        None => false,
    };
    let after = position.as_deref().filter(|_| !has_gone_back);
    let entries = read_batch(queue, after, count.max(1)).await?;
    let Some(last) = entries.last() else {
        if let Some(position) = position.filter(|_| !has_gone_back) {
            queue.trim_ledger(&position).await?;
        }
        return Ok(Intake::Empty);
    };
    match store.record(&entries, position.as_deref()).await {
        Ok(()) => {}
        Err(StoreError::LedgerMoved) => return Ok(Intake::Moved),
        Err(error) => return Err(error.into()),
    }
    queue.trim_ledger(&last.id).await?;
    Ok(Intake::Taken(entries.len()))
}

/// Whether the stream has entries before the stored position and not the one at it: they were
/// written after Redis lost that one, under a clock that was behind, and were never read.
async fn has_gone_back(queue: &Queue, position: &str) -> Result<bool, QueueError> {
    let newest = queue.newest_ledger_entry_up_to(position).await?;
    let has_gone_back = newest.as_deref().is_some_and(|newest| newest != position);
    if has_gone_back {
        tracing::warn!(
            position,
            newest,
            "Redis lost ledger entries that the store has: the ledger is read from its beginning, nothing is written twice"
        );
    }
    Ok(has_gone_back)
}

async fn read_batch(queue: &Queue, after: Option<&str>, count: usize) -> Result<Vec<LedgerEntry>, QueueError> {
    let (most_bytes, most_rows) = (count * BYTES_PER_ENTRY, count * ROWS_PER_ENTRY);
    let (mut bytes, mut rows) = (0, 0);
    let mut batch: Vec<LedgerEntry> = Vec::new();
    loop {
        let after = batch.last().map_or(after, |last| Some(last.id.as_str()));
        let read = queue.read_ledger(after, READ_AT_ONCE.min(count - batch.len())).await?;
        if read.is_empty() {
            return Ok(batch);
        }
        for entry in read {
            bytes += entry.records.iter().map(weight).sum::<usize>();
            rows += entry.records.iter().map(rows_of).sum::<usize>();
            if !batch.is_empty() && (bytes > most_bytes || rows > most_rows) {
                return Ok(batch);
            }
            batch.push(entry);
        }
        if batch.len() >= count {
            return Ok(batch);
        }
    }
}

/// About how many bytes a fact takes in the store.
fn weight(record: &Result<LedgerRecord, UnreadableRecord>) -> usize {
    match record {
        Ok(LedgerRecord::Accepted(event)) => event.payload.len(),
        Ok(LedgerRecord::Attempt(attempt)) => {
            let notes = attempt.steps.iter().filter_map(|step| step.note.as_ref());
            notes.map(String::len).sum()
        }
        Ok(_) => 0,
        Err(unreadable) => unreadable.bytes.len(),
    }
}

fn rows_of(record: &Result<LedgerRecord, UnreadableRecord>) -> usize {
    match record {
        Ok(LedgerRecord::Accepted(event)) => 1 + event.items.len(),
        _ => 1,
    }
}
