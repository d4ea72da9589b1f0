//! The ledger writer on a real Redis and real databases: turns, outages, the end.

mod turns;
mod world;
