//! The queue through its public edge, on a real Redis that each test starts for itself.

mod accepting;
mod adopting;
mod clock;
mod crashing;
mod failover;
mod fairness;
mod faults;
mod held;
mod letters;
mod life;
mod operating;
mod replicas;
mod secured;
mod sentinel;
mod working;
mod world;
