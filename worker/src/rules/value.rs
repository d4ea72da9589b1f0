//! Cells as templates see them: as people see them in Baserow. `| raw` gives the value behind the
//! looks; `| number`, `| date`, `| datetime`, `| time` and `| hours` write it in the reader's way.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use jiff::ZonedDateTime;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use minijinja::value::{DynObject, Object, ObjectRepr, ValueKind};
use minijinja::{Environment, Error, ErrorKind, Value};
use passerelle_model::config::{Language, Locale};

use crate::content::cell::{Exact, Measure, WebLink};
use crate::content::moment;
use crate::content::number::NumberFormat;
use crate::content::row::{Cell, Row};

/// A row as templates see it.
pub(super) fn row_value(row: &Row) -> Value {
    Value::from_pairs(pairs(row))
}

/// The names that templates find in a row, and what stands for them.
pub(super) fn pairs(row: &Row) -> impl Iterator<Item = (String, Value)> {
    let cells = row
        .cells()
        .map(|(name, cell)| (name.to_owned(), cell_value(name, cell)));
    cells.chain([("id".to_owned(), Value::from(row.id().get()))])
}

/// A cell that cannot be read is an error where it is used, and nowhere else.
fn cell_value(field: &str, cell: &Cell) -> Value {
    if let Some(why) = cell.unreadable() {
        return Value::from(refused(format!("the field {field:?} cannot be shown: {why}")));
    }
    match cell {
        Cell::Empty | Cell::Unreadable(_) => Value::from(()),
        Cell::Flag(flag) => Value::from(*flag),
        Cell::Text(text) => Value::from(text.as_str()),
        Cell::Measure(measure) => Value::from_object(Shown::Measure(measure.clone())),
        Cell::Web(link) => Value::from_object(Shown::Web(link.clone())),
        Cell::Links(links) => links.iter().map(|link| Value::from(link.text.as_str())).collect(),
        Cell::List(items) => items.iter().map(|item| cell_value(field, item)).collect(),
    }
}

/// What prints as people see it, and has a value of its own.
#[derive(Debug, Clone)]
pub(super) enum Shown {
    Measure(Measure),
    Web(WebLink),
}

impl Shown {
    fn number(number: String, format: &NumberFormat) -> Value {
        let shown = format.show(&number).unwrap_or_default();
        let exact = Exact::Number(number);
        Value::from_object(Self::Measure(Measure { shown, exact }))
    }

    fn exact(&self) -> Option<&Exact> {
        match self {
            Self::Measure(measure) => Some(&measure.exact),
            Self::Web(_) => None,
        }
    }
}

impl Object for Shown {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    /// Of an address: `url` and `label`.
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match (&**self, key.as_str()?) {
            (Self::Web(link), "url") => Some(Value::from(link.url.as_str())),
            (Self::Web(link), "label") => Some(Value::from(link.shown.as_str())),
            _ => None,
        }
    }

    fn is_true(self: &Arc<Self>) -> bool {
        !matches!(self.exact(), Some(Exact::NoNumber))
    }

    fn custom_cmp(self: &Arc<Self>, other: &DynObject) -> Option<Ordering> {
        let other = other.downcast_ref::<Self>()?;
        let number = |shown: &Self| match shown.exact()? {
            Exact::Number(number) => number.parse::<f64>().ok(),
            Exact::Seconds(seconds) => Some(*seconds),
            _ => None,
        };
        let text = |shown: &Self| match shown {
            Self::Measure(Measure {
                exact: Exact::Date(date) | Exact::Moment { at: date, .. },
                ..
            }) => date.clone(),
            Self::Measure(measure) => measure.shown.clone(),
            Self::Web(link) => link.shown.clone(),
        };
        match (number(self), number(other)) {
            (Some(one), Some(two)) => one.partial_cmp(&two),
            _ => Some(text(self).cmp(&text(other))),
        }
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &**self {
            Self::Measure(measure) => f.write_str(&measure.shown),
            Self::Web(link) => f.write_str(&link.shown),
        }
    }
}

