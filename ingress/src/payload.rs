//! What Baserow's JSON means. The wire format is known to this file alone: a proven body goes in, a
//! [`NewEvent`] comes out.
//!
//! Decisions, and why:
//! - The body's `event_type` counts, not the header's: for changes that begin in a linked table the
//!   two differ, and the body is right.
//! - Unknown fields, unknown kinds of event, empty lists and test calls are accepted and recorded
//!   with the outcome that closes them.
//! - Baserow repeats a refused delivery eight times and switches the webhook off at the ninth
//!   failure. So one row that cannot be read never costs its neighbours: they become work, and one
//!   item records that some were unreadable. Only a delivery in which nothing at all can be
//!   understood is refused.
//! - Row values are never interpreted here: a payload is a snapshot that arrives out of order; the
//!   worker reads the row itself.
//! - Rows are read one by one, never held as a tree of values: what is remembered of each is its id
//!   and what is to be done. A delivery of more than [`MOST_ROWS`] rows, or one whose rows were too
//!   much to be kept, becomes one item: its table must be compared with its pages.

mod row;

use std::borrow::Cow;
use std::collections::HashMap;

use passerelle_model::event::{DeliveryKey, Disposition, EventKind, NewEvent};
use passerelle_model::id::{EventId, InvalidId, JobKey, RowId, TableId, WebhookId};
use passerelle_model::outcome::IgnoredReason;
use passerelle_model::time::Timestamp;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny};
use serde_json::value::RawValue;

use crate::body::{Body, Kept};
use crate::echo::{Fields, QuietFields};
use crate::items::{MOST_ROWS, Rows, Understanding, ignored, job};
use crate::proof::ProvenBody;
use crate::rejection::Rejection;
use row::{NotAList, Text, WireRow, for_each_element};

/// The body. Values stay raw, so that a wrong one is refused by its name.
#[derive(Deserialize)]
struct WireDelivery<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    event_id: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    event_type: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    webhook_id: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    batch_id: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    table_id: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    items: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    old_items: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    row_ids: Option<&'a RawValue>,
}

/// Distinguishes `null` from absent: only an explicit `"webhook_id": null` is a test call.
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// What a body says.
#[derive(Debug)]
pub(crate) struct Understood {
    pub(crate) event: NewEvent,
    /// A hash of what it says of each row that is work, quiet fields apart: for the loop guard.
    pub(crate) contents: Vec<(RowId, u64)>,
}

/// Reads a proven body. `received` is when the request arrived.
pub(crate) fn parse(body: ProvenBody, quiet: &QuietFields, received: Timestamp) -> Result<Understood, Rejection> {
    let (source, Body { bytes, kept }) = body.into_parts();
    let text = std::str::from_utf8(&bytes).map_err(|_| Rejection::NotJson)?;
    let wire: WireDelivery<'_> = object(text)?;
    let kind = wire.kind()?;
    let (key, table) = (wire.key()?, wire.table(kind)?);
    let understood = if kept == Kept::WithoutRows && wire.is_about_rows(kind) {
        None
    } else {
        // What is missing may be what has changed: a row is compared only where all of it is known.
        wire.items(kind, (kept == Kept::Whole).then_some(quiet))?
    };
    let (items, contents) = match (understood, table) {
        (Some(understood), _) => understood,
        (None, Some(table)) => to_be_compared(table),
        (None, None) => return Err(Rejection::MissingField("table_id")),
    };
    let event = NewEvent {
        key,
        source,
        kind,
        table,
        received,
        trace: None,
        items,
        payload: bytes,
    };
    Ok(Understood { event, contents })
}

/// The rows are too many to be named.
fn to_be_compared(table: TableId) -> Understanding {
    (vec![job(JobKey::Table(table))], Vec::new())
}

/// Reads a body that has to be an object, with these fields among others.
pub(crate) fn object<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Rejection> {
    if text.trim_ascii_start().starts_with('{') {
        return serde_json::from_str(text).map_err(|error| {
            if error.is_data() {
                Rejection::RepeatedField
            } else {
                Rejection::NotJson
            }
        });
    }
    let is_json = serde_json::from_str::<IgnoredAny>(text).is_ok();
    Err(if is_json {
        Rejection::NotAnObject
    } else {
        Rejection::NotJson
    })
}

