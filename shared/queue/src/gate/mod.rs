//! Outage mode: gates between the bridge and each system that it needs, shared by all replicas
//! through Redis.
//!
//! **What it needs.** A Redis, the result of every call ([`Gates::report`]), and a process that
//! tends the gates ([`Gates::tend`]) and checks a target's health when asked to. A gate is a target
//! and a kind of call ([`GateName`]); the queue's fetch script asks the gates of its queue.
//!
//! **The states** ([`GateState`]). A circuit breaker would call them closed, half-open and open.
//! ```text
//!   flowing ──(calls fail, see below)──▶ stopped
//!   stopped ──(5, 10, 20 … 60 s, or the time that the target named)──▶ probing: one holder over all replicas
//!   probing ──(health check, then one real job)──▶ ramping
//!   probing ──(either fails)──▶ stopped, twice the wait
//!   ramping ──(no job waited for its limit for 3 s)──▶ flowing
//!   ramping ──(≥ 20 % and ≥ 3 calls fail)──▶ stopped, twice the wait
//! ```
//! A gate stops when half of at least 10 calls fail within 30 s; after 5 calls in a row without a
//! connection, 4 without an answer, 8 that failed or 5 refusals of our account; and at once when
//! the target asks for fewer calls.
//!
//! **The ramp** is congestion control by what the calls give, not by the clock: 4 jobs in flight
//! over all replicas at first; at most once a second that limit doubles while answers are good, and
//! halves on trouble. Slow start and the halving are those of TCP ([RFC
//! 5681](https://www.rfc-editor.org/rfc/rfc5681)). That an answer far slower than the best one
//! counts as trouble before any is lost is from TCP Vegas, as in Netflix'
//! [concurrency-limits](https://github.com/Netflix/concurrency-limits). `scripts/ramp.lua` has the rules.
//!
//! **Properties.**
//! 1. Every transition is one atomic script by Redis' clock, so replicas cannot disagree.
//! 2. While a gate is stopped, the jobs of its queue stay where they are; their attempts are untouched.
//! 3. At most one process probes a target, and at most one job goes through meanwhile.
//! 4. A ramp lets no job through while as many are in flight as its limit says. A limit that nobody feels does not grow.
//! 5. An incident is written in the same step as the change that it describes, so exactly once.
//! 6. While all gates flow, the fetch script pays one `EXISTS`.
//! 7. The state is in Redis alone and survives its restart. If it is lost, all gates flow and stop again by the same rules.
//!
//! **Races.**
//! - *The holder of a probe is killed*: its lease expires, and the next tender begins with the health check.
//! - *A holder was frozen and wakes*: its findings are ignored.
//! - *Calls were under way when a gate stopped*: their failures change nothing; only the probe's holder counts.
//! - *The answer of a fetch is lost*: the repeated fetch says again that its job is the probe.
//! - *A worker of the release before runs beside this one*: it finds a ramp by the clock, as it knows it, beside the limit,
//!   and its jobs count as in flight.
//! - *Two targets are down*: a job goes through when both are healthy, and speaks for both.
//!
//! **Decisions.**
//! - *The first failures of an outage come before its gate stops.* So that they burn no attempts, a failed job waits up
//!   to a second for its gate's decision ([`Gates::trouble_of`]); with several busy workers that takes milliseconds.
//! - *One row must not look like an outage.* A refusal of a single row (4xx) is an answer. A row that makes the target
//!   fail (500) is held, not given back, so each probe is another job. It cannot end a ramp alone: that takes three
//!   failures. Where there is no other job, a job that had failed three times while its gate flowed pays for each probe
//!   that it fails: in the end it is a dead letter, and the gate flows again on the target's health. One failure of more
//!   than twenty calls is no trouble of a ramp either, and a job that failed waits ten seconds before it comes again.
//! - *Few events, long outage*: eight failures in a row stop a gate however far apart they are. Otherwise a lone event
//!   could die of old age.
//! - *Logins* are few: three failures in a row stop their gate. A login that cannot be made holds its job, and those who
//!   waited for it do not repeat it.
//! - *Gates of one target are probed together*: one health check a minute, not one for each kind of call. And calls of
//!   any kind move the limits of all of them: a gate that few calls pass would hold up its jobs.
//! - *A recovered target without work* ramps after a while on its health check alone, so an incident at night ends at
//!   night.
//! - *Jobs in flight are the jobs with a lease*, whatever they do at the moment: nothing is counted that could be lost.

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
pub use permits::{Permit, Permits};
pub use policy::{GatePolicy, LONGEST_ASKED};
pub use reports::CallResult;
pub use status::{GateState, GateStatus};

/// What a probe job says of the gates that let it through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProbeFinding {
    /// It was done: they may ramp.
    Done,
    /// It failed because of this target.
    Failed(GateTarget, String),
    /// It ended for reasons of its own: another job may go through.
    Undecided,
}

/// What an operator does to a gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Stops it until a hand ramps or releases it.
    Stop,
    /// Lets it flow at once.
    Release,
    /// Lets it flow by a ramp.
    Ramp,
}

impl Operation {
    /// The stored word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Release => "release",
            Self::Ramp => "ramp",
        }
    }

    /// The operation with this word; `close` and `open` are the words of older versions.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "stop" | "close" => Some(Self::Stop),
            "release" | "open" => Some(Self::Release),
            "ramp" => Some(Self::Ramp),
            _ => None,
        }
    }
}