/// The text of any value, as it stands in a page: several values are joined by commas.
pub(super) fn text_of(value: &Value, language: Language) -> String {
    match value.kind() {
        ValueKind::None | ValueKind::Undefined => String::new(),
        ValueKind::Bool => word(value.is_true(), language).to_owned(),
        ValueKind::Seq | ValueKind::Iterable => match value.try_iter() {
            Ok(items) => {
                let texts = items.map(|item| text_of(&item, language));
                texts.filter(|text| !text.is_empty()).collect::<Vec<_>>().join(", ")
            }
            Err(_) => String::new(),
        },
        _ => value.to_string(),
    }
}

const fn word(flag: bool, language: Language) -> &'static str {
    match (language, flag) {
        (Language::French, true) => "oui",
        (Language::French, false) => "non",
        (Language::English, true) => "yes",
        (Language::English, false) => "no",
        (Language::German, true) => "ja",
        (Language::German, false) => "nein",
    }
}

/// Adds the filters that write values in the reader's way.
pub(super) fn add_filters(environment: &mut Environment<'static>, locale: &Locale) {
    let language = locale.language;
    environment.add_filter("raw", |value: Value| raw(&value));
    environment.add_filter("number", move |value: Value, places: Option<usize>| {
        let number = |number| Shown::number(number, &NumberFormat::of(language, places));
        decimal(&value).map(|found| found.map(number))
    });
    environment.add_filter("hours", move |value: Value| {
        let number = |number| Shown::number(number, &NumberFormat::of(language, None));
        match value.downcast_object_ref::<Shown>().and_then(Shown::exact) {
            Some(Exact::Seconds(seconds)) => Ok(Some(number((seconds / 3600.0).to_string()))),
            _ => decimal(&value).map(|found| found.map(number)),
        }
    });
    // The engine's own would write "None" for an empty cell.
    environment.add_filter("replace", move |value: Value, from: String, to: String| {
        text_of(&value, language).replace(&from, &to)
    });
    environment.add_filter("upper", move |value: Value| text_of(&value, language).to_uppercase());
    environment.add_filter("lower", move |value: Value| text_of(&value, language).to_lowercase());
    environment.add_filter("trim", move |value: Value, characters: Option<String>| {
        let text = text_of(&value, language);
        let trimmed = match characters {
            Some(characters) => text.trim_matches(|c| characters.contains(c)),
            None => text.trim(),
        };
        trimmed.to_owned()
    });
    let zone = locale.zone.clone();
    environment.add_filter("date", move |value: Value, style: Option<String>| {
        let when = when(&value, &zone, "date")?;
        Ok::<_, Error>(when.map(|when| when.date(language, style.as_deref())))
    });
    let zone = locale.zone.clone();
    environment.add_filter("datetime", move |value: Value| {
        Ok::<_, Error>(when(&value, &zone, "datetime")?.map(|when| when.date_and_time(language)))
    });
    let zone = locale.zone.clone();
    environment.add_filter("time", move |value: Value| {
        Ok::<_, Error>(when(&value, &zone, "time")?.and_then(|when| when.time()))
    });
}

fn raw(value: &Value) -> Value {
    let number = |text: &str| match (text.parse::<i64>(), text.parse::<f64>()) {
        (Ok(whole), _) => Value::from(whole),
        (_, Ok(number)) => Value::from(number),
        _ => Value::from(text),
    };
    match value.downcast_object_ref::<Shown>() {
        Some(Shown::Measure(measure)) => match &measure.exact {
            Exact::Number(text) => number(text),
            Exact::NoNumber => Value::from(()),
            Exact::Date(text) | Exact::Moment { at: text, .. } => Value::from(text.as_str()),
            Exact::Seconds(seconds) => Value::from(*seconds),
        },
        Some(Shown::Web(link)) => Value::from(link.url.as_str()),
        None => value.clone(),
    }
}

