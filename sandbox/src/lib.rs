//! Stateful stand-ins for Baserow and Docmost, for the demo, the tests and the benches.
//!
//! They speak the products' HTTP as observed on real servers (the captures are under `tests/contract/captures/`), keep their
//! state in memory, and can be made to fail in every way that was seen: [`faults`] tells which, and how to switch it.
//! [`server`] is the skeleton that both share; [`baserow`] and [`docmost`] are the products.

pub mod baserow;
pub mod calls;
mod clock;
mod control;
pub mod docmost;
pub mod faults;
mod manners;
mod middleware;
pub mod notices;
pub mod program;
pub mod server;
pub mod slack;
pub mod smtp;
