//! Answered = recorded + on the way: the conservation of deliveries, measured from what Redis had
//! answered. What never reached the store is seen here, and nowhere else. And how far the store is
//! behind.

use passerelle_model::time::Timestamp;
use passerelle_queue::Queue;
use serde::Serialize;

use super::column::signed;
use super::{IntakeError, Store};

/// The deliveries of the present life of Redis' data, repetitions included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Deliveries {
    /// Answered 200 by way of Redis, and events of the bridge's own.
    pub answered: i64,
    /// In the store.
    pub recorded: i64,
    /// In the ledger stream.
    pub on_the_way: i64,
    /// Nowhere: 0, or deliveries were lost.
    pub missing: i64,
}

/// The ledger's entries between Redis and the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Backlog {
    /// Entries that the store does not have.
    pub unread: i64,
    /// Entries of the stream that the store has and Redis has not forgotten, at least: a few, for a
    /// moment, or Redis refuses to forget them.
    pub kept: i64,
}

/// Entries of the stream that one entry of the ledger takes at most: a group of deliveries and its
/// receipt.
const MOST_STREAM_ENTRIES: i64 = 2;

/// The end of a life of Redis' data that the workers have not made up for yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct WentBack {
    /// When it was noticed.
    pub seen: Timestamp,
    /// Answered deliveries that are nowhere, as far as any process knows: at least so many.
    pub lost: i64,
}

impl Store {
    /// Whether Redis went back and the workers still repair what follows from it.
    pub async fn went_back(&self, queue: &Queue) -> Result<Option<WentBack>, IntakeError> {
        let Some((life, former)) = self.unrepaired_life().await? else {
            return Ok(None);
        };
        let present = queue.life(None).await?.life;
        Ok(Some(WentBack {
            seen: life.began,
            lost: present.map_or(0, |present| life.lost_before(&former, &present)),
        }))
    }

    /// What the store has not read yet: the number of the last entry in Redis less that of the last
    /// one in the store. Where they are not known (entries of a former version), all that the
    /// stream holds counts as unread.
    pub async fn backlog(&self, queue: &Queue) -> Result<Backlog, IntakeError> {
        let stored = self.life().await?;
        let look = queue.life(None).await?;
        let held = signed(queue.stats().await?.ledger_backlog);
        let epoch = look.life.as_ref().map(|life| &life.epoch);
        let read = stored
            .filter(|stored| Some(&stored.epoch) == epoch)
            .and_then(|stored| stored.entries);
        let unread = look
            .entries
            .zip(read)
            .map_or(held, |(all, read)| (signed(all) - read).max(0));
        Ok(Backlog {
            unread,
            kept: (held - unread * MOST_STREAM_ENTRIES).max(0),
        })
    }

    /// Compares what Redis had answered with what the store has. True also while deliveries arrive
    /// and are written: Redis is asked first, and what it had forgotten by then, the store has.
    /// `None` before the ledger of this life was read for the first time.
    pub async fn deliveries(&self, queue: &Queue) -> Result<Option<Deliveries>, IntakeError> {
        let look = queue.life(None).await?;
        let (Some(life), Some(stored)) = (&look.life, self.life().await?) else {
            return Ok(None);
        };
        let Some(base) = stored.base.filter(|_| life.epoch == stored.epoch) else {
            return Ok(None);
        };
        let answered = i64::try_from(look.answered).unwrap_or(i64::MAX).max(stored.answered);
        let unread = answered - stored.answered;
        // An empty stream had nothing on the way: what is still not in the store now is nowhere.
        let (on_the_way, gone) = if look.newest.is_some() {
            (unread, 0)
        } else {
            (0, unread)
        };
        Ok(Some(Deliveries {
            answered: answered - base,
            recorded: stored.recorded,
            on_the_way,
            missing: stored.missing() + gone,
        }))
    }
}
