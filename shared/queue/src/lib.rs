//! The durable work queue, keyed by row. Redis keys and scripts live here and nowhere else, and so
//! does everything of apalis-redis.
//!
//! # What is needed
//!
//! The ingress may answer 200 only for what is durable, and has to answer within a few seconds. A
//! worker may die at any instruction. Redis may restart, hang or be away for minutes. Ten events of
//! one row should cost one visit to the wiki, and two workers must never write the same page at
//! once. And whatever happens, each accepted event has to end in exactly one outcome that an
//! operator can find.
//!
//! # What it is
//!
//! The semantics are those of the work queue of Kubernetes' controllers, made durable and shared by
//! atomic scripts: a key is queued once, is never processed twice at the same time, and is never
//! forgotten if it changes while it is processed.
//!
//! | state of a job | where | left by |
//! |---|---|---|
//! | queued | list `active`, then the lane of its table | fetch |
//! | running | set `leases` by expiry, token in the record; perhaps *dirty* (events came meanwhile) | settle, or expiry |
//! | waiting | set `scheduled` by the millisecond | promotion in fetch, or a new event |
//! | dead | set `dead` and a letter of its own, so that the key is free for new events | replay, discard |
//! | gone | its record is deleted; the outcome is in the ledger | |
//!
//! A job's record (`record.rs`) never grows with its events: it keeps the last ledger entry that it
//! *covers*. A settlement says "this row, up to that entry", and whoever reads the ledger closes
//! every open event of the row up to there.
//!
//! | file | part |
//! |---|---|
//! | `accept.rs` | claim, ledger entry and jobs of a delivery in one step; the only maker of [`Accepted`] |
//! | `group_commit.rs` | while one call is in flight the next group gathers: a round trip is shared |
//! | `backend.rs`, `feeder.rs` | the source of jobs for an apalis worker: buffer, back-pressure, stopping |
//! | `fetch.rs` | taking jobs, and taking back those of vanished workers |
//! | `lease.rs` | a job in a worker's hands: [`Leased`], prolonging, noticing a loss |
//! | `ending.rs`, `settle.rs` | how attempts end, and how that is recorded |
//! | `reload.rs` | the request that all processes read their rules again |
//! | `ingresses.rs` | which ingress processes are alive, and by which `bridge.toml` each works |
//! | `dead.rs`, `control.rs`, `workers.rs` | what operators see and do: list, replay, discard, numbers, pause, who is alive |
//! | `jobs.rs` | what operators see of jobs one by one, and running one now |
//! | `enqueue.rs` | jobs that are about no row |
//! | `comparisons.rs` | tables that are to be compared with their pages |
//! | `adopt.rs` | tasks of stock apalis-redis producers become jobs |
//! | `ledger_stream.rs` | the facts, on their way to the store |
//! | `life/` | whether Redis went back, and how many deliveries it had answered |
//! | `connection.rs`, `scripts.rs`, `keys.rs`, `wake.rs`, `schedule.rs` | Redis itself |
//!
//! # What it promises, and which test holds it
//!
//! 1. An accepted event ends exactly once, as long as workers run.
//! 2. A key never runs twice at once.
//! 3. A key that changed while it ran runs again.
//! 4. Nothing but replay or discard removes a dead letter.
//! 5. The cost of a call does not depend on how much is queued, waiting or dead: every script is bounded (64 deliveries, 64 jobs, 100 endings,
//!    200 promotions, 100 expired leases), and no structure is ever walked.
//! 6. A script that is repeated because its answer was lost changes nothing more.
//!
//! All but the fifth, which the bench measures: `laws::the_laws_hold_in_every_history`.
//! Faults of Redis, of workers and of handlers: `shared/queue/tests/queue/faults.rs`.
//!
//! # Races, and what was decided
//!
//! **The answer of a call is lost.** The same call is sent again. Every call has a name; the last
//! answer of each caller is kept for ten minutes in the step that made it, so a repetition is
//! answered without a second effect. A repeated fetch finds what the first one leased by the call's
//! name in the tokens.
//!
//! **A call is carried out after its repetition**, because it lay in a frozen server's socket. An
//! accept finds its own name in the claim and does nothing. A settle finds its token gone and does
//! nothing. A fetch leases jobs that nobody runs; they are taken back when the lease expires. That
//! costs time and one of three crashes, never an event.
//!
//! **`accept` gives up** after three seconds, because its sender waits for five. The delivery may
//! still become durable; when it is accepted again the answer is `Duplicate`, and that is true.
//!
//! **A hundred thousand jobs of one table are ready, and one of another.** Tables are served in
//! turn: fetch spreads what is ready over one list per table (`lanes.lua`), at most five thousand
//! keys per call. Within a table the order is that in which jobs became ready.
//!
//! **A commit fails half-way** (a key of the wrong type). Claims are written last, so that the
//! sender's next try is not answered `Duplicate` for a delivery that is nowhere. Out of memory is
//! noticed by the first write of a script, before anything has changed; the deliveries that an
//! accept had added to the ledger before its script count for nothing without its receipt.
//!
//! **A worker is slow rather than dead.** Its lease expires and another worker runs the job. The
//! late one learns it from the next renewal ([`Lease::over`]); whatever it settles is refused by
//! the token. That both *run* for a moment cannot be excluded by any queue: effects have to be
//! idempotent anyway.
//!
//! **After an outage of Redis every lease looks expired.** A worker that noticed the outage takes
//! nothing back for half a lease, so that the holders can prolong first: they try every two
//! seconds.
//!
//! **An event arrives while its row's job waits** after a failure: the job becomes ready at once,
//! for the news may be the cure. Not after a hold (the target is away for everybody) and not after
//! a crash (it would burn the three lives in one burst).
//!
//! **An event arrives while its row's job runs**: the job is dirty. Done or buried, it begins anew
//! with the newer events and a clean slate; a dead letter answers only for the events that its run
//! had covered.
//!
//! **Tokens are names, not numbers.** A counter in Redis would go back with the second of writes
//! that a power cut may cost (`everysec`), and two workers would hold the same number.
//!
//! **Claims do not share the queue's hash tag** (their name is fixed by the spec), so the bridge
//! needs one Redis (with replicas if you like), not a cluster.
//!
//! # Why not apalis-redis' own storage
//!
//! Measured on 1.0.0: eight thousand due tasks end every worker for good; any error of Redis ends a
//! worker and drops its running handlers; batches lose their heartbeat and run twice; retries are
//! linear, capped at 25 and blind to the reason; duplicates are not reported; one unreadable
//! payload kills each worker that meets it. Its names, its task type and its producers are kept:
//! see `keys.rs` and `adopt.rs`.

