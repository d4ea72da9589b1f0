//! The sandbox's collaborative documents behave as the real ones did.

mod captures;
mod client;
mod people;
mod storing;
