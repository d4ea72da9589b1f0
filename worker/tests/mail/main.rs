//! The mail client against a real SMTP server: what arrives, and what each way of failing is
//! called.

mod failing;
mod postfix;
mod sending;
mod signing_in;
mod world;
