//! Ids with an invariant: parsed once at the edge, trusted ever after.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use job_key::{ForeignKey, JobKey, NoticeId, Subject};

/// Why a text is not the id that it claims to be. Safe to show to the sender: it never quotes the
/// value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidId {
    /// The text has no characters.
    #[error("{what} is empty")]
    Empty {
        /// Which kind of id was expected.
        what: &'static str,
    },
    /// The text is longer than the kind allows.
    #[error("{what} is longer than {limit} characters")]
    TooLong {
        /// Which kind of id was expected.
        what: &'static str,
        /// Most characters that the kind allows.
        limit: usize,
    },
    /// The text has a character outside the kind's alphabet.
    #[error("{what} has a character that is not allowed at position {position}")]
    Character {
        /// Which kind of id was expected.
        what: &'static str,
        /// Zero-based position of the first such character.
        position: usize,
    },
    /// The text begins as only the bridge's own ids do.
    #[error("{what} begins with `{prefix}`, which is reserved")]
    Reserved {
        /// Which kind of id was expected.
        what: &'static str,
        /// The reserved beginning.
        prefix: &'static str,
    },
    /// The text is not a positive whole number.
    #[error("{what} is not a positive whole number")]
    NotPositive {
        /// Which kind of id was expected.
        what: &'static str,
    },
}

fn check(what: &'static str, text: &str, limit: usize, allowed: fn(char) -> bool) -> Result<(), InvalidId> {
    if text.is_empty() {
        return Err(InvalidId::Empty { what });
    }
    if text.chars().count() > limit {
        return Err(InvalidId::TooLong { what, limit });
    }
    match text.chars().position(|c| !allowed(c)) {
        Some(position) => Err(InvalidId::Character { what, position }),
        None => Ok(()),
    }
}

/// Declares a text id: private field, checked constructor, checked deserialisation.
macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $limit:literal, $allowed:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Checks the text and takes it as this id.
            pub fn parse(text: &str) -> Result<Self, InvalidId> {
                check($what, text, $limit, $allowed).map(|()| Self(text.to_owned()))
            }
            /// The id as text.
            pub fn as_str(&self) -> &str { &self.0 }
        }
        impl TryFrom<String> for $name {
            type Error = InvalidId;
            fn try_from(text: String) -> Result<Self, InvalidId> { Self::parse(&text) }
        }
        impl From<$name> for String {
            fn from(id: $name) -> Self { id.0 }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(&self.0) }
        }
    };
}

// Behind the macro, which it uses.
mod job_key;

text_id!(
    /// The sender's id of an event. Baserow shares one over webhooks and pages: never a key by
    /// itself (see [`crate::event::DeliveryKey`]).
    EventId, "event id", 128, |c| c.is_ascii_graphic()
);
text_id!(
    /// The last segment of the path a sender calls, e.g. `projet-changed`.
    SourceName, "source name", 64, |c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
);
text_id!(
    /// A page's id in the wiki (Docmost: a uuid). Opaque to us.
    PageId, "page id", 64, |c| c.is_ascii_alphanumeric() || c == '-'
);
text_id!(
    /// Which of a row's pages: `page` for the page itself, `bloc-17` for a sub-page. Also part of a
    /// label, hence the alphabet.
    Slot, "slot", 48, |c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'
);
text_id!(
    /// One process start of one worker or ingress; unique, so that a restart is never mistaken for
    /// its predecessor.
    ProcessName, "process name", 128, |c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
);

/// What the ids of the bridge's own events begin with. No sender can use it: its delivery could be
/// taken for ours.
const OWN: &str = "bridge:";

impl EventId {
    /// Takes a sender's id.
    pub fn of_sender(text: &str) -> Result<Self, InvalidId> {
        if text.starts_with(OWN) {
            return Err(InvalidId::Reserved {
                what: "event id",
                prefix: OWN,
            });
        }
        Self::parse(text)
    }

    /// The name of an event of our own; `None` for a sender's.
    pub fn own_name(&self) -> Option<&str> {
        self.0.strip_prefix(OWN)
    }

