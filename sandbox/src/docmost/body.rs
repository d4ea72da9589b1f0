//! Reads a request's body as the real server does: what it refuses, in which words, and what it
//! drops silently.

use actix_web::http::StatusCode;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::envelope::Problem;

/// The fields of a body. As in the real server, anything but a JSON object counts as an object
/// without fields.
pub(super) fn parse(content_type: Option<&str>, body: &[u8]) -> Result<Map<String, Value>, Problem> {
    let is_json = content_type.is_some_and(|kind| kind.trim_start().starts_with("application/json"));
    if !is_json {
        return Ok(Map::new());
    }
    if body.is_empty() {
        return Err(Problem::Raw(
            StatusCode::BAD_REQUEST,
            "Body cannot be empty when content-type is set to 'application/json'",
        ));
    }
    let value = serde_json::from_slice(body).or_else(|_| serde_json::from_slice(&without_lone_surrogates(body)));
    match value {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Ok(Map::new()),
        Err(_) => Err(Problem::Raw(
            StatusCode::BAD_REQUEST,
            "Body is not valid JSON but content-type is set to 'application/json'",
        )),
    }
}

/// Replaces lone surrogates. JavaScript reads one as a character and stores U+FFFD; our JSON reader
/// would refuse it.
fn without_lone_surrogates(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len());
    let mut rest = body;
    while let Some(&byte) = rest.first() {
        let low_follows = matches!(rest.get(6..).and_then(escaped_unit), Some(0xDC00..=0xDFFF));
        let (taken, is_lone) = match escaped_unit(rest) {
            Some(0xD800..=0xDBFF) if low_follows => (12, false),
            Some(0xD800..=0xDFFF) => (6, true),
            _ if byte == b'\\' => (2, false),
            _ => (1, false),
        };
        let (text, after) = rest.split_at(taken.min(rest.len()));
        out.extend_from_slice(if is_lone { b"\\ufffd" } else { text });
        rest = after;
    }
    out
}

/// The value of an escape `\uXXXX` at the start, if there is one.
fn escaped_unit(text: &[u8]) -> Option<u16> {
    let digits = text.strip_prefix(b"\\u")?.get(..4)?;
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// What a request does to a stored text.
#[derive(Debug)]
pub(super) enum Change {
    Keep,
    /// None clears the text.
    To(Option<String>),
}

impl Change {
    /// Whether the text has a NUL, which the database refuses.
    pub(super) fn has_nul(&self) -> bool {
        matches!(self, Self::To(Some(text)) if text.contains('\0'))
    }

    pub(super) fn apply(self, stored: &mut Option<String>) {
        if let Self::To(text) = self {
            *stored = text;
        }
    }
}

/// Reads fields one by one and collects what is wrong with them, in order.
#[derive(Debug)]
pub(super) struct Check<'a> {
    fields: &'a Map<String, Value>,
    problems: Vec<String>,
}

impl<'a> Check<'a> {
    pub(super) const fn of(fields: &'a Map<String, Value>) -> Self {
        Self {
            fields,
            problems: Vec::new(),
        }
    }

    /// Refuses the request if any field read so far was wrong.
    pub(super) fn done(self) -> Result<(), Problem> {
        if self.problems.is_empty() {
            Ok(())
        } else {
            Err(Problem::Invalid(self.problems))
        }
    }

    /// Adds a problem if a claim does not hold.
    pub(super) fn claim(&mut self, holds: bool, otherwise: &str) {
        if !holds {
            self.problems.push(otherwise.to_owned());
        }
    }

    /// A field that is present and not null.
    pub(super) fn given(&self, name: &str) -> Option<&'a Value> {
        self.fields.get(name).filter(|value| !value.is_null())
    }

    /// A field as it was sent, null or not.
    pub(super) fn raw(&self, name: &str) -> Option<&'a Value> {
        self.fields.get(name)
    }

    pub(super) fn uuid(&mut self, name: &str) -> String {
        let value = self.given(name).and_then(Value::as_str).unwrap_or_default();
        self.claim(is_uuid(value), &format!("{name} must be a UUID"));
        value.to_owned()
    }

    pub(super) fn optional_uuid(&mut self, name: &str) -> Option<String> {
        self.given(name)?;
        Some(self.uuid(name))
    }

    /// A required text that is not empty.
    pub(super) fn filled(&mut self, name: &str) -> String {
        let value = self.given(name).and_then(Value::as_str).unwrap_or_default();
        self.claim(!value.is_empty(), &format!("{name} should not be empty"));
        value.to_owned()
    }

    /// An optional text; null counts as absent.
    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        let value = self.given(name)?;
        self.claim(value.is_string(), &format!("{name} must be a string"));
        value.as_str().map(str::to_owned)
    }

    /// An optional text that null clears.
    pub(super) fn change(&mut self, name: &str) -> Change {
        match self.raw(name) {
            None => Change::Keep,
            Some(_) => Change::To(self.text(name)),
        }
    }

    /// A text whose length in characters is within bounds.
    pub(super) fn sized(&mut self, name: &str, least: usize, most: usize) -> String {
        let value = self.given(name).and_then(Value::as_str).unwrap_or_default();
        let length = value.chars().count();
        self.claim(
            length >= least,
            &format!("{name} must be longer than or equal to {least} characters"),
        );
        self.claim(
            length <= most,
            &format!("{name} must be shorter than or equal to {most} characters"),
        );
        value.to_owned()
    }

    pub(super) fn flag(&self, name: &str) -> bool {
        self.given(name).and_then(Value::as_bool).unwrap_or(false)
    }
}

pub(super) fn is_uuid(text: &str) -> bool {
    text.len() == 36 && Uuid::try_parse(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_surrogate_pair_becomes_the_replacement_character_and_a_whole_one_stays() {
        let fields = parse(
            Some("application/json"),
            br#"{"a":"x \ud800 y","b":"\ud83d\ude00","c":"\\ud800"}"#,
        );
        let fields = fields.unwrap();
        assert_eq!(fields["a"], "x \u{fffd} y");
        assert_eq!(fields["b"], "\u{1f600}");
        assert_eq!(fields["c"], "\\ud800");
    }

    #[test]
    fn what_is_no_object_has_no_fields() {
        assert!(parse(Some("application/json"), b"[]").unwrap().is_empty());
        assert!(parse(Some("text/plain"), b"{\"a\":1}").unwrap().is_empty());
        assert!(parse(None, b"").unwrap().is_empty());
        assert!(parse(Some("application/json"), b"").is_err());
        assert!(parse(Some("application/json"), b"{\"a\": ").is_err());
    }
}
