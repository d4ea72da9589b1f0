//! The value of one field of a row, as people see it and as it is.

use serde::{Deserialize, Serialize};

use passerelle_model::id::RowId;

/// The value of one field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cell {
    Empty,
    Flag(bool),
    /// Texts and names, and the text of a choice.
    Text(String),
    /// What has a value of its own besides its looks.
    Measure(Measure),
    /// Rows of another table.
    Links(Vec<LinkedRow>),
    /// An address with a text.
    Web(WebLink),
    /// Several values: multiple choices, people, files, look-ups.
    List(Vec<Cell>),
    /// What this version cannot read, and why.
    Unreadable(String),
}

/// A number, date, moment or duration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measure {
    /// As people see it in Baserow.
    pub shown: String,
    pub exact: Exact,
}

/// The value behind the looks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exact {
    /// A decimal number, as Baserow writes it.
    Number(String),
    /// What a formula gives that divides by zero.
    NoNumber,
    /// `2026-01-31`.
    Date(String),
    Moment {
        /// `2026-01-31T10:00:00Z`.
        at: String,
        /// Where people see it told, by its name in the time zone database.
        zone: Option<String>,
    },
    /// A duration in seconds.
    Seconds(f64),
}

/// An address with a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebLink {
    /// What people see: its label, or else the address.
    pub shown: String,
    pub url: String,
    /// Whether people click on it in Baserow; the address of a file may differ at each reading.
    pub is_clicked: bool,
}

/// A row of another table, as a link shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkedRow {
    /// Its id in the other table.
    pub id: RowId,
    /// Its primary field when this row was read.
    pub text: String,
}

impl Cell {
    /// What people see, where it is one text that is not empty.
    pub fn text(&self) -> Option<&str> {
        let text = match self {
            Self::Text(text) => text,
            Self::Measure(measure) => &measure.shown,
            Self::Web(link) => &link.shown,
            // A look-up of one row.
            Self::List(items) => match items.as_slice() {
                [item] => return item.text(),
                _ => return None,
            },
            Self::Empty | Self::Flag(_) | Self::Links(_) | Self::Unreadable(_) => return None,
        };
        (!text.is_empty()).then_some(text.as_str())
    }

    /// The finite number that it holds; hours for a duration.
    pub fn number(&self) -> Option<f64> {
        let text = match self {
            Self::Text(text) => text,
            Self::Measure(measure) => match &measure.exact {
                Exact::Number(number) => number,
                Exact::Seconds(seconds) => return Some(seconds / 3600.0),
                Exact::NoNumber | Exact::Date(_) | Exact::Moment { .. } => return None,
            },
            Self::List(items) => match items.as_slice() {
                [item] => return item.number(),
                _ => return None,
            },
            _ => return None,
        };
        text.trim().parse().ok().filter(|number: &f64| number.is_finite())
    }

    /// Whether it holds nothing, or what a formula gives that divides by zero.
    pub fn is_unknown(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Text(text) => text.trim().is_empty() || text.parse().is_ok_and(|number: f64| !number.is_finite()),
            Self::Measure(measure) => measure.exact == Exact::NoNumber,
            Self::List(items) => items.iter().all(Self::is_unknown),
            Self::Flag(_) | Self::Links(_) | Self::Web(_) | Self::Unreadable(_) => false,
        }
    }

    /// Why it cannot be read, if so; also of one of several values.
    pub fn unreadable(&self) -> Option<&str> {
        match self {
            Self::Unreadable(why) => Some(why),
            Self::List(items) => items.iter().find_map(Self::unreadable),
            _ => None,
        }
    }
}
