//! The queue through its public edge, on a real Redis that each test starts for itself.

mod accepting;
mod working;
mod world;
