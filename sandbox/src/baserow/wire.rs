//! JSON as Python writes it: `", "` and `": "` between the parts, and everything outside printable
//! ASCII as `\uXXXX` (a surrogate pair beyond the basic plane). Baserow sends its webhooks so, and
//! a signature covers these very bytes.

use std::io;

use serde::Serialize as _;
use serde_json::Value;
use serde_json::ser::{Formatter, PrettyFormatter, Serializer};

/// On one line, as `json.dumps(value)`.
pub(crate) fn python(value: &Value) -> String {
    written(value, OneLine)
}

/// Indented by four spaces, as `json.dumps(value, indent=4)`: the form of the call log.
pub(crate) fn python_indented(value: &Value) -> String {
    written(value, Indented(PrettyFormatter::with_indent(b"    ")))
}

fn written<F: Formatter>(value: &Value, formatter: F) -> String {
    let mut bytes = Vec::new();
    // Writing a `Value` into memory cannot fail: its keys are strings and its numbers are finite.
    let _ = value.serialize(&mut Serializer::with_formatter(&mut bytes, formatter));
    String::from_utf8(bytes).unwrap_or_default()
}

struct OneLine;

impl Formatter for OneLine {
    fn begin_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }

    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        write_ascii(writer, fragment)
    }
}

/// serde's own indenting with Python's escapes.
struct Indented(PrettyFormatter<'static>);

impl Formatter for Indented {
    fn begin_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_array(writer)
    }

    fn end_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array(writer)
    }

    fn begin_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_array_value(writer, first)
    }

    fn end_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array_value(writer)
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }

    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        write_ascii(writer, fragment)
    }
}

fn write_ascii<W: ?Sized + io::Write>(writer: &mut W, text: &str) -> io::Result<()> {
    for character in text.chars() {
        if (' '..='~').contains(&character) {
            writer.write_all(&[character as u8])?;
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_body_is_ascii_with_pythons_separators() {
        let value = json!({"Nom": "Été \"α\" 🚀\n", "items": [1, null, {}], "vide": []});
        assert_eq!(
            python(&value),
            r#"{"Nom": "\u00c9t\u00e9 \"\u03b1\" \ud83d\ude80\n", "items": [1, null, {}], "vide": []}"#
        );
    }

    #[test]
    fn the_call_log_is_indented_by_four_spaces() {
        assert_eq!(
            python_indented(&json!({"a": [1], "b": [], "c": "é"})),
            "{\n    \"a\": [\n        1\n    ],\n    \"b\": [],\n    \"c\": \"\\u00e9\"\n}"
        );
    }
}
