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

mod shorten;

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use passerelle_model::event::{DeliveryKey, Disposition, EventKind, NewEvent};
use passerelle_model::id::{EventId, InvalidId, RowId, TableId, WebhookId};
use passerelle_model::outcome::IgnoredReason;
use passerelle_model::time::Timestamp;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::echo::{Fields, QuietFields};
use crate::items::{Rows, Understanding, ignored};
use crate::proof::ProvenBody;
use crate::rejection::Rejection;
pub(crate) use shorten::shorten;

/// The body. Values stay raw, so that a wrong one is refused by its name.
///
/// Nearly every body is read in one pass, its rows with it. Only if that fails is it read again
/// with its lists raw: then each row is tried by itself, and the refusal names what is wrong.
#[derive(Deserialize)]
#[serde(bound(deserialize = "L: Deserialize<'de>"))]
struct WireDelivery<'a, L> {
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
    #[serde(default, deserialize_with = "present")]
    items: Option<L>,
    #[serde(default, deserialize_with = "present")]
    old_items: Option<L>,
    #[serde(borrow, default, deserialize_with = "present")]
    row_ids: Option<&'a RawValue>,
}

/// Distinguishes `null` from absent: only an explicit `"webhook_id": null` is a test call.
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// A list of rows, read or not.
trait RowList<'a>: Sized {
    /// Its elements; `None` for one that is no row. The error: it is no list.
    fn rows(self) -> Result<impl Iterator<Item = Option<WireRow<'a>>>, NotAList>;
}

/// There is something else where a list should be.
struct NotAList;

impl<'a> RowList<'a> for Vec<WireRow<'a>> {
    fn rows(self) -> Result<impl Iterator<Item = Option<WireRow<'a>>>, NotAList> {
        Ok(self.into_iter().map(Some))
    }
}

impl<'a> RowList<'a> for &'a RawValue {
    fn rows(self) -> Result<impl Iterator<Item = Option<WireRow<'a>>>, NotAList> {
        let elements = elements(self)?;
        Ok(elements
            .into_iter()
            .map(|element| serde_json::from_str(element.get()).ok()))
    }
}

fn elements(list: &RawValue) -> Result<Vec<&RawValue>, NotAList> {
    serde_json::from_str(list.get()).map_err(|_| NotAList)
}

/// A row's fields in the sender's order; only an object is one.
struct WireRow<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

/// What a body says.
#[derive(Debug)]
pub(crate) struct Understood {
    pub(crate) event: NewEvent,
    /// A hash of what it says of each row that is work, quiet fields apart: for the loop guard.
    pub(crate) contents: Vec<(RowId, u64)>,
}

/// Reads a proven body. `received` is when the request arrived.
pub(crate) fn parse(body: ProvenBody, quiet: &QuietFields, received: Timestamp) -> Result<Understood, Rejection> {
    let (source, bytes) = body.into_parts();
    let text = std::str::from_utf8(&bytes).map_err(|_| Rejection::NotJson)?;
    let (kind, key, table, (items, contents)) = match WireDelivery::<Vec<WireRow<'_>>>::read(text) {
        Ok(wire) => wire.said(quiet)?,
        Err(_) => WireDelivery::<&RawValue>::read(text)?.said(quiet)?,
    };
    let event = NewEvent {
        key,
        source,
        kind,
        table,
        received,
        items,
        payload: bytes.into(),
    };
    Ok(Understood { event, contents })
}

/// What a delivery says of itself.
type Said = (EventKind, DeliveryKey, Option<TableId>, Understanding);

