//! The template engine, set up so that a mistake is an error and a row's value is only text.
//!
//! - A field that the table does not have is an error (strict), an empty field is nothing: `{{
//!   row.Statut or "–" }}`.
//! - In a body every value is text, whatever it holds: a placeholder stands for it until the
//!   Markdown is read ([`inserted`]). `| paragraphs` keeps the paragraphs of a long text; `| markdown`
//!   is for fields whose text *is* Markdown, e.g. rich text.
//! - Several values are joined by commas.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use minijinja::value::{Enumerator, Object, ObjectRepr};
use minijinja::{AutoEscape, Environment, Error, Output, State, Template, UndefinedBehavior, Value};
use passerelle_model::config::{Language, Locale};

use super::{inserted, value};
use crate::content::row::Row;

/// What a template may cost; a page needs a few thousand.
const FUEL: u64 = 1_000_000;
/// Titles and the values of notices are plain text: their templates have names that begin so.
const TITLE_PREFIX: &str = "title of ";
const VALUE_PREFIX: &str = "value ";

/// Under this name templates find the address of a linked row's page.
pub(super) const PAGE_URL: &str = "page_url";

/// The name of the template of a rule's titles.
pub(super) fn title_of(rule: &str) -> String {
    format!("{TITLE_PREFIX}{rule}")
}

/// The name of the template of the titles of the pages above a rule's.
pub(super) fn parent_of(rule: &str) -> String {
    format!("{TITLE_PREFIX}the parent of {rule}")
}

/// The name of the template of the titles of a rule's sub-pages.
pub(super) fn sub_page_title_of(rule: &str) -> String {
    format!("{TITLE_PREFIX}{rule}/collection")
}

/// The name of the template of what a rule's notice says under a name.
pub(super) fn value_of(rule: &str, name: &str) -> String {
    format!("{VALUE_PREFIX}{name} of {rule}")
}

pub(super) fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    environment.set_auto_escape_callback(|name| {
        if is_plain(name) {
            AutoEscape::None
        } else {
            AutoEscape::Custom("markdown".into())
        }
    });
    speak(&mut environment, &Locale::default());
    environment
}

/// The variables that a template uses, each with the field that it takes of it: `client.Nom`,
/// `client["Nom complet"]`. Without a field it is used as a whole.
pub(super) fn used(template: &Template<'_, '_>) -> BTreeSet<(String, Option<String>)> {
    let (plain, bracketed) = without_brackets(template.source());
    let rewritten = environment();
    let paths = match rewritten.template_from_str(&plain) {
        Ok(rewritten) => rewritten.undeclared_variables(true),
        Err(_) => template.undeclared_variables(true),
    };
    let split = |path: &String| {
        let mut words = path.split('.');
        let root = words.next().unwrap_or_default().to_owned();
        let field = words
            .next()
            .map(|field| bracketed.get(field).map_or(field, String::as_str).to_owned());
        (root, field)
    };
    paths.iter().map(split).collect()
}

/// A template with plain names in place of fields in brackets, and which field each of them stands
/// for.
fn without_brackets(source: &str) -> (String, BTreeMap<String, String>) {
    let (mut plain, mut names, mut rest) = (String::with_capacity(source.len()), BTreeMap::new(), source);
    while let Some(start) = rest.find('[') {
        let (before, bracket) = rest.split_at(start);
        plain.push_str(before);
        let follows_name = before.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let field = ['"', '\'']
            .into_iter()
            .find_map(|quote| {
                bracket
                    .strip_prefix('[')?
                    .trim_start()
                    .strip_prefix(quote)?
                    .split_once(quote)
            })
            .and_then(|(field, rest)| Some((field, rest.trim_start().strip_prefix(']')?)));
        if let Some((field, after)) = field.filter(|(field, _)| follows_name && !field.contains('\\')) {
            let name = format!("field_in_brackets_{}", names.len());
            plain.push('.');
            plain.push_str(&name);
            names.insert(name, field.to_owned());
            rest = after;
        } else {
            plain.push('[');
            rest = bracket.get(1..).unwrap_or_default();
        }
    }
    plain.push_str(rest);
    (plain, names)
}

/// Writes numbers, dates and small words for these readers.
pub(super) fn speak(environment: &mut Environment<'static>, locale: &Locale) {
    let language = locale.language;
    environment.set_formatter(move |out, state, value| print(out, state, value, language));
    inserted::add_filters(environment, language);
    value::add_filters(environment, locale);
}

fn print(out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value, language: Language) -> Result<(), Error> {
    if is_plain(state.name()) {
        return out.write_str(&value::text_of(value, language)).map_err(Error::from);
    }
    inserted::insert(out, state, value, language)
}

/// Whether a template makes a text, and no page.
fn is_plain(template: &str) -> bool {
    template.starts_with(TITLE_PREFIX) || template.starts_with(VALUE_PREFIX)
}

/// A linked row that is not there: every field of it is empty, and the whole is false.
#[derive(Debug)]
struct NoRow;

impl Object for NoRow {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }
    fn get_value(self: &Arc<Self>, _key: &Value) -> Option<Value> {
        Some(Value::from(()))
    }
    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Empty
    }
    fn is_true(self: &Arc<Self>) -> bool {
        false
    }
}

/// The linked row as templates see it: its fields, and `page_url`, the address of its own page.
pub(super) fn linked_value(row: Option<&Row>, holds_url: impl Fn(&str) -> bool) -> Value {
    let Some(row) = row else {
        return Value::from_object(NoRow);
    };
    let mut fields = row.cells().map(|(name, _)| name).filter(|name| holds_url(name));
    let url = fields.find_map(|name| row.text(name));
    let fields = value::pairs(row).chain(
        row.cell(PAGE_URL)
            .is_none()
            .then(|| (PAGE_URL.to_owned(), Value::from(url))),
    );
    Value::from_pairs(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used_by(source: &str) -> Vec<String> {
        let environment = environment();
        let template = environment.template_from_str(source).unwrap();
        let shown =
            |(root, field): (String, Option<String>)| format!("{root} {}", field.as_deref().unwrap_or("(whole)"));
        used(&template).into_iter().map(shown).collect()
    }

    #[test]
    fn a_field_in_brackets_is_a_field_and_a_row_by_itself_is_a_whole() {
        let source = "[x](y) {{ client.Nom or client['Nom d’usage'] }} {% for b in row[ \"Blocs liés\" ] %}{{ b[\"x\"] }}{% endfor %}";
        assert_eq!(used_by(source), ["client Nom", "client Nom d’usage", "row Blocs liés"]);
        assert_eq!(used_by("{% set c = client %}{{ c.Nom }}"), ["client (whole)"]);
        assert_eq!(used_by("{{ client[name] }}"), ["client (whole)", "name (whole)"]);
    }
}
