//! How long things may wait before they count as stalled.

use std::time::Duration;

use super::reader::Reader;

/// The ages above which a wait is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StallSettings {
    /// `STALL_QUEUED_SECONDS`: of the oldest queued job.
    pub queued: Duration,
    /// `STALL_LEDGER_SECONDS`: of the oldest ledger entry that the database does not have.
    pub ledger: Duration,
    /// `STALL_OPEN_SECONDS`: of the oldest item without an outcome.
    pub open: Duration,
    /// `STALL_GATE_SECONDS`: since a gate is stopped.
    pub gate: Duration,
}

impl StallSettings {
    /// Reads `STALL_SPOOLED_SECONDS`: of the oldest delivery in the spool of an ingress.
    pub fn longest_spooled(reader: &mut Reader) -> Duration {
        reader.seconds("STALL_SPOOLED_SECONDS", 300)
    }

    /// Reads the others.
    pub fn read(reader: &mut Reader) -> Self {
        Self {
            queued: reader.seconds("STALL_QUEUED_SECONDS", 300),
            ledger: reader.seconds("STALL_LEDGER_SECONDS", 60),
            open: reader.seconds("STALL_OPEN_SECONDS", 86_400),
            gate: reader.seconds("STALL_GATE_SECONDS", 900),
        }
    }
}
