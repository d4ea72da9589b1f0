//! The words that the ingress, the workers and the operator's program share. No I/O but reading
//! settings.
//!
//! | module | decides |
//! |---|---|
//! | [`id`] | the ids: every one is parsed once and then trusted |
//! | [`named`] | which row or table people mean: by name, number or address |
//! | [`time`] | the only place that reads the clock |
//! | [`event`] | what came in: one proven delivery and the rows that it names |
//! | [`job`] | what shall be done: make one page equal to one row |
//! | [`seq`] | the one order of all facts |
//! | [`outcome`] | how an event may end |
//! | [`ledger`] | the facts that travel through the ledger stream into the store |
//! | [`config`] | settings and `bridge.toml`: the only place that reads the environment |
//! | [`metrics`] | every metric, its labels and its help text |
//! | [`shown`] | what people may see of a text: no secret, no control character |
//! | [`telemetry`] | the format of logs |
//! | [`trace_context`] | under which trace an event stands |

#![warn(missing_docs)]

pub mod config;
pub mod event;
pub mod id;
pub mod job;
pub mod ledger;
pub mod metrics;
pub mod named;
pub mod outcome;
pub mod seq;
pub mod shown;
pub mod telemetry;
pub mod time;
pub mod trace_context;
