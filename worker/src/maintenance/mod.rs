//! What workers do besides jobs: taking new rules, moving the ledger into the store, probing targets, periodic tasks,
//! health, what stands still.

pub mod health;
pub mod heartbeat;
pub mod ledger_writer;
pub mod probe;
pub mod reconcile;
pub mod reload;
pub mod sources;
pub mod stalls;
pub mod tasks;
