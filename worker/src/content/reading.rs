//! A cell's JSON becomes a [`Cell`], by the description of its field.

use passerelle_model::id::RowId;
use serde_json::Value;

use super::cell::{Cell, Exact, LinkedRow, Measure, WebLink};
use super::field::{DateFormat, Shape};
use super::moment;
use super::number::NumberFormat;

/// What stands for a password that is set.
const HIDDEN: &str = "••••••••";

impl Shape {
    /// Reads the JSON of one cell.
    pub(super) fn read(&self, value: &Value) -> Cell {
        match (self, value) {
            (Self::Broken(why), _) => Cell::Unreadable(format!("its formula is broken: {why}")),
            (_, Value::Null) | (Self::Secret, Value::Bool(false)) => Cell::Empty,
            (Self::Secret, _) => Cell::Text(HIDDEN.to_owned()),
            (Self::Text | Self::Named, Value::String(text)) => Cell::Text(text.clone()),
            (Self::Text, Value::Number(number)) => Cell::Text(number.to_string()),
            (Self::Flag | Self::Guessed, Value::Bool(flag)) => Cell::Flag(*flag),
            (Self::Number(format), _) => read_number(format, value),
            (Self::Rating { most, style }, Value::Number(points)) => rating(*most, style, points.as_u64()),
            (Self::Date(format), Value::String(text)) => date(format, text),
            (Self::Duration(format), _) => duration(format, value),
            (Self::Named, Value::Object(_)) => named(value).map_or_else(|| unreadable(value), Cell::Text),
            (Self::File, Value::Object(_)) => file(value),
            (Self::Web, Value::Object(_)) => web(value),
            (Self::Links, Value::Array(items)) => links(items),
            (Self::List(item), Value::Array(items)) => Cell::List(items.iter().map(|value| item.read(value)).collect()),
            (Self::LookUp(item), Value::Array(items)) => {
                Cell::List(items.iter().map(|value| item.looked_up(value)).collect())
            }
            (Self::Guessed, _) => guessed(value),
            _ => unreadable(value),
        }
    }

    /// One value of a look-up, in the wrapping that names its row: `{id, value}`. Where the field
    /// that it looks up holds several values, so does this one.
    fn looked_up(&self, wrapped: &Value) -> Cell {
        let value = wrapped.get("value").unwrap_or(wrapped);
        match (self, value) {
            (Self::List(_) | Self::LookUp(_) | Self::Links, _) => self.read(value),
            (_, Value::Array(items)) => Cell::List(items.iter().map(|item| self.looked_up(item)).collect()),
            _ => self.read(value),
        }
    }
}

fn unreadable(value: &Value) -> Cell {
    let kind = match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    Cell::Unreadable(format!("it holds {kind}, which does not fit the type of the field"))
}

fn measure(shown: String, exact: Exact) -> Cell {
    Cell::Measure(Measure { shown, exact })
}

fn read_number(format: &NumberFormat, value: &Value) -> Cell {
    let text = match value {
        Value::String(text) if text.is_empty() => return Cell::Empty,
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return unreadable(value),
    };
    match format.show(&text) {
        Some(shown) => measure(shown, Exact::Number(text)),
        None if text.parse::<f64>().is_ok() => measure(text, Exact::NoNumber),
        None => unreadable(value),
    }
}

fn rating(most: usize, style: &str, points: Option<u64>) -> Cell {
    let points = points
        .and_then(|points| usize::try_from(points).ok())
        .unwrap_or_default();
    let (full, hollow) = match style {
        "heart" => ("♥", "♡"),
        "star" | "" => ("★", "☆"),
        _ => ("●", "○"),
    };
    let shown = format!("{}{}", full.repeat(points), hollow.repeat(most.saturating_sub(points)));
    measure(shown, Exact::Number(points.to_string()))
}

fn date(format: &DateFormat, text: &str) -> Cell {
    let exact = if moment::day(text).is_some() {
        Exact::Date(text.to_owned())
    } else {
        Exact::Moment {
            at: text.to_owned(),
            zone: format.zone.iana_name().map(str::to_owned),
        }
    };
    format.show(text).map_or_else(
        || Cell::Unreadable("it holds a text that is no date".to_owned()),
        |shown| measure(shown, exact),
    )
}

/// Seconds, as a number or as a text.
fn duration(format: &str, value: &Value) -> Cell {
    let seconds = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    match seconds {
        Some(seconds) if seconds.is_finite() => measure(moment::duration(seconds, format), Exact::Seconds(seconds)),
        Some(_) => measure("NaN".to_owned(), Exact::NoNumber),
        None => unreadable(value),
    }
}

/// The name of a choice or a person.
fn named(value: &Value) -> Option<String> {
    let mut names = ["value", "name"].iter().filter_map(|key| value.get(*key)?.as_str());
    names.next().map(str::to_owned)
}

fn file(value: &Value) -> Cell {
    let text = |key: &str| value.get(key).and_then(Value::as_str);
    let Some(shown) = text("visible_name").or_else(|| text("name")) else {
        return unreadable(value);
    };
    Cell::Web(WebLink {
        shown: shown.to_owned(),
        url: text("url").unwrap_or_default().to_owned(),
        is_clicked: false,
    })
}

fn web(value: &Value) -> Cell {
    let text = |key: &str| value.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    let (label, url) = (text("label"), text("url"));
    let Some(shown) = label.or(url) else {
        return Cell::Empty;
    };
    Cell::Web(WebLink {
        shown: shown.to_owned(),
        url: url.unwrap_or_default().to_owned(),
        is_clicked: true,
    })
}

fn links(items: &[Value]) -> Cell {
    let links = items.iter().map(|item| {
        let text = match item.get("value") {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            // A primary field that is no text: it comes as it is.
            Some(value) => Shape::Guessed.read(value).text().unwrap_or_default().to_owned(),
        };
        Some(LinkedRow {
            id: RowId::new(item.get("id")?.as_u64()?).ok()?,
            text,
        })
    });
    links.collect::<Option<Vec<_>>>().map_or_else(
        || Cell::Unreadable("it holds links without the ids of their rows".to_owned()),
        Cell::Links,
    )
}

/// A cell of no known type, by what it looks like.
fn guessed(value: &Value) -> Cell {
    match value {
        Value::Null => Cell::Empty,
        Value::Bool(flag) => Cell::Flag(*flag),
        Value::String(text) => Cell::Text(text.clone()),
        Value::Number(number) => measure(number.to_string(), Exact::Number(number.to_string())),
        // Only links have an id, a value and an order; choices have a colour in its place, look-ups
        // have neither.
        Value::Array(items) if items.iter().all(|item| item.get("order").is_some()) => links(items),
        Value::Array(items) => Cell::List(items.iter().map(guessed).collect()),
        Value::Object(fields) if fields.contains_key("label") && fields.contains_key("url") => web(value),
        Value::Object(fields) if fields.contains_key("visible_name") => file(value),
        Value::Object(fields) => match fields.get("value").or_else(|| fields.get("name")) {
            Some(inner) => guessed(inner),
            None => Cell::Unreadable("it is of a type that this version does not know".to_owned()),
        },
    }
}
