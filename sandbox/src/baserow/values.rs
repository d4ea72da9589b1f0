//! What may be written into a field, and how it is kept.
//!
//! Baserow is lenient where callers would prefer an error: a number becomes text, an unknown link
//! disappears. Its refusals have two shapes: an object that names the field, or one plain sentence.
//! Both are kept here.

use reqwest::Url;
use serde_json::{Value, json};

use super::schema::{Kind, SelectOption};

/// A value that a field accepts.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Accepted {
    /// Kept in the row as it is.
    Cell(Value),
    /// Links, by id or by the text of the other row's primary field; unknown ones are dropped
    /// later, silently.
    Links(Vec<LinkTo>),
}

/// One end of a link, as a caller names it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum LinkTo {
    Id(u64),
    Text(String),
}

/// Why a value is refused.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Refused {
    /// Listed under the field's name.
    Field { error: String, code: &'static str },
    /// The whole request is refused with this sentence.
    Sentence(String),
}

/// Checks a value for a field of this kind.
pub(crate) fn accept(kind: &Kind, value: &Value) -> Result<Accepted, Refused> {
    let cell = match kind {
        Kind::Text | Kind::LongText => text(value)?,
        Kind::Url => address(value, is_url)?,
        Kind::Email => address(value, is_email)?,
        Kind::Boolean => boolean(value)?,
        Kind::Number { places, negative } => number(value, *places, *negative)?,
        Kind::SingleSelect(options) => choice(value, options)?,
        Kind::Link { .. } => return links(value).map(Accepted::Links),
        Kind::Date => date(value)?,
        Kind::Remainder { .. } | Kind::LastModified | Kind::LastModifiedBy | Kind::CreatedBy => {
            return Err(Refused::Sentence(format!(
                "Field of type {} is read only and should not be set manually.",
                kind.word()
            )));
        }
    };
    Ok(Accepted::Cell(cell))
}

/// What a new row holds in a field of this kind.
pub(crate) fn empty(kind: &Kind) -> Value {
    match kind {
        Kind::Url | Kind::Email => json!(""),
        Kind::Boolean => json!(false),
        _ => Value::Null,
    }
}

fn refused(error: &str, code: &'static str) -> Refused {
    let error = error.to_owned();
    Refused::Field { error, code }
}

fn text(value: &Value) -> Result<Value, Refused> {
    match value {
        Value::Null | Value::String(_) => Ok(value.clone()),
        Value::Number(number) => Ok(json!(number.to_string())),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => Err(refused("Not a valid string.", "invalid")),
    }
}

fn address(value: &Value, is_valid: fn(&str) -> bool) -> Result<Value, Refused> {
    match text(value)? {
        Value::String(text) if !text.is_empty() && !is_valid(&text) => Err(refused("Enter a valid value.", "invalid")),
        Value::Null => Ok(json!("")),
        kept => Ok(kept),
    }
}

fn is_url(text: &str) -> bool {
    let has_scheme = ["http://", "https://", "ftp://", "ftps://"]
        .iter()
        .any(|scheme| text.to_ascii_lowercase().starts_with(scheme));
    has_scheme && !text.contains(char::is_whitespace) && Url::parse(text).is_ok()
}

fn is_email(text: &str) -> bool {
    match text.split_once('@') {
        Some((name, domain)) => {
            !name.is_empty() && domain.contains('.') && !text.contains(char::is_whitespace) && !domain.contains('@')
        }
        None => false,
    }
}

fn boolean(value: &Value) -> Result<Value, Refused> {
    match value {
        Value::Bool(_) => Ok(value.clone()),
        Value::String(word) if word == "true" || word == "false" => Ok(json!(word == "true")),
        _ => Err(refused("Must be a valid boolean.", "invalid")),
    }
}

fn number(value: &Value, places: u32, negative: bool) -> Result<Value, Refused> {
    let text = match value {
        Value::Null => return Ok(Value::Null),
        Value::String(text) if text.is_empty() => return Ok(Value::Null),
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
            return Err(refused("A valid number is required.", "invalid"));
        }
    };
    let units = units(&text, places)?;
    if units < 0 && !negative {
        return Err(refused("Ensure this value is greater than or equal to 0.", "min_value"));
    }
    Ok(json!(decimal(units, places)))
}

