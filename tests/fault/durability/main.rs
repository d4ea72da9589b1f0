//! What an answered delivery survives, in each set-up of Redis (docs/GUARANTEES.md): a failover, a
//! power cut. And with how few rights.

mod failover;
mod least_rights;
mod load;
mod power_cut;
