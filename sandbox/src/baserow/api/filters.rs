//! Which rows a list shows.
//!
//! The trap that is kept: a simple filter on a field that does not exist is ignored, and the list
//! shows everything. The JSON of `filters` is refused there.

use std::cmp::Ordering;

use serde_json::{Value, json};

use super::super::schema::Kind;
use super::super::snapshot::Snapshot;
use super::super::store::Table;
use super::super::values::units_of;
use super::answer::Answer;

/// One condition on one field.
#[derive(Debug)]
pub(crate) struct Filter {
    field: u64,
    test: Test,
    value: String,
}

#[derive(Debug, Clone, Copy)]
enum Test {
    Equal,
    NotEqual,
    Contains,
    ContainsNot,
    Empty,
    NotEmpty,
    HigherThan,
    LowerThan,
    HasLink,
    HasNoLink,
    IsChoice,
    IsNoChoice,
    Is,
}

impl Test {
    /// A filter type by Baserow's name. The sandbox knows only the usual ones.
    fn named(name: &str) -> Result<Self, Answer> {
        Ok(match name {
            "equal" => Self::Equal,
            "not_equal" => Self::NotEqual,
            "contains" => Self::Contains,
            "contains_not" => Self::ContainsNot,
            "empty" => Self::Empty,
            "not_empty" => Self::NotEmpty,
            "higher_than" => Self::HigherThan,
            "lower_than" => Self::LowerThan,
            "link_row_has" => Self::HasLink,
            "link_row_has_not" => Self::HasNoLink,
            "single_select_equal" => Self::IsChoice,
            "single_select_not_equal" => Self::IsNoChoice,
            "boolean" => Self::Is,
            _ => {
                let detail = format!("The view filter type {name} doesn't exist.");
                return Err(Answer::refusal(400, "ERROR_VIEW_FILTER_TYPE_DOES_NOT_EXIST", detail));
            }
        })
    }

    fn suits(self, kind: &Kind) -> bool {
        let link = matches!(kind, Kind::Link { .. });
        let select = matches!(kind, Kind::SingleSelect(_));
        match self {
            Self::HasLink | Self::HasNoLink => link,
            Self::IsChoice | Self::IsNoChoice => select,
            Self::Is => *kind == Kind::Boolean,
            Self::HigherThan | Self::LowerThan => matches!(kind, Kind::Number { .. } | Kind::Remainder { .. }),
            Self::Equal | Self::NotEqual => !link && !select,
            Self::Contains | Self::ContainsNot | Self::Empty | Self::NotEmpty => true,
        }
    }
}

/// A condition as a caller writes it.
struct Wanted<'a> {
    /// The field's name, its id, or `field_` and its id.
    field: &'a str,
    /// The filter type by Baserow's name.
    test: &'a str,
    value: &'a str,
}

/// All the conditions of a list, and whether one of them is enough.
#[derive(Debug, Default)]
pub(crate) struct Filters {
    filters: Vec<Filter>,
    any: bool,
}

impl Filters {
    /// From `filter__{field}__{type}={value}` and `filters={json}`.
    pub(crate) fn parse(table: &Table, query: &[(String, String)], names: bool) -> Result<Self, Answer> {
        let mut filters = Self::default();
        for (key, value) in query {
            if key == "filter_type" {
                filters.any = value == "OR";
            } else if key == "filters" {
                filters.parse_json(table, value, names)?;
            } else if let Some((field, test)) = key.strip_prefix("filter__").and_then(|rest| rest.rsplit_once("__")) {
                filters.add(table, &Wanted { field, test, value }, names)?;
            }
        }
        Ok(filters)
    }

    fn parse_json(&mut self, table: &Table, text: &str, names: bool) -> Result<(), Answer> {
        let invalid = || {
            Answer::refusal(
                400,
                "ERROR_FILTERS_PARAM_VALIDATION_ERROR",
                json!({"error": "The provided filters are not valid JSON.", "code": "invalid_json"}),
            )
        };
        let tree: Value = serde_json::from_str(text).map_err(|_| invalid())?;
        self.any |= tree.get("filter_type").and_then(Value::as_str) == Some("OR");
        for filter in tree.get("filters").and_then(Value::as_array).into_iter().flatten() {
            let part = |key: &str| filter.get(key).map(bare).unwrap_or_default();
            let wanted = Wanted {
                field: &part("field"),
                test: &part("type"),
                value: &part("value"),
            };
            if !self.add(table, &wanted, names)? {
                let detail = "The field None was not found in the table.";
                return Err(Answer::refusal(400, "ERROR_FILTER_FIELD_NOT_FOUND", detail));
            }
        }
        Ok(())
    }

