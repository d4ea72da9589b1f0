//! What the ingress, the workers and the operator's program must agree on, and nothing else.
//!
//! | module | decides |
//! |---|---|
//! | [`id`] | the ids: every one is parsed once and then trusted |
//! | [`time`] | the only place that reads the clock |
//! | [`event`] | what came in: one proven delivery and the rows that it names |
//! | [`job`] | what shall be done: make one page equal to one row |
//! | [`outcome`] | how an event may end |
//! | [`ledger`] | the facts that travel through the ledger stream into the store |
//! | [`gate`] | outage mode: whether a target is spared, probed or ramped up |
//! | [`loops`] | which rows go in circles and are left alone for a while |
//! | [`queue`] | the durable work queue: Redis keys and scripts live there alone |
//! | [`schedule`] | what is due from time to time: who does it, and when |
//! | [`store`] | the SQL store: events, outcomes, links, intents |
//! | [`config`] | settings and `bridge.toml`: the only place that reads the environment |
//! | [`telemetry`] | log fields and metric names |

pub mod config;
pub mod event;
pub mod gate;
pub mod id;
pub mod job;
pub mod ledger;
pub mod loops;
pub mod outcome;
pub mod queue;
pub mod schedule;
pub mod store;
pub mod telemetry;
pub mod time;
