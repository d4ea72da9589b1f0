//! The durable work queue, keyed by row.

mod accept;
mod adopt;
mod backend;
mod connection;
mod control;
mod dead;
mod error;
mod fetch;
mod group_commit;
mod keys;
#[cfg(test)]
mod laws;
mod lease;
mod ledger_stream;
mod record;
mod schedule;
mod scripts;
mod settle;
mod wake;

use std::fmt;
use std::sync::Arc;

use accept::AcceptCommit;
pub use accept::{AcceptStatus, Accepted};
pub use backend::{BackendSettings, WorkerBackend};
pub use connection::{Durability, Redis};
pub use control::QueueStats;
pub use dead::DeadLetter;
pub use error::QueueError;
use group_commit::GroupCommit;
use keys::Keys;
pub use keys::QueueName;
pub use lease::Leased;
use settle::SettleCommit;
pub use settle::Settled;

/// The queue. Cheap to clone; clones share their groups.
#[derive(Clone)]
pub struct Queue {
    inner: Arc<Inner>,
}

struct Inner {
    redis: Redis,
    keys: Arc<Keys>,
    acceptor: GroupCommit<AcceptCommit>,
    settler: GroupCommit<SettleCommit>,
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Queue").field(&self.inner.keys.queue).finish()
    }
}

impl Queue {
    /// The queue of this name on this Redis. Make one per process and clone it: deliveries are grouped per instance.
    pub fn new(redis: Redis, name: QueueName) -> Self {
        let keys = Arc::new(Keys::new(redis.prefix(), name));
        Self {
            inner: Arc::new(Inner {
                acceptor: GroupCommit::new(AcceptCommit::new(redis.clone(), Arc::clone(&keys))),
                settler: GroupCommit::new(SettleCommit::new(redis.clone(), Arc::clone(&keys))),
                redis,
                keys,
            }),
        }
    }
}

/// Twelve characters that nobody else has chosen: names callers and calls, of which Redis keeps one at a time.
fn short_id() -> String {
    let id = ulid::Ulid::generate().to_string();
    id[id.len() - 12..].to_owned()
}