#![warn(missing_docs)]

mod accepting;
mod ages;
mod comparisons;
mod control;
mod enqueue;
pub mod gate;
mod held;
mod ingresses;
mod jobs;
mod laws;
mod ledger_stream;
mod letters;
mod life;
mod locks;
pub mod loops;
mod reload;
pub mod schedule;
mod server;
mod working;

use std::fmt;
use std::sync::Arc;

use accepting::accept::AcceptCommit;
pub use accepting::accept::{AcceptStatus, Accepted};
use accepting::group_commit::GroupCommit;
pub use ages::Oldest;
pub use comparisons::Comparison;
pub use control::{ByHand, Pause, QueueStats};
pub use held::HeldTable;
pub use ingresses::IngressInfo;
pub use jobs::{JobState, JobsOf, RunNow, SeenJob, SeenJobs};
pub use letters::{DeadLetter, DeadLoad};
use life::Memory;
pub use life::{EndedLife, LAYOUT, Life, LifeLook, LifeWatch};
pub use locks::{Budget, Lock};
pub use server::backoff;
pub use server::connection::Redis;
pub use server::error::QueueError;
pub use server::facts::ServerFacts;
use server::keys::Keys;
pub use server::keys::QueueName;
pub use working::backend::{BackendSettings, WorkerBackend};
pub use working::crash::{CrashPolicy, Solo};
pub use working::lease::Leased;
pub use working::roster::{Roster, RosterEntry};
use working::settle::SettleCommit;
pub use working::settle::Settled;
pub use working::validity::Lease;
pub use working::workers::{RulesInUse, Running, WorkerInfo};

/// The queue. Cheap to clone; clones share their groups.
#[derive(Clone)]
pub struct Queue {
    inner: Arc<Inner>,
}

struct Inner {
    redis: Redis,
    name: QueueName,
    keys: Arc<Keys>,
    memory: Arc<Memory>,
    acceptor: GroupCommit<AcceptCommit>,
    settler: GroupCommit<SettleCommit>,
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Queue").field(&self.inner.keys.queue).finish()
    }
}

impl Queue {
    /// Which queue it is.
    pub fn name(&self) -> QueueName {
        self.inner.name
    }

    /// The queue of this name on this Redis. Clones share their groups: those of an instance are
    /// made and sent by the runtime that first uses it.
    pub fn new(redis: Redis, name: QueueName) -> Self {
        Self::with_memory(redis, name, Arc::default())
    }

    /// The same queue by another connection, with groups of its own. What one of them has seen of
    /// the count of deliveries, all know.
    #[must_use]
    pub fn on(&self, redis: Redis) -> Self {
        Self::with_memory(redis, self.inner.name, Arc::clone(&self.inner.memory))
    }

    fn with_memory(redis: Redis, name: QueueName, memory: Arc<Memory>) -> Self {
        let keys = Arc::new(Keys::new(redis.prefix(), name));
        let acceptor = AcceptCommit::new(redis.clone(), Arc::clone(&keys), Arc::clone(&memory));
        Self {
            inner: Arc::new(Inner {
                acceptor: GroupCommit::new(acceptor),
                settler: GroupCommit::new(SettleCommit::new(redis.clone(), Arc::clone(&keys))),
                redis,
                name,
                keys,
                memory,
            }),
        }
    }
}

/// Twelve characters that nobody else has chosen: names callers and calls, of which Redis keeps one
/// at a time.
fn short_id() -> String {
    let id = ulid::Ulid::generate().to_string();
    id[id.len() - 12..].to_owned()
}