    /// Adds a condition. False if the table has no such field.
    fn add(&mut self, table: &Table, wanted: &Wanted<'_>, names: bool) -> Result<bool, Answer> {
        let test = Test::named(wanted.test)?;
        let field = wanted.field;
        let found = table.fields.iter().find(|known| {
            field == format!("field_{}", known.id) || field == known.id.to_string() || (names && field == known.name)
        });
        let Some(found) = found else { return Ok(false) };
        if !test.suits(&found.kind) {
            return Err(Answer::refusal(
                400,
                "ERROR_VIEW_FILTER_TYPE_UNSUPPORTED_FIELD",
                "The chosen filter type does not support the provided field.",
            ));
        }
        self.filters.push(Filter {
            field: found.id,
            test,
            value: wanted.value.to_owned(),
        });
        Ok(true)
    }

    /// Whether the list shows a row.
    pub(crate) fn let_through(&self, row: &Snapshot) -> bool {
        if self.any && !self.filters.is_empty() {
            return self.filters.iter().any(|filter| filter.holds(row));
        }
        self.filters.iter().all(|filter| filter.holds(row))
    }
}

impl Filter {
    fn holds(&self, row: &Snapshot) -> bool {
        let shown = row.values.iter().find(|(field, _)| *field == self.field);
        let shown = shown.map_or(&Value::Null, |(_, value)| value);
        let wanted = self.value.as_str();
        // Without a value only the tests for emptiness have a meaning; otherwise Baserow shows
        // every row.
        if wanted.is_empty() && !matches!(self.test, Test::Empty | Test::NotEmpty) {
            return true;
        }
        match self.test {
            Test::Equal => equal(shown, wanted),
            Test::NotEqual => !equal(shown, wanted),
            Test::Contains => contains(shown, wanted),
            Test::ContainsNot => !contains(shown, wanted),
            Test::Empty => bare(shown).is_empty(),
            Test::NotEmpty => !bare(shown).is_empty(),
            Test::HigherThan => difference(shown, wanted).is_some_and(Ordering::is_gt),
            Test::LowerThan => difference(shown, wanted).is_some_and(Ordering::is_lt),
            Test::HasLink => has_link(shown, wanted),
            Test::HasNoLink => !has_link(shown, wanted),
            Test::IsChoice => is_choice(shown, wanted),
            Test::IsNoChoice => !is_choice(shown, wanted),
            Test::Is => bare(shown) == wanted || (wanted == "1") == (bare(shown) == "true"),
        }
    }
}

fn equal(shown: &Value, wanted: &str) -> bool {
    bare(shown) == wanted || difference(shown, wanted).is_some_and(Ordering::is_eq)
}

fn contains(shown: &Value, wanted: &str) -> bool {
    bare(shown).to_lowercase().contains(&wanted.to_lowercase())
}

/// How a number compares with the wanted one; none if one of them is not a number.
fn difference(shown: &Value, wanted: &str) -> Option<Ordering> {
    let text = shown.as_str()?;
    let are_numbers = text.parse::<f64>().is_ok() && wanted.parse::<f64>().is_ok();
    are_numbers.then(|| units_of(shown, 2).cmp(&units_of(&Value::from(wanted), 2)))
}

fn has_link(shown: &Value, wanted: &str) -> bool {
    let links = shown.as_array().into_iter().flatten();
    links.into_iter().any(|link| bare(&link["id"]) == wanted)
}

fn is_choice(shown: &Value, wanted: &str) -> bool {
    shown.get("id").is_some_and(|id| bare(id) == wanted)
}

/// The text by which a value is searched and compared.
pub(crate) fn bare(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(bare).collect::<Vec<_>>().join(", "),
        Value::Object(object) => object
            .get("value")
            .or_else(|| object.get("name"))
            .map(bare)
            .unwrap_or_default(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}
