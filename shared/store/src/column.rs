//! How our values become column values and back. What cannot be read back names its column.

use super::StoreError;
use passerelle_model::event::EventKind;
use passerelle_model::id::{InvalidId, RowId, TableId};
use passerelle_model::outcome::Outcome;
use passerelle_model::trace_context::TraceContext;

/// An id as a column value. Ids are below 2^63 by construction; any other number keeps its bits, so
/// that it reads back unchanged.
pub(super) fn signed(number: u64) -> i64 {
    number.cast_signed()
}

/// A text that every database takes: PostgreSQL has no NUL character in a text, and one such text
/// must not stop the ledger.
pub(super) fn storable(text: &str) -> String {
    text.replace('\0', "\u{FFFD}")
}

/// A table id read back.
pub(super) fn table(number: i64) -> Result<TableId, StoreError> {
    TableId::new(number.cast_unsigned()).map_err(|_| unreadable("table_id", &number.to_string()))
}

/// A row id read back.
pub(super) fn row(number: i64) -> Result<RowId, StoreError> {
    RowId::new(number.cast_unsigned()).map_err(|_| unreadable("row_id", &number.to_string()))
}

/// A text id read back.
pub(super) fn parsed<T>(
    column: &'static str,
    text: &str,
    parse: fn(&str) -> Result<T, InvalidId>,
) -> Result<T, StoreError> {
    parse(text).map_err(|_| unreadable(column, text))
}

/// A kind of event read back.
pub(super) fn kind(word: &str) -> Result<EventKind, StoreError> {
    let kinds = [
        EventKind::Created,
        EventKind::Updated,
        EventKind::Deleted,
        EventKind::Forced,
        EventKind::Other,
    ];
    let found = kinds.into_iter().find(|kind| kind.as_str() == word);
    found.ok_or_else(|| unreadable("events.kind", word))
}

/// An outcome read back from its name and reason.
pub(super) fn outcome(name: &str, reason: Option<String>) -> Result<Outcome, StoreError> {
    let reason = reason.unwrap_or_default();
    Outcome::of_stored(name, &reason).ok_or_else(|| {
        if Outcome::NAMES.contains(&name) {
            unreadable("items.reason", &reason)
        } else {
            unreadable("items.outcome", name)
        }
    })
}

/// A trace read back.
pub(super) fn trace(text: &str) -> Result<TraceContext, StoreError> {
    text.parse().map_err(|_| unreadable("events.trace", text))
}

/// The error for a column value that is not what we store.
pub(super) fn unreadable(column: &str, value: &str) -> StoreError {
    StoreError::Unreadable(format!("{column} is {value:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_we_never_store_is_named_with_its_column() {
        let error = outcome("lost", None).unwrap_err();
        assert!(error.to_string().contains("items.outcome is \"lost\""), "{error}");
        let error = outcome("ignored", Some("lost".to_owned())).unwrap_err();
        assert!(error.to_string().contains("items.reason is \"lost\""), "{error}");
    }
}
