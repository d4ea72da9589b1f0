//! What shall be done: a job means "make the page of this row equal to the row", whatever events asked for it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::event::EventKind;
use crate::id::{EventId, InvalidId, PageId, RowKey};
use crate::ledger::Seq;
use crate::time::Timestamp;

/// What the keys of the jobs of wiki pages begin with.
const PAGE: &str = "page/";
/// What the keys of the jobs of shares begin with.
const SHARE: &str = "share/";

/// The queue's key of a job: at most one job per key exists, and it never runs twice at once.
///
/// A row's job has the row's text (`t12/r345`); a wiki page's `page/<id>`, a share's `share/<id>`; a notice's `notice/<event id>/<rule>`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct JobKey(String);

impl JobKey {
    /// The key of a row's sync job.
    pub fn of_row(row: RowKey) -> Self {
        Self(row.to_string())
    }
    /// Takes a stored key: 1 to 256 printable ASCII characters.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        let what = "job key";
        if text.is_empty() {
            return Err(InvalidId::Empty { what });
        }
        if text.len() > 256 {
            return Err(InvalidId::TooLong { what, limit: 256 });
        }
        match text.bytes().position(|b| !b.is_ascii_graphic()) {
            Some(position) => Err(InvalidId::Character { what, position }),
            None => Ok(Self(text.to_owned())),
        }
    }
    /// The key of the job of a wiki page.
    pub fn of_page(page: &PageId) -> Self {
        Self(format!("{PAGE}{page}"))
    }
    /// The key of the job of a share of a wiki page; its id has the alphabet of a page's.
    pub fn of_share(share: &PageId) -> Self {
        Self(format!("{SHARE}{share}"))
    }
    /// The wiki page, where the job is a page's.
    pub fn page(&self) -> Option<PageId> {
        PageId::parse(self.0.strip_prefix(PAGE)?).ok()
    }
    /// The share, where the job is a share's.
    pub fn share(&self) -> Option<PageId> {
        PageId::parse(self.0.strip_prefix(SHARE)?).ok()
    }
    /// Whether it is about something that can be looked at again at any time: a row, a page, a share. A notice cannot.
    pub fn can_be_asked_for(&self) -> bool {
        self.row().is_some() || self.page().is_some() || self.share().is_some()
    }
    /// The row, where the job is a row's.
    pub fn row(&self) -> Option<RowKey> {
        self.0.parse().ok()
    }
    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for JobKey {
    type Error = InvalidId;
    fn try_from(text: String) -> Result<Self, InvalidId> {
        Self::parse(&text)
    }
}

impl From<JobKey> for String {
    fn from(key: JobKey) -> Self {
        key.0
    }
}

impl fmt::Display for JobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

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
    /// The kinds in the set.
    pub fn iter(self) -> impl Iterator<Item = EventKind> {
        Self::ALL.into_iter().filter(move |kind| self.contains(*kind))
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
    /// The last ledger entry that this run answers for: settling closes the row's open items up to it.
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
