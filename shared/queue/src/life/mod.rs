//! One life of Redis' data, and how many deliveries were answered in it.
//!
//! Redis may go back: a power cut that takes the last second, a failover to a replica that lagged,
//! a restored copy, a `FLUSHALL`. Nothing in the data says so by itself. So a small record names
//! the life of the data (its *epoch*), and the accept script counts in it what it answers:
//! deliveries that are new (queued or ignored) and repetitions, of the ingress, of its spool as it
//! drains, and of the bridge itself (requested syncs, adopted tasks, replayed letters). Not
//! counted: a call that is repeated because its answer was lost; what a replay or an adoption found
//! done already. Every receipt in the ledger carries the count, so a gap between two entries shows
//! what is missing between them. Every entry, of whatever facts, carries its own number, so a gap
//! shows also where nothing but settlements or acts are missing.
//!
//! Whoever finds that Redis knows less than it had answered begins a new life; of several, one
//! wins. What to do about it is the store's affair: it compares the epoch with the one that it
//! knows.
//!
//! | file | part |
//! |---|---|
//! | `life.lua` | reading the record and beginning a new life, in one step |
//! | `memory.rs` | what this process has seen of the count |
//! | `watch.rs` | looks again and again, in each process |

mod memory;
mod watch;

pub(crate) use memory::{Memory, Seen};
pub use watch::LifeWatch;

use crate::server::scripts::script;
use crate::{Queue, QueueError};

script!(LIFE, "life.lua");

/// The version of the keys and their contents that this program writes. A Redis without a record
/// has layout 1.
pub const LAYOUT: u64 = 2;
/// The layout of the releases that kept no record.
const FIRST_LAYOUT: u64 = 1;

/// What is recorded of the present life of the data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Life {
    /// Its name.
    pub epoch: String,
    /// Deliveries answered when it began; the count goes on from there.
    pub base: u64,
    /// The stream id of the last ledger entry of the time before; `None` where the stream was
    /// empty.
    pub after: Option<String>,
    /// The life before, as far as whoever began this one knew it.
    pub former: Option<String>,
    /// How many deliveries were answered in the life before, as far as any process knows; 0 where
    /// none does.
    pub known: u64,
}

/// One look at Redis, all of one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LifeLook {
    /// The present life; `None` before the first start, or where the data are gone.
    pub life: Option<Life>,
    /// Deliveries answered, by the count of Redis.
    pub answered: u64,
    /// The number of the last ledger entry; `None` where none has a number yet.
    pub entries: Option<u64>,
    /// The stream id of the newest ledger entry (up to the one that was asked for).
    pub newest: Option<String>,
    layout: u64,
}

/// A life that is to end, and what is known of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EndedLife {
    /// The epoch that Redis has now; `None` where it has none.
    pub replaced: Option<String>,
    /// The epoch that the caller knew; `None` if it knew none.
    pub former: Option<String>,
    /// How many deliveries of that one were answered, as far as the caller knows.
    pub known: u64,
}

type Answer = (String, String, String, String, String, String, String, String, String);

impl Queue {
    /// Looks at the life of the data, and which ledger entry is the newest up to a stream id
    /// (`None`: of all).
    ///
    /// # Errors
    /// [`QueueError::NewerLayout`] if a later version of the programs has written this Redis.
    pub async fn life(&self, up_to: Option<&str>) -> Result<LifeLook, QueueError> {
        self.ask_life("read", up_to, &EndedLife::default()).await
    }

    /// Begins a new life in place of the present one, unless that has been done already; then what
    /// the caller knows of the life before is added. Returns the life that there is now.
    ///
    /// # Errors
    /// [`QueueError::NewerLayout`] if a later version of the programs has written this Redis.
    pub async fn begin_life(&self, ending: &EndedLife) -> Result<LifeLook, QueueError> {
        self.ask_life("begin", None, ending).await
    }

    async fn ask_life(&self, verb: &str, up_to: Option<&str>, ending: &EndedLife) -> Result<LifeLook, QueueError> {
        let keys = &self.inner.keys;
        let mut call = LIFE.call(2);
        call.arg(&keys.life).arg(&keys.ledger);
        call.arg(verb).arg(up_to.unwrap_or("+")).arg(LAYOUT);
        call.arg(ending.replaced.as_deref().unwrap_or_default())
            .arg(ulid::Ulid::generate().to_string());
        call.arg(ending.former.as_deref().unwrap_or_default()).arg(ending.known);
        let look = read(call.send(&self.inner.redis).await?);
        if look.layout > LAYOUT {
            return Err(QueueError::NewerLayout { found: look.layout });
        }
        Ok(look)
    }
}

fn read((epoch, answered, layout, base, after, former, known, entries, newest): Answer) -> LifeLook {
    let number = |text: &str| text.parse().unwrap_or(0);
    let named = |text: String| Some(text).filter(|text| !text.is_empty());
    LifeLook {
        answered: number(&answered),
        entries: entries.parse().ok(),
        newest: named(newest),
        layout: layout.parse().unwrap_or(FIRST_LAYOUT),
        life: named(epoch).map(|epoch| Life {
            epoch,
            base: number(&base),
            after: named(after),
            former: named(former),
            known: number(&known),
        }),
    }
}
