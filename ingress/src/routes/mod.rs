//! One file per kind of address; which address leads where stands in `server.rs`.

pub(crate) mod health;
pub(crate) mod refused;
pub(crate) mod webhook;
