//! The foreign systems, one each. Only here does an HTTP status become a
//! [`Failure`](crate::failure::Failure).

mod answer;
pub use answer::no_answer;
pub mod baserow;
mod certificate;
pub mod docmost;
pub mod guard;
pub mod lease;
pub mod mail;
pub mod slack;
