//! The fault matrix: it finds what nobody imagined.
//!
//! A seed makes a [`schedule`]: what people do, and what breaks when. [`run()`] starts a world of
//! real processes for it, plays it, mends everything, and lets the judge look: at what the ingress
//! answered, at the sandbox's rows, pages and mails, and at what the operator's program prints.
//! `docs/FAULT-MATRIX.md` says how to run it and how to read a red seed.

pub mod campaign;
mod chance;
mod check;
mod cover;
mod link;
pub mod options;
mod play;
mod run;
pub mod schedule;
pub mod seed;
mod shrink;
pub mod soak;
mod world;

pub use check::Violation;
pub use run::{Report, run};
