//! One step of moving facts from the ledger stream into the store. Workers repeat it for ever; an
//! operator's program repeats it until nothing is left, so that what it shows is true at this
//! moment.

use super::{Store, StoreError, StoredLife};
use passerelle_model::ledger::{LedgerEntry, LedgerRecord, UnreadableRecord};
use passerelle_queue::{EndedLife, LifeLook, Queue, QueueError};

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
/// stream forget up to the stored position. A Redis that went back (a power cut, a failover to a
/// replica that lagged, a restored copy) begins a new life, and is read from its beginning: what
/// the store has already is skipped. So it is where the store went back.
pub async fn take_ledger(queue: &Queue, store: &Store, count: usize) -> Result<Intake, IntakeError> {
    // In this order: if another process reads on meanwhile, the life is the one that shows it.
    let stored = store.life().await?;
    let position = store.ledger_position().await?;
    let look = queue.life(position.as_deref()).await?;
    let is_back = match judge(store, stored.as_ref(), &look, position.as_deref()).await? {
        Standing::Same => false,
        Standing::New => return begin(queue, store, stored.as_ref()).await,
        Standing::WentBack => {
            let Err(error) = end_life(queue, &look, stored.as_ref()).await else {
                return Ok(Intake::Moved);
            };
            // A Redis that takes no write is drained all the same.
            tracing::debug!(%error, "no new life of the data can begin for the moment");
            true
        }
    };
    let after = position.as_deref().filter(|_| !is_back);
    let mut entries = read_batch(queue, after, count.max(1)).await?;
    if let Some(stored) = stored.filter(|_| !is_back) {
        let covered = stored.covers(&entries);
        // Or nothing is left in the stream, and yet more was added than was read.
        let is_gap = covered == 0 && (!entries.is_empty() || stored.falls_short_of(&look));
        if is_gap {
            let next = entries.iter().find_map(|entry| entry.answered);
            let at = next.map_or(look.answered, |count| count.before);
            return end_at_gap(queue, store, &look, &stored, at).await;
        }
        entries.truncate(covered);
    }
    let Some(last) = entries.last() else {
        if let Some(position) = position.filter(|_| !is_back) {
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

/// How Redis stands to what the store knows of it.
enum Standing {
    Same,
    /// A life that the store has not seen.
    New,
    /// It knows less than the store, or nothing.
    WentBack,
}

async fn judge(
    store: &Store,
    stored: Option<&StoredLife>,
    look: &LifeLook,
    position: Option<&str>,
) -> Result<Standing, StoreError> {
    let Some(life) = &look.life else {
        return Ok(Standing::WentBack);
    };
    let Some(stored) = stored.filter(|stored| stored.epoch == life.epoch) else {
        let is_known = store.knows_life(&life.epoch).await?;
        return Ok(if is_known { Standing::WentBack } else { Standing::New });
    };
    // Entries before the position, and not the one at it: they were written after Redis lost that
    // one, under a clock that was behind.
    let is_behind = position.is_some() && look.newest.is_some() && look.newest.as_deref() != position;
    Ok(if is_behind || stored.is_ahead_of(look) {
        Standing::WentBack
    } else {
        Standing::Same
    })
}

/// The present life in Redis ends, or begins if there was none.
async fn end_life(queue: &Queue, look: &LifeLook, stored: Option<&StoredLife>) -> Result<(), QueueError> {
    let known = stored.map_or(0, |stored| stored.answered.unsigned_abs());
    queue.begin_life(&ended(look, stored, known)).await.map(drop)
}

fn ended(look: &LifeLook, stored: Option<&StoredLife>, known: u64) -> EndedLife {
    EndedLife {
        replaced: look.life.as_ref().map(|life| life.epoch.clone()),
        former: stored.map(|stored| stored.epoch.clone()),
        known,
    }
}

/// What follows does not begin where the store ends: `at` deliveries were answered before it.
/// Unless another process has read meanwhile, that ends the life.
async fn end_at_gap(
    queue: &Queue,
    store: &Store,
    look: &LifeLook,
    stored: &StoredLife,
    at: u64,
) -> Result<Intake, IntakeError> {
    if store.life().await?.as_ref() == Some(stored) {
        let known = at.max(stored.answered.unsigned_abs());
        tracing::warn!(
            read = stored.answered,
            continues = at,
            "the ledger in Redis does not go on where the store ends: Redis lost entries, or the database is an older copy"
        );
        queue.begin_life(&ended(look, Some(stored), known)).await?;
    }
    Ok(Intake::Moved)
}

/// The store follows Redis into a new life.
async fn begin(queue: &Queue, store: &Store, stored: Option<&StoredLife>) -> Result<Intake, IntakeError> {
    let look = queue.life(None).await?;
    if let Some(life) = &look.life {
        match store.begin_life(life, &look, stored).await {
            Ok(()) | Err(StoreError::LedgerMoved) => {}
            Err(error) => return Err(error.into()),
        }
        if let Some(stored) = stored {
            tracing::warn!(
                former = stored.epoch,
                epoch = life.epoch,
                "Redis went back: the ledger is read from its beginning, nothing is written twice"
            );
        }
    }
    Ok(Intake::Moved)
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
