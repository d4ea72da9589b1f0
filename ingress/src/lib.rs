//! The ingress: proves the caller, understands the delivery, makes it durable, and only then
//! answers 200.
//!
//! | file | decides |
//! |---|---|
//! | [`server`] | the routes, in one block, and the limits of the server |
//! | `routes/webhook.rs` | the way of one delivery: prove, parse, accept, answer |
//! | `routes/health.rs` | alive, ready, measured |
//! | `body/` | how a body is read, with bounded memory and time |
//! | `connections.rs` | how long a connection is kept, and whom a stop waits for |
//! | [`bridge`] | what the ingress needs of `bridge.toml`, and what is wrong with it |
//! | `reload.rs` | a new `bridge.toml` while the ingress runs |
//! | `proof.rs` | who may call |
//! | `payload.rs` | what Baserow's JSON means; the wire format is known nowhere else |
//! | `items.rs` | how rows become the delivery's items |
//! | `loop_guard.rs` | which rows get too many identical events |
//! | `echo.rs` | whether an update was caused by our own write |
//! | `rejection.rs` | HTTP status and reason code of every refusal |
//! | `spool/` | where a delivery waits while Redis is away |
//! | `metrics.rs` | names of the numbers at `/metrics` |
//! | [`settings`] | the settings, and what is wrong with them |
//!
//! Not here: the queue's keys and scripts (`shared/queue/src/`), what a rule does with a row
//! (`worker/src/rules/`).

mod body;
pub mod bridge;
mod connections;
mod echo;
#[cfg(test)]
mod fuzz;
mod items;
mod loop_guard;
mod metrics;
mod payload;
mod proof;
mod rejection;
mod reload;
mod routes;
pub mod server;
pub mod settings;
mod spool;
mod wiki_payload;