/// A decimal as a count of its smallest units: `"12.5"` with two places is 1250.
fn units(text: &str, places: u32) -> Result<i64, Refused> {
    let invalid = || refused("A valid number is required.", "invalid");
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |part: &str| part.chars().all(|character| character.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !all_digits(whole) || !all_digits(fraction) {
        return Err(invalid());
    }
    let fraction = fraction.trim_end_matches('0');
    let width = usize::try_from(places).unwrap_or(0);
    if fraction.len() > width {
        let error = format!("Ensure that there are no more than {places} decimal places.");
        let code = "max_decimal_places";
        return Err(Refused::Field { error, code });
    }
    let units: i64 = format!("{whole}{fraction:0<width$}").parse().map_err(|_| invalid())?;
    Ok(sign * units)
}

/// A stored decimal as a count of its smallest units; an empty cell is 0.
pub(crate) fn units_of(cell: &Value, places: u32) -> i64 {
    cell.as_str().and_then(|text| units(text, places).ok()).unwrap_or(0)
}

/// A count of smallest units as Baserow prints it.
pub(crate) fn decimal(units: i64, places: u32) -> String {
    let sign = if units < 0 { "-" } else { "" };
    let one = 10_u64.saturating_pow(places);
    let (whole, fraction) = (units.unsigned_abs() / one, units.unsigned_abs() % one);
    if places == 0 {
        return format!("{sign}{whole}");
    }
    let width = usize::try_from(places).unwrap_or(0);
    format!("{sign}{whole}.{fraction:0>width$}")
}

fn choice(value: &Value, options: &[SelectOption]) -> Result<Value, Refused> {
    let (found, shown) = match value {
        Value::Null => return Ok(Value::Null),
        Value::Number(id) => {
            let found = options.iter().find(|option| Some(option.id) == id.as_u64());
            (found, id.to_string())
        }
        Value::String(text) => (options.iter().find(|option| option.value == *text), text.clone()),
        other => (None, other.to_string()),
    };
    found.map(|option| json!(option.id)).ok_or_else(|| {
        Refused::Sentence(format!(
            "The provided select option value '{shown}' is not a valid select option."
        ))
    })
}

fn links(value: &Value) -> Result<Vec<LinkTo>, Refused> {
    let not_a_list = || refused("Expected a list of items.", "not_a_list");
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Array(items) => items
            .iter()
            .map(|item| match item {
                Value::Number(id) => id.as_u64().map(LinkTo::Id).ok_or_else(not_a_list),
                Value::String(text) => Ok(LinkTo::Text(text.clone())),
                _ => Err(not_a_list()),
            })
            .collect(),
        _ => Err(not_a_list()),
    }
}

fn date(value: &Value) -> Result<Value, Refused> {
    match value {
        Value::Null => Ok(Value::Null),
        Value::String(text) if text.parse::<jiff::civil::Date>().is_ok() => Ok(value.clone()),
        _ => Err(refused(
            "Date has wrong format. Use one of these formats instead: YYYY-MM-DD.",
            "invalid",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOURS: Kind = Kind::Number {
        places: 2,
        negative: false,
    };

    #[test]
    fn a_decimal_is_kept_with_all_its_places() {
        for (given, kept) in [
            (json!("12.5"), "12.50"),
            (json!(20), "20.00"),
            (json!("0.05"), "0.05"),
            (json!("7.100"), "7.10"),
        ] {
            assert_eq!(accept(&HOURS, &given), Ok(Accepted::Cell(json!(kept))));
        }
        assert_eq!(decimal(-1250, 2), "-12.50");
        assert_eq!(decimal(-5, 2), "-0.05");
    }

    #[test]
    fn a_decimal_that_does_not_fit_is_refused() {
        for bad in [
            json!("abc"),
            json!("1.234"),
            json!("-1"),
            json!("."),
            json!([1]),
            json!("1e5"),
            json!("99999999999999999999"),
        ] {
            assert!(accept(&HOURS, &bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_number_becomes_text_and_an_object_does_not() {
        assert_eq!(accept(&Kind::Text, &json!(123)), Ok(Accepted::Cell(json!("123"))));
        assert!(accept(&Kind::Text, &json!({"a": 1})).is_err());
    }

    #[test]
    fn a_url_may_have_a_host_without_a_dot() {
        for good in [
            "http://docmost:3000/s/a",
            "http://localhost:3000/s/a",
            "https://docs.example.com/x",
        ] {
            assert!(accept(&Kind::Url, &json!(good)).is_ok(), "{good}");
        }
        for bad in ["not a url", "bad", "docmost/x", "javascript:alert(1)"] {
            assert!(accept(&Kind::Url, &json!(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_impossible_date_is_refused() {
        assert!(accept(&Kind::Date, &json!("2026-02-29")).is_err());
        assert!(accept(&Kind::Date, &json!("2026-02-28")).is_ok());
    }
}
