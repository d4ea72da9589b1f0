//! What happens when the servers beneath are away: Redis, the database, the disk, and a process
//! that is killed in the midst of it.

mod away;
mod ledger;
mod spool;
mod world;
