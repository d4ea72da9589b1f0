//! The foreign systems, one each. Only here does an HTTP status become a [`Failure`](crate::failure::Failure).

mod answer;
pub mod baserow;
mod baserow_answers;
pub mod baserow_user;
pub mod docmost;
mod docmost_account;
mod docmost_answers;
mod docmost_call;
mod docmost_session;
pub mod guard;
pub mod mail;
pub mod slack;
