//! How an accepted event may end. There is no other way: a result without a name here does not
//! exist.

use std::fmt;
use std::str::FromStr;

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

/// The one table of the stored names: each with its variant, and what its stored reason is read as.
/// Lists of outcomes are in its order.
macro_rules! stored {
    ($($variant:ident $(($reason:ty))? => $name:literal),+ $(,)?) => {
        impl Outcome {
            /// All stored names.
            pub const NAMES: [&'static str; [$($name),+].len()] = [$($name),+];

            /// The stored name, as in metrics, logs and the `outcome` column.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$variant { .. } => $name),+
                }
            }

            /// Reads one back from its stored form; `None` if we never store such a name or reason.
            pub fn of_stored(name: &str, reason: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$variant $((reason.parse::<$reason>().ok()?))?),)+
                    _ => None,
                }
            }
        }
    };
}

stored! {
    Synced => "synced",
    NoChange => "no_change",
    Dead(String) => "dead",
    Ignored(IgnoredReason) => "ignored",
    Superseded => "superseded",
    Echo => "echo",
    Duplicate => "duplicate",
    RowNotFound => "row_not_found",
    Rejected(String) => "rejected",
}

impl Outcome {
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
    /// All of them.
    pub const ALL: [Self; 4] = [Self::NoRule, Self::TestCall, Self::UnknownEvent, Self::NoRows];

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

impl FromStr for IgnoredReason {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|reason| reason.as_str() == word);
        found.ok_or_else(|| format!("{word:?} is no reason to ignore an event"))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_reads_back_as_it_was_stored_under_the_name_that_it_has_in_json() {
        for name in Outcome::NAMES {
            let reasons = match name {
                "ignored" => IgnoredReason::ALL.map(IgnoredReason::as_str).to_vec(),
                "dead" | "rejected" => vec!["", "permanent"],
                _ => vec![""],
            };
            for reason in reasons {
                let outcome = Outcome::of_stored(name, reason).unwrap();
                assert_eq!((outcome.name(), outcome.reason().unwrap_or_default()), (name, reason));
                let json = serde_json::to_value(&outcome).unwrap();
                assert_eq!(json["outcome"], name);
                assert_eq!(serde_json::from_value::<Outcome>(json).unwrap(), outcome);
            }
        }
        assert_eq!(Outcome::of_stored("lost", ""), None);
        assert_eq!(Outcome::of_stored("ignored", "lost"), None);
    }
}
