//! What a table's fields hold, and how people see it: made from the descriptions that Baserow
//! gives.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use serde::Deserialize;

use super::number::NumberFormat;

/// The part of a field's description that says how its cells look. Baserow leaves out, or sets to
/// null, what does not apply to the field's type.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Format {
    pub formula_type: Option<String>,
    pub array_formula_type: Option<String>,
    /// Why a formula cannot be computed.
    pub error: Option<String>,
    pub number_decimal_places: Option<usize>,
    pub number_prefix: Option<String>,
    pub number_suffix: Option<String>,
    /// `SPACE_COMMA` is `1 234,50`; empty is `1234.50`.
    pub number_separator: Option<String>,
    /// `EU`, `US` or `ISO`.
    pub date_format: Option<String>,
    pub date_include_time: Option<bool>,
    /// `12` or `24`.
    pub date_time_format: Option<String>,
    pub date_show_tzinfo: Option<bool>,
    pub date_force_timezone: Option<String>,
    /// E.g. `h:mm`.
    pub duration_format: Option<String>,
    /// Most points of a rating.
    pub max_value: Option<usize>,
    /// How a point of a rating looks: `star`, `heart`, ….
    pub style: Option<String>,
    /// What an AI field answers with: `text` or `choice`.
    pub ai_output_type: Option<String>,
}

/// How a cell of a field is read.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Shape {
    Text,
    Flag,
    Number(NumberFormat),
    Rating {
        most: usize,
        style: String,
    },
    Date(DateFormat),
    /// The format's name, as Baserow calls it.
    Duration(String),
    /// A choice, a person: an object with a name.
    Named,
    /// A file: its name, and where it is kept.
    File,
    /// What `link()` and `button()` make.
    Web,
    Links,
    /// Several values in one cell.
    List(Box<Shape>),
    /// The values of several rows in one cell.
    LookUp(Box<Shape>),
    /// A password: only whether there is one.
    Secret,
    /// A formula that Baserow cannot compute.
    Broken(String),
    /// Of no known type: read by what it looks like.
    Guessed,
}

/// How dates and moments look.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct DateFormat {
    /// `EU`, `US` or `ISO`.
    pub(super) order: String,
    pub(super) with_time: bool,
    pub(super) with_zone: bool,
    pub(super) twelve_hours: bool,
    pub(super) zone: TimeZone,
}

/// The fields of a table, as far as rows are read by them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Described {
    shapes: BTreeMap<String, Shape>,
}

impl Described {
    /// From each field's name, type and format. `zone` is where moments are told that name no zone.
    pub fn new<'a>(described: impl IntoIterator<Item = (&'a str, &'a str, &'a Format)>, zone: &TimeZone) -> Self {
        let described = described.into_iter();
        let shapes = described.map(|(name, kind, format)| (name.to_owned(), Shape::of(kind, format, zone)));
        Self {
            shapes: shapes.collect(),
        }
    }

    /// How a field is read; one that is not described is read by what it looks like.
    pub(super) fn shape(&self, field: &str) -> &Shape {
        self.shapes.get(field).unwrap_or(&Shape::Guessed)
    }

    /// Whether a field is described.
    pub fn knows(&self, field: &str) -> bool {
        self.shapes.contains_key(field)
    }
}

impl Shape {
    /// `kind` is Baserow's word for the type of a field, or for that of a formula's result.
    fn of(kind: &str, format: &Format, zone: &TimeZone) -> Self {
        match kind {
            "ai" if format.ai_output_type.as_deref() == Some("choice") => Self::Named,
            "text" | "long_text" | "url" | "email" | "phone_number" | "uuid" | "char" | "ai" => Self::Text,
            "boolean" => Self::Flag,
            "number" | "autonumber" => Self::Number(number(format)),
            "rating" => Self::Rating {
                most: format.max_value.unwrap_or_default(),
                style: format.style.clone().unwrap_or_default(),
            },
            "date" | "created_on" | "last_modified" => Self::Date(date(format, zone)),
            "duration" => Self::Duration(format.duration_format.clone().unwrap_or_default()),
            "single_select" | "created_by" | "last_modified_by" => Self::Named,
            "multiple_select" | "multiple_collaborators" => Self::List(Box::new(Self::Named)),
            "single_file" => Self::File,
            "file" => Self::List(Box::new(Self::File)),
            "link_row" => Self::Links,
            "link" | "button" => Self::Web,
            "password" => Self::Secret,
            "formula" | "lookup" | "rollup" | "count" => format
                .formula_type
                .as_deref()
                .map_or(Self::Guessed, |result| Self::of(result, format, zone)),
            "array" => {
                let item = format.array_formula_type.as_deref();
                Self::LookUp(Box::new(
                    item.map_or(Self::Guessed, |item| Self::of(item, format, zone)),
                ))
            }
            "invalid" => Self::Broken(format.error.clone().unwrap_or_default()),
            _ => Self::Guessed,
        }
    }
}

fn number(format: &Format) -> NumberFormat {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    NumberFormat {
        places: format.number_decimal_places,
        prefix: text(&format.number_prefix),
        suffix: text(&format.number_suffix),
        ..NumberFormat::separated(format.number_separator.as_deref().unwrap_or_default())
    }
}

fn date(format: &Format, zone: &TimeZone) -> DateFormat {
    let forced = format.date_force_timezone.as_deref();
    DateFormat {
        order: format.date_format.clone().unwrap_or_default(),
        with_time: format.date_include_time.unwrap_or_default(),
        with_zone: format.date_show_tzinfo.unwrap_or_default(),
        twelve_hours: format.date_time_format.as_deref() == Some("12"),
        zone: forced
            .and_then(|forced| TimeZone::get(forced).ok())
            .unwrap_or_else(|| zone.clone()),
    }
}
