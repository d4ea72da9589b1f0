//! One file per kind of address; `server.rs` maps addresses to them.

pub(crate) mod health;
pub(crate) mod refused;
pub(crate) mod webhook;