impl WireDelivery<'_> {
    fn kind(&self) -> Result<EventKind, Rejection> {
        let event_type = text("event_type", self.event_type)?;
        Ok(match event_type.as_ref() {
            "rows.created" => EventKind::Created,
            "rows.updated" => EventKind::Updated,
            "rows.deleted" => EventKind::Deleted,
            _ => EventKind::Other,
        })
    }

    fn key(&self) -> Result<DeliveryKey, Rejection> {
        let webhook = match self.webhook_id.filter(|value| !is_null(value)) {
            Some(value) => Some(number("webhook_id", value).and_then(|id| checked("webhook_id", WebhookId::new(id)))?),
            None => None,
        };
        let batch = match self.batch_id.filter(|value| !is_null(value)) {
            Some(value) => number("batch_id", value)?,
            None => 0,
        };
        let event = EventId::of_sender(&text("event_id", self.event_id)?);
        Ok(DeliveryKey {
            webhook,
            event: checked("event_id", event)?,
            batch,
        })
    }

    /// The table. Events that are not about rows need none.
    fn table(&self, kind: EventKind) -> Result<Option<TableId>, Rejection> {
        let table = self
            .table_id
            .ok_or(Rejection::MissingField("table_id"))
            .and_then(|value| number("table_id", value))
            .and_then(|id| checked("table_id", TableId::new(id)));
        match kind {
            EventKind::Other => Ok(table.ok()),
            _ => table.map(Some),
        }
    }

    /// Whether its rows are work, if it has any.
    fn is_about_rows(&self, kind: EventKind) -> bool {
        let is_test_call = self.webhook_id.is_some_and(is_null);
        !is_test_call && matches!(kind, EventKind::Created | EventKind::Updated | EventKind::Deleted)
    }

    /// One item per row, or the one item that says why there is none; `None`: they are too many.
    /// Without `quiet` no row is compared with its old state, and nothing is said of contents.
    fn items(self, kind: EventKind, quiet: Option<&QuietFields>) -> Result<Option<Understanding>, Rejection> {
        if self.webhook_id.is_some_and(is_null) {
            return Ok(Some((vec![ignored(IgnoredReason::TestCall)], Vec::new())));
        }
        match kind {
            EventKind::Created => present_rows(self.items, quiet, |_, _| Disposition::Sync)?.into_items(),
            // Without the old rows, rows of another table were linked to these. Forty in a row are
            // no loop, and Baserow shows the same row each time: as it is when it sends.
            EventKind::Updated => match quiet.filter(|_| self.old_items.is_some()) {
                Some(quiet) => updated_rows(self.items, self.old_items, quiet)?.into_items(),
                None => present_rows(self.items, None, |_, _| Disposition::Sync)?.into_items(),
            },
            EventKind::Deleted => deleted_rows(self.row_ids)?.into_items(),
            EventKind::Forced | EventKind::Other => Ok(Some((vec![ignored(IgnoredReason::UnknownEvent)], Vec::new()))),
        }
    }
}

/// The rows of `items`, judged one by one.
fn present_rows(
    items: Option<&RawValue>,
    quiet: Option<&QuietFields>,
    judge: impl Fn(u64, &Fields<'_>) -> Disposition,
) -> Result<Rows, Rejection> {
    const FIELD: &str = "items";
    let items = items.ok_or(Rejection::MissingField(FIELD))?;
    let mut rows = Rows::named_in(FIELD);
    let read = for_each_element(items, |element| {
        // Its bytes are not even looked at when there are too many already.
        match rows.has_room().then(|| WireRow::read(element)).flatten() {
            Some((id, WireRow(fields))) => {
                let content = quiet.map(|quiet| quiet.content(&fields));
                rows.add(id, judge(id, &fields), content);
            }
            None => rows.add_unreadable(),
        }
    });
    read.map_err(|NotAList| Rejection::NotAList(FIELD))?;
    Ok(rows)
}

fn updated_rows(
    items: Option<&RawValue>,
    old_items: Option<&RawValue>,
    quiet: &QuietFields,
) -> Result<Rows, Rejection> {
    let old_rows = old_rows(old_items);
    let old = |id| old_rows.get(&id).copied().flatten().and_then(WireRow::read);
    present_rows(items, Some(quiet), |id, fields| match old(id) {
        Some((_, old)) => quiet.disposition(fields, &old.0),
        None => Disposition::Sync,
    })
}

/// The rows of `old_items` by id; `None` where an id occurs twice. What cannot be read is missing:
/// its row becomes work.
fn old_rows(old_items: Option<&RawValue>) -> HashMap<u64, Option<&RawValue>> {
    let mut rows = HashMap::new();
    if let Some(old_items) = old_items {
        let _is_list = for_each_element(old_items, |element| {
            if rows.len() < MOST_ROWS
                && let Some((id, _)) = WireRow::read(element)
            {
                let row = rows.entry(id).and_modify(|repeated| *repeated = None);
                row.or_insert(Some(element));
            }
        });
    }
    rows
}

fn deleted_rows(row_ids: Option<&RawValue>) -> Result<Rows, Rejection> {
    const FIELD: &str = "row_ids";
    let row_ids = row_ids.ok_or(Rejection::MissingField(FIELD))?;
    let mut rows = Rows::named_in(FIELD);
    let read = for_each_element(row_ids, |element| match element.get().parse() {
        Ok(id) => rows.add(id, Disposition::Sync, None),
        Err(_) => rows.add_unreadable(),
    });
    read.map_err(|NotAList| Rejection::NotAList(FIELD))?;
    Ok(rows)
}

fn is_null(value: &RawValue) -> bool {
    value.get() == "null"
}

/// A text in the sender's spelling.
pub(crate) fn text<'a>(field: &'static str, value: Option<&'a RawValue>) -> Result<Cow<'a, str>, Rejection> {
    let value = value.ok_or(Rejection::MissingField(field))?;
    let Text(text) = serde_json::from_str(value.get()).map_err(|_| Rejection::NotAText(field))?;
    Ok(text)
}

fn number(field: &'static str, value: &RawValue) -> Result<u64, Rejection> {
    value.get().parse().map_err(|_| Rejection::InvalidId(field))
}

fn checked<T>(field: &'static str, id: Result<T, InvalidId>) -> Result<T, Rejection> {
    id.map_err(|_| Rejection::InvalidId(field))
}

#[cfg(test)]
mod tests;
