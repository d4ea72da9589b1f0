//! The sandbox: stateful stand-ins for Baserow, Docmost, a mail server and Slack, for the demo, the
//! tests and the benches.
//!
//! They speak the products' protocols as observed on real servers (the captures are under
//! `tests/contract/captures/`), keep their state in memory, and fail on request in every way that
//! was observed ([`faults`]). [`server`] is what they share; [`baserow`], [`docmost`], [`smtp`] and
//! [`slack`] are the products. [`playground`] is a page for people who want to see them.

pub mod baserow;
pub mod calls;
mod clock;
mod control;
pub mod docmost;
pub mod faults;
mod hands;
mod manners;
mod middleware;
pub mod notices;
pub mod playground;
pub mod program;
pub mod server;
pub mod slack;
pub mod smtp;
