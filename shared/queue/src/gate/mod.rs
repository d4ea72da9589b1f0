//! Outage mode: gates between the bridge and each system that it needs, shared by all replicas through Redis.
//!
//! **What it needs.** A Redis, every client's results ([`Gates::report`]), and somebody who tends it ([`Gates::tend`]) and checks a target's
//! health when told to. A gate is a target and a kind of call ([`GateName`]); the queue's fetch script asks the gates of its queue.
//!
//! **The states.**
//! ```text
//!   open ──(half of ≥ 10 calls fail in 30 s, 5 without a connection, 4 without an answer or 8 failures in a row, 5 refusals, "too many requests")──▶ stopped
//!   stopped ──(5, 10, 20 … 60 s, or the time that the target named)──▶ probing: one holder over all replicas
//!   probing ──(health check, then one real job)──▶ ramping        probing ──(either fails)──▶ stopped, twice the wait
//!   ramping ──(120 s of quadratic growth)──▶ open                 ramping ──(≥ 20 % and ≥ 3 calls fail)──▶ stopped, twice the ramp
//! ```
//!
//! **Properties.** (1) Every transition is one atomic script and uses Redis' clock, so replicas cannot disagree. (2) While a gate is stopped, its
//! queue's jobs stay where they are; their attempts are untouched. (3) At most one process probes a target, at most one job goes through
//! meanwhile. (4) From the start of a ramp, no more jobs are let through than its integral. (5) What people should know is written in the same
//! step as the change, so exactly once. (6) All gates open costs the fetch script one `EXISTS`. (7) The state is in Redis alone and survives
//! its restart; if it is lost, all gates are open and stop again by the same rules.
//!
//! **Races.** *The holder of a probe is killed*: its lease expires, the next tender takes over and begins with the health check. *A holder was
//! frozen and wakes*: what it found is not believed any more. *Calls were under way when a gate stopped*: their failures change nothing; only
//! the probe's holder is heard. *The answer of a fetch is lost*: the repeated fetch tells again that its job is the probe.
//! *Two targets are down*: a job goes through when both are healthy, and speaks for both.
//!
//! **Decisions.**
//! - *The first failures of an outage come before its gate stops.* So that they burn no attempts, a failed job waits up to a second for its gate
//!   to make up its mind ([`Gates::trouble_of`]); with several workers busy that takes milliseconds.
//! - *One row must not look like an outage.* A refusal of a single row (4xx) is an answer. A row that makes the target fail (500) is held,
//!   not given back, so each probe is another job; and it cannot end a ramp alone, for that takes three failures. Where there is no other job,
//!   a job that had failed three times while its gate was open pays for each probe that it fails: in the end it is a dead letter, and the
//!   gate opens on the target's health.
//! - *Few events, long outage*: eight failures in a row stop a gate however far apart they are; else a lone event could die of old age.
//! - *Logins* are few: three failures in a row stop their gate. A login that cannot be made holds its job, and is not repeated by those who
//!   waited for it.
//! - *Gates of one target are probed together*: one health check a minute, not one for each kind of call.
//! - *A recovered target without work* ramps up after a while on its health check alone, so that an incident at night ends at night.

mod gates;
mod incident;
mod name;
mod operator;
mod permits;
mod policy;
mod reports;
mod scripts;
mod status;

pub use gates::Gates;
pub use incident::{Incident, IncidentKind, announce};
pub use name::{GateName, GateTarget};
pub use permits::{Permits, Turn};
pub use policy::GatePolicy;
pub use reports::CallResult;
pub use status::{GateState, GateStatus};

/// What a probe job says of the gates that let it through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProbeFinding {
    /// It was done: they may ramp up.
    Done,
    /// It failed because of this target.
    Failed(GateTarget, String),
    /// It ended for reasons of its own: let another job through.
    Undecided,
}

/// What an operator does to a gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Stops it until a hand opens or ramps it.
    Close,
    /// Opens it at once.
    Open,
    /// Opens it by a ramp.
    Ramp,
}

impl Operation {
    /// The stored word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Close => "close",
            Self::Open => "open",
            Self::Ramp => "ramp",
        }
    }
}
