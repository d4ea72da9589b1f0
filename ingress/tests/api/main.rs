//! The ingress through its public edge: a real server on a free port, a real Redis of the test's
//! own.

mod captures;
mod clients;
mod deliveries;
mod harness;
mod health;
mod mutations;
mod reload;
mod replicas;
mod set_aside;
mod spool;
mod traces;
mod watched;
