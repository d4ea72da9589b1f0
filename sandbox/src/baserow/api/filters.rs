//! Which rows a list shows.
//!
//! The trap that is kept: a filter on a field that does not exist is ignored, and the list shows
//! everything.

use serde_json::Value;

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
                "The provided filters are not valid JSON.",
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
            self.add(table, &wanted, names)?;
        }
        Ok(())
    }

    fn add(&mut self, table: &Table, wanted: &Wanted<'_>, names: bool) -> Result<(), Answer> {
        let test = Test::named(wanted.test)?;
        let field = wanted.field;
        let found = table.fields.iter().find(|known| {
            field == format!("field_{}", known.id) || field == known.id.to_string() || (names && field == known.name)
        });
        let Some(found) = found else { return Ok(()) };
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
        Ok(())
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
        let shown = row
            .values
            .iter()
            .find(|(field, _)| *field == self.field)
            .map(|(_, value)| value);
        let shown = shown.unwrap_or(&Value::Null);
        let text = bare(shown);
        let wanted = self.value.as_str();
        // Without a value only the tests for emptiness have a meaning; otherwise Baserow shows
        // every row.
        if wanted.is_empty() && !matches!(self.test, Test::Empty | Test::NotEmpty) {
            return true;
        }
        let has_link = || {
            shown
                .as_array()
                .is_some_and(|links| links.iter().any(|link| bare(&link["id"]) == wanted))
        };
        let contains = || text.to_lowercase().contains(&wanted.to_lowercase());
        let is_choice = || shown.get("id").is_some_and(|id| bare(id) == wanted);
        let difference = || units_of(shown, 2).cmp(&units_of(&Value::from(wanted), 2));
        let is_number = || shown.is_string() && wanted.parse::<f64>().is_ok() && text.parse::<f64>().is_ok();
        let equal = || text == wanted || (is_number() && difference().is_eq());
        match self.test {
            Test::Equal => equal(),
            Test::NotEqual => !equal(),
            Test::Contains => contains(),
            Test::ContainsNot => !contains(),
            Test::Empty => text.is_empty(),
            Test::NotEmpty => !text.is_empty(),
            Test::HigherThan => is_number() && difference().is_gt(),
            Test::LowerThan => is_number() && difference().is_lt(),
            Test::HasLink => has_link(),
            Test::HasNoLink => !has_link(),
            Test::IsChoice => is_choice(),
            Test::IsNoChoice => !is_choice(),
            Test::Is => text == wanted || (wanted == "1") == (text == "true"),
        }
    }
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
