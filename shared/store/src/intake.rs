//! One step of moving facts from the ledger stream into the store. Workers repeat it for ever; an operator's program repeats it until
//! nothing is left, so that what it shows is true at this moment.

use super::{Store, StoreError};
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

/// Takes at most `count` entries: read the position, read what follows it, write it, let the stream forget it.
/// A crash between writing and forgetting is harmless: a step that finds nothing new lets the stream forget up to the stored position.
pub async fn take_ledger(queue: &Queue, store: &Store, count: usize) -> Result<Intake, IntakeError> {
    let position = store.ledger_position().await?;
    let entries = queue.read_ledger(position.as_deref(), count).await?;
    let Some(last) = entries.last() else {
        if let Some(position) = position {
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