/// A decimal number; `None` for nothing.
fn decimal(value: &Value) -> Result<Option<String>, Error> {
    let text = match value.downcast_object_ref::<Shown>().and_then(Shown::exact) {
        Some(Exact::Number(number)) => number.clone(),
        Some(Exact::NoNumber) => return Ok(None),
        _ if is_nothing(value) => return Ok(None),
        _ => match single(value) {
            Some(item) => return decimal(&item),
            None => value.to_string(),
        },
    };
    match NumberFormat::default().show(&text) {
        Some(_) => Ok(Some(text)),
        None => Err(refused(format!("{text:?} is no number"))),
    }
}

/// The only value of a list: a look-up of one row.
fn single(value: &Value) -> Option<Value> {
    (value.kind() == ValueKind::Seq && value.len() == Some(1))
        .then(|| value.get_item_by_index(0).ok())
        .flatten()
}

fn is_nothing(value: &Value) -> bool {
    matches!(value.kind(), ValueKind::None | ValueKind::Undefined)
        || value.as_str().is_some_and(str::is_empty)
        || value.kind() == ValueKind::Seq && value.len() == Some(0)
}

/// A date, or a moment in the zone where it is read.
enum When {
    Day(Date),
    Moment(ZonedDateTime),
}

/// A date or moment that a value holds; `None` for nothing.
fn when(value: &Value, zone: &TimeZone, filter: &str) -> Result<Option<When>, Error> {
    if is_nothing(value) {
        return Ok(None);
    }
    if let Some(item) = single(value) {
        return when(&item, zone, filter);
    }
    let (text, own_zone) = match value.downcast_object_ref::<Shown>().and_then(Shown::exact) {
        Some(Exact::Date(text)) => (text.clone(), None),
        Some(Exact::Moment { at, zone }) => (at.clone(), zone.as_deref().and_then(|zone| TimeZone::get(zone).ok())),
        _ => (value.to_string(), None),
    };
    let zone = own_zone.as_ref().unwrap_or(zone);
    let when = moment::day(&text).map(When::Day);
    let when = when.or_else(|| moment::moment(&text, zone).map(When::Moment));
    when.map(Some).ok_or_else(|| {
        refused(format!(
            "{text:?} is no date or moment, which the filter {filter:?} needs"
        ))
    })
}

impl When {
    /// `05/12/2026`; with the style `long`, `5 décembre 2026`; any other style is a pattern of
    /// `strftime`.
    fn date(&self, language: Language, style: Option<&str>) -> String {
        let date = match self {
            Self::Day(date) => *date,
            Self::Moment(moment) => moment.date(),
        };
        match style {
            None => date.strftime(moment::date_in_numbers(language)).to_string(),
            Some("long") => long(date, language),
            Some(pattern) => match self {
                Self::Day(date) => date.strftime(pattern).to_string(),
                Self::Moment(moment) => moment.strftime(pattern).to_string(),
            },
        }
    }

    fn date_and_time(&self, language: Language) -> String {
        match self {
            Self::Day(_) => self.date(language, None),
            Self::Moment(moment) => moment::in_numbers(moment, language),
        }
    }

    fn time(&self) -> Option<String> {
        match self {
            Self::Day(_) => None,
            Self::Moment(moment) => Some(moment.strftime("%H:%M").to_string()),
        }
    }
}

fn long(date: Date, language: Language) -> String {
    let months = match language {
        Language::French => "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
        Language::English => "January February March April May June July August September October November December",
        Language::German => "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    };
    let month = usize::try_from(date.month() - 1).unwrap_or_default();
    let month = months.split(' ').nth(month).unwrap_or_default();
    let (day, year) = (date.day(), date.year());
    match (language, day) {
        (Language::French, 1) => format!("1er {month} {year}"),
        (Language::German, _) => format!("{day}. {month} {year}"),
        _ => format!("{day} {month} {year}"),
    }
}

fn refused(why: String) -> Error {
    Error::new(ErrorKind::InvalidOperation, why)
}

#[cfg(test)]
mod tests;