impl<'a, L: RowList<'a> + Deserialize<'a>> WireDelivery<'a, L> {
    fn read(text: &'a str) -> Result<Self, Rejection> {
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

    fn said(self, quiet: &QuietFields) -> Result<Said, Rejection> {
        let kind = self.kind()?;
        Ok((kind, self.key()?, self.table(kind)?, self.items(kind, quiet)?))
    }

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

    /// One item per row, or the one item that says why there is none.
    fn items(self, kind: EventKind, quiet: &QuietFields) -> Result<Understanding, Rejection> {
        if self.webhook_id.is_some_and(is_null) {
            return Ok((vec![ignored(IgnoredReason::TestCall)], Vec::new()));
        }
        match kind {
            EventKind::Created => present_rows(self.items, quiet, |_, _| Disposition::Sync)?.into_items(),
            EventKind::Updated => updated_rows(self.items, self.old_items, quiet)?.into_items(),
            EventKind::Deleted => deleted_rows(self.row_ids)?.into_items(),
            EventKind::Forced | EventKind::Other => Ok((vec![ignored(IgnoredReason::UnknownEvent)], Vec::new())),
        }
    }
}

/// The rows of `items`, judged one by one.
fn present_rows<'a>(
    items: Option<impl RowList<'a>>,
    quiet: &QuietFields,
    judge: impl Fn(u64, &Fields<'_>) -> Disposition,
) -> Result<Rows, Rejection> {
    const FIELD: &str = "items";
    let items = items.ok_or(Rejection::MissingField(FIELD))?;
    let mut rows = Rows::named_in(FIELD);
    for row in items.rows().map_err(|NotAList| Rejection::NotAList(FIELD))? {
        match row.and_then(WireRow::with_id) {
            Some((id, WireRow(fields))) => rows.add(id, judge(id, &fields), Some(quiet.content(&fields))),
            None => rows.add_unreadable(),
        }
    }
    Ok(rows)
}

fn updated_rows<'a>(
    items: Option<impl RowList<'a>>,
    old_items: Option<impl RowList<'a>>,
    quiet: &QuietFields,
) -> Result<Rows, Rejection> {
    let old_rows = old_rows(old_items);
    present_rows(items, quiet, |id, fields| match old_rows.get(&id) {
        Some(Some(old)) => quiet.disposition(fields, &old.0),
        _ => Disposition::Sync,
    })
}

/// The rows of `old_items` by id; `None` where an id occurs twice. What cannot be read is missing:
/// its row becomes work.
fn old_rows<'a>(old_items: Option<impl RowList<'a>>) -> HashMap<u64, Option<WireRow<'a>>> {
    let mut rows = HashMap::new();
    let elements = old_items.and_then(|list| list.rows().ok()).into_iter().flatten();
    for (id, row) in elements.flatten().filter_map(WireRow::with_id) {
        rows.entry(id)
            .and_modify(|repeated| *repeated = None)
            .or_insert(Some(row));
    }
    rows
}

fn deleted_rows(row_ids: Option<&RawValue>) -> Result<Rows, Rejection> {
    const FIELD: &str = "row_ids";
    let row_ids = row_ids.ok_or(Rejection::MissingField(FIELD))?;
    let mut rows = Rows::named_in(FIELD);
    for element in elements(row_ids).map_err(|NotAList| Rejection::NotAList(FIELD))? {
        match element.get().parse() {
            Ok(id) => rows.add(id, Disposition::Sync, None),
            Err(_) => rows.add_unreadable(),
        }
    }
    Ok(rows)
}

fn is_null(value: &RawValue) -> bool {
    value.get() == "null"
}

fn text<'a>(field: &'static str, value: Option<&'a RawValue>) -> Result<Cow<'a, str>, Rejection> {
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

impl WireRow<'_> {
    /// With its id; `None` if its first `id` is no number.
    fn with_id(self) -> Option<(u64, Self)> {
        let (_, id) = self.0.iter().find(|(name, _)| name == "id")?;
        Some((id.get().parse().ok()?, self))
    }
}

/// A text that is borrowed where the sender wrote it without escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for WireRow<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = WireRow<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a row")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<WireRow<'de>, A::Error> {
                let mut fields = Vec::with_capacity(16);
                while let Some((Text(name), value)) = map.next_entry()? {
                    fields.push((name, value));
                }
                Ok(WireRow(fields))
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

#[cfg(test)]
mod tests;
