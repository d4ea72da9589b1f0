//! Cursor pagination: `{limit, cursor, beforeCursor}` in, `{items, meta}` out.
//!
//! A cursor is the base64url of `field=value&id=…` of the row at the edge. An unreadable cursor is
//! a 500, as in the real server. The cursor of a time has milliseconds while the rows have
//! microseconds: so paging by time can lose rows.

use std::cmp::Ordering;
use std::ops::Range;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use super::body::Check;
use super::envelope::Problem;
use super::state::Moment;

/// Which part of a list is wanted.
#[derive(Debug)]
pub(super) struct Paging {
    limit: usize,
    cursor: Option<String>,
    before: Option<String>,
}

/// How a list is ordered: the name of the field, and the direction.
#[derive(Debug, Clone, Copy)]
pub(super) struct Order {
    pub(super) field: &'static str,
    pub(super) descending: bool,
}

/// One row of a list: its sort key, that key as a cursor shows it, its id, and its JSON.
#[derive(Debug)]
pub(super) struct Row {
    sort: String,
    shown: String,
    id: String,
    item: Value,
}

impl Row {
    /// A row in the order of a time. Its cursor shows milliseconds only.
    pub(super) fn at(moment: Moment, id: String, item: Value) -> Self {
        Self {
            sort: moment.sortable(),
            shown: moment.shown(),
            id,
            item,
        }
    }

    /// A row whose cursor shows its whole sort key.
    pub(super) fn new(sort: String, id: String, item: Value) -> Self {
        Self {
            shown: sort.clone(),
            sort,
            id,
            item,
        }
    }

    fn place(&self) -> Place<'_> {
        Place {
            sort: &self.sort,
            id: &self.id,
        }
    }

    fn cursor(&self, order: Order) -> String {
        let text = format!("{}={}&id={}", order.field, escape(&self.shown), self.id);
        BASE64_URL_SAFE_NO_PAD.encode(text)
    }
}

impl Paging {
    /// Reads the fields; a limit out of bounds is refused.
    pub(super) fn of(fields: &Map<String, Value>) -> Result<Self, Problem> {
        let mut check = Check::of(fields);
        let limit = check.given("limit").map_or(20, |limit| limit.as_i64().unwrap_or(0));
        check.claim(limit >= 1, "limit must not be less than 1");
        check.claim(limit <= 100, "limit must not be greater than 100");
        let paging = Self {
            limit: usize::try_from(limit).unwrap_or(0),
            cursor: check.text("cursor"),
            before: check.text("beforeCursor"),
        };
        check.done().map(|()| paging)
    }

    /// The wanted part of `rows`.
    pub(super) fn page(&self, mut rows: Vec<Row>, order: Order) -> Result<Value, Problem> {
        rows.sort_by(|a, b| order.compare(a.place(), b.place()));
        let total = rows.len();
        let Range { start, end } = self.range(&rows, order)?;
        let page: Vec<Row> = rows.drain(start..end).collect();
        let next = (end < total)
            .then(|| page.last().map(|row| row.cursor(order)))
            .flatten();
        let previous = (start > 0).then(|| page.first().map(|row| row.cursor(order))).flatten();
        let items: Vec<Value> = page.into_iter().map(|row| row.item).collect();
        Ok(json!({"items": items, "meta": {
            "limit": self.limit, "hasNextPage": end < total, "hasPrevPage": start > 0,
            "nextCursor": next, "prevCursor": previous,
        }}))
    }

    /// The rows after the cursor, or before the other one, or from the start.
    fn range(&self, rows: &[Row], order: Order) -> Result<Range<usize>, Problem> {
        let total = rows.len();
        if let Some(cursor) = &self.cursor {
            let cursor = decode(cursor, order.field)?;
            let start = rows.partition_point(|row| order.compare(row.place(), cursor.place()).is_le());
            return Ok(start..total.min(start + self.limit));
        }
        if let Some(before) = &self.before {
            let cursor = decode(before, order.field)?;
            let end = rows.partition_point(|row| order.compare(row.place(), cursor.place()).is_lt());
            return Ok(end.saturating_sub(self.limit)..end);
        }
        Ok(0..total.min(self.limit))
    }
}

/// Where a row is in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place<'a> {
    sort: &'a str,
    id: &'a str,
}

impl Order {
    fn compare(self, a: Place<'_>, b: Place<'_>) -> Ordering {
        if self.descending { b.cmp(&a) } else { a.cmp(&b) }
    }
}

/// The place that a cursor names.
struct Cursor {
    sort: String,
    id: String,
}

impl Cursor {
    fn place(&self) -> Place<'_> {
        Place {
            sort: &self.sort,
            id: &self.id,
        }
    }
}

fn decode(cursor: &str, field: &str) -> Result<Cursor, Problem> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor).ok();
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    let parts = text.as_deref().and_then(|text| text.split_once("&id="));
    let value = parts.and_then(|(value, id)| Some((value.strip_prefix(field)?.strip_prefix('=')?, id)));
    let (value, id) = value.ok_or_else(Problem::internal)?;
    Ok(Cursor {
        sort: unescape(value),
        id: id.to_owned(),
    })
}

/// Form encoding, as far as names and times need it.
fn escape(text: &str) -> String {
    let escaped = text.bytes().map(|byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'*' => char::from(byte).to_string(),
        b' ' => "+".to_owned(),
        other => format!("%{other:02X}"),
    });
    escaped.collect()
}

fn unescape(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match (byte, hex.and_then(|hex| u8::from_str_radix(hex, 16).ok())) {
            (b'%', Some(value)) => {
                bytes.push(value);
                rest = after.get(2..).unwrap_or_default();
            }
            (b'+', _) => {
                bytes.push(b' ');
                rest = after;
            }
            _ => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BY_NAME: Order = Order {
        field: "name",
        descending: false,
    };

    fn rows() -> Vec<Row> {
        let names = ["Agence", "Été à Paris", "a&b=c", "general"];
        names
            .iter()
            .map(|name| Row::new((*name).to_owned(), format!("id-{name}"), json!(name)))
            .collect()
    }

    fn paging(fields: &Value) -> Paging {
        Paging::of(fields.as_object().unwrap()).unwrap()
    }

    #[test]
    fn walking_forward_by_cursor_sees_every_row_once_whatever_the_names_contain() {
        let mut seen = Vec::new();
        let mut cursor = Value::Null;
        loop {
            let page = paging(&json!({"limit": 1, "cursor": cursor}))
                .page(rows(), BY_NAME)
                .unwrap();
            seen.extend(page["items"].as_array().unwrap().iter().cloned());
            cursor = page["meta"]["nextCursor"].clone();
            if cursor.is_null() {
                break;
            }
        }
        assert_eq!(seen, ["Agence", "a&b=c", "general", "Été à Paris"]);
    }

    #[test]
    fn a_cursor_that_cannot_be_read_is_an_internal_error() {
        let page = paging(&json!({"cursor": "zzzz"})).page(rows(), BY_NAME);
        assert!(matches!(page, Err(Problem::Raw(status, _)) if status.as_u16() == 500));
    }
}
