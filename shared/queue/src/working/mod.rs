//! From a queued job to its settled attempt.
//!
//! | file | part |
//! |---|---|
//! | `backend.rs`, `feeder.rs` | the source of jobs for an apalis worker: buffer, back-pressure, stopping |
//! | `fetch.rs` | takes jobs, and takes back those of vanished workers |
//! | `lease.rs` | a job in a worker's hands: [`crate::Leased`], renewing, noticing a loss |
//! | `roster.rs` | which jobs a worker process has leased |
//! | `validity.rs` | how long a lease is valid, by the clock of its holder |
//! | `crash.rs` | what follows when a worker or a handler vanishes |
//! | `record.rs` | a job's record: packing and reading it |
//! | `ending.rs`, `settle.rs` | how attempts end, and how that is recorded |
//! | `workers.rs` | which workers are alive, and what they run |

pub(crate) mod backend;
pub(crate) mod crash;
pub(crate) mod ending;
pub(crate) mod feeder;
pub(crate) mod fetch;
pub(crate) mod lease;
pub(crate) mod record;
pub(crate) mod roster;
pub(crate) mod settle;
pub(crate) mod validity;
pub(crate) mod workers;
