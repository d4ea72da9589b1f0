//! How an accepted event may end. There is no other way: a result without a name here does not
//! exist.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why an event was ignored: correctly nothing to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IgnoredReason {
    /// No rule watches this table or kind of event.
    NoRule,
    /// Baserow's "Test call" button: no webhook id, row 0.
    TestCall,
    /// A kind of event that the bridge does not use (fields, views, …).
    UnknownEvent,
    /// A notification without rows, as a linked table's edit produces.
    NoRows,
}

/// The final result of an event for one of its rows. Stored; `name` and `reason` are the stored
/// form.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "outcome", content = "reason", rename_all = "snake_case")]
#[must_use]
pub enum Outcome {
    /// The page equals the row; something was written.
    Synced,
    /// The row asks for what was last written, or the page was looked at and equals it; nothing was
    /// written.
    NoChange,
    /// The event was caused by our own write.
    Echo,
    /// The same delivery had been accepted before.
    Duplicate,
    /// A later event of the same row was carried out in its place.
    Superseded,
    /// Nothing is to be done for such an event.
    Ignored(IgnoredReason),
    /// The row was not there, and no page of it is known.
    RowNotFound,
    /// Given up, kept as a dead letter. The reason is the dead letter's.
    Dead(String),
    /// It shall not be done: an operator decided so (the reason is the operator's), or the sender
    /// named rows that nobody can read.
    Rejected(String),
}

impl Outcome {
    /// The stored name, as in metrics, logs and the `outcome` column.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Synced => "synced",
            Self::NoChange => "no_change",
            Self::Echo => "echo",
            Self::Duplicate => "duplicate",
            Self::Superseded => "superseded",
            Self::Ignored(_) => "ignored",
            Self::RowNotFound => "row_not_found",
            Self::Dead(_) => "dead",
            Self::Rejected(_) => "rejected",
        }
    }

    /// The stored reason, where the outcome has one.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Ignored(reason) => Some(reason.as_str()),
            Self::Dead(reason) | Self::Rejected(reason) => Some(reason),
            _ => None,
        }
    }
}

impl IgnoredReason {
    /// The stored word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoRule => "no_rule",
            Self::TestCall => "test_call",
            Self::UnknownEvent => "unknown_event",
            Self::NoRows => "no_rows",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason() {
            Some(reason) => write!(f, "{} ({reason})", self.name()),
            None => f.write_str(self.name()),
        }
    }
}