    /// The id of an event of our own.
    pub fn own(name: &str) -> Result<Self, InvalidId> {
        Self::parse(&format!("{OWN}{name}"))
    }
}

impl Slot {
    /// The slot of a row's own page.
    pub fn page() -> Self {
        Self("page".to_owned())
    }
}

impl ProcessName {
    /// A new unique name, e.g. `worker-01JD…`.
    pub fn unique(role: &str) -> Self {
        Self(format!("{role}-{}", ulid::Ulid::generate().to_string().to_lowercase()))
    }
}

/// Declares a positive number id.
macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "u64", into = "u64")]
        pub struct $name(u64);

        impl $name {
            /// Checks the number (1 to 2^63-1, so that it fits SQL and Redis) and takes it as this
            /// id.
            pub fn new(number: u64) -> Result<Self, InvalidId> {
                if number == 0 || i64::try_from(number).is_err() {
                    return Err(InvalidId::NotPositive { what: $what });
                }
                Ok(Self(number))
            }
            /// The id as a number.
            pub fn get(self) -> u64 { self.0 }
        }
        impl TryFrom<u64> for $name {
            type Error = InvalidId;
            fn try_from(number: u64) -> Result<Self, InvalidId> { Self::new(number) }
        }
        impl From<$name> for u64 {
            fn from(id: $name) -> Self { id.0 }
        }
        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                text.parse().map_err(|_| InvalidId::NotPositive { what: $what }).and_then(Self::new)
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { self.0.fmt(f) }
        }
    };
}

number_id!(
    /// A Baserow table.
    TableId, "table id"
);
number_id!(
    /// A Baserow row.
    RowId, "row id"
);
number_id!(
    /// A Baserow webhook.
    WebhookId, "webhook id"
);

/// A row in its table: the key of a sync job. Prints as `t12/r345`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RowKey {
    /// The table.
    pub table: TableId,
    /// The row in it.
    pub row: RowId,
}

impl fmt::Display for RowKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "t{}/r{}", self.table, self.row)
    }
}

impl FromStr for RowKey {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let not_a_key = InvalidId::Character {
            what: "row key",
            position: 0,
        };
        let (table, row) = text
            .strip_prefix('t')
            .and_then(|rest| rest.split_once("/r"))
            .ok_or(not_a_key)?;
        Ok(Self {
            table: table.parse()?,
            row: row.parse()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_row_key_reads_back_as_it_was_printed(table in 1_u64..i64::MAX as u64, row in 1_u64..i64::MAX as u64) {
            let key = RowKey { table: TableId::new(table).unwrap(), row: RowId::new(row).unwrap() };
            prop_assert_eq!(key.to_string().parse::<RowKey>(), Ok(key));
        }

        #[test]
        fn no_text_makes_a_parser_panic(text in ".*") {
            let _ = (EventId::parse(&text), Slot::parse(&text), text.parse::<RowKey>(), text.parse::<RowId>());
        }
    }

    #[test]
    fn zero_and_numbers_beyond_sql_are_refused() {
        assert!(RowId::new(0).is_err());
        assert!(RowId::new(u64::MAX).is_err());
        assert!(serde_json::from_str::<TableId>("0").is_err());
    }

    #[test]
    fn no_sender_can_use_the_id_of_an_event_of_our_own() {
        let own = EventId::own("replay-01J").unwrap();
        assert_eq!(own.as_str(), "bridge:replay-01J");
        assert_eq!(own.own_name(), Some("replay-01J"));
        assert!(EventId::of_sender(own.as_str()).is_err());
        assert!(EventId::of_sender("replay-01J").is_ok());
        assert_eq!(EventId::parse(own.as_str()), Ok(own));
    }

    #[test]
    fn an_event_id_with_a_space_or_a_newline_is_refused() {
        assert_eq!(
            EventId::parse("a b"),
            Err(InvalidId::Character {
                what: "event id",
                position: 1
            })
        );
        assert!(EventId::parse("a\n").is_err());
        assert!(EventId::parse("").is_err());
        assert!(EventId::parse(&"x".repeat(129)).is_err());
    }
}
