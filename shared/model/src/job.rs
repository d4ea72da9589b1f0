//! What shall be done: a job means "make the page of this row equal to the row", whatever events
//! asked for it.

use std::ops::BitOr;

use serde::{Deserialize, Serialize};

use crate::event::EventKind;
use crate::id::{EventId, JobKey};
use crate::seq::Seq;
use crate::time::Timestamp;

/// Which kinds of event a job answers: a set of at most five, so that a job's record never grows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventKinds(u8);

impl EventKinds {
    const ALL: [EventKind; 5] = [
        EventKind::Created,
        EventKind::Updated,
        EventKind::Deleted,
        EventKind::Forced,
        EventKind::Other,
    ];

    fn bit(kind: EventKind) -> u8 {
        match kind {
            EventKind::Created => 1,
            EventKind::Updated => 2,
            EventKind::Deleted => 4,
            EventKind::Forced => 8,
            EventKind::Other => 16,
        }
    }
    /// The set with one kind.
    pub fn of(kind: EventKind) -> Self {
        Self(Self::bit(kind))
    }
    /// From the stored bits; unknown bits are dropped.
    pub fn from_bits(bits: u8) -> Self {
        Self(bits & 0b1_1111)
    }
    /// The stored bits.
    pub fn bits(self) -> u8 {
        self.0
    }
    /// Whether the kind is in the set.
    pub fn contains(self, kind: EventKind) -> bool {
        self.0 & Self::bit(kind) != 0
    }
    /// Whether all kinds of another set are in the set.
    pub fn has_all(self, others: Self) -> bool {
        others.0 & !self.0 == 0
    }
    /// The kinds in the set.
    pub fn iter(self) -> impl Iterator<Item = EventKind> {
        Self::ALL.into_iter().filter(move |kind| self.contains(*kind))
    }
}

impl BitOr for EventKinds {
    type Output = Self;

    fn bitor(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }
}

impl FromIterator<EventKind> for EventKinds {
    fn from_iter<T: IntoIterator<Item = EventKind>>(kinds: T) -> Self {
        kinds.into_iter().map(Self::of).fold(Self::default(), Self::bitor)
    }
}

/// One job as a worker gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its key.
    pub key: JobKey,
    /// Counted attempts that ended before this one. 0 for the first.
    pub attempts: u32,
    /// Times that a worker vanished while running it (lease expired).
    pub crashes: u32,
    /// The last ledger entry that this run answers for: settling closes the row's open items up to
    /// it.
    pub covers: Seq,
    /// The kinds of the events that it answers for.
    pub kinds: EventKinds,
    /// The last event that it answers for.
    pub last_event: EventId,
    /// When the first event that it answers for was accepted (Redis clock).
    pub waiting_since: Timestamp,
    /// When the first of its uninterrupted failures was, if it has failed.
    pub failing_since: Option<Timestamp>,
}
