//! The values that the template of a body inserts: it writes placeholders, and the values take
//! their places when its Markdown has been read.

use std::fmt;
use std::sync::Arc;

use minijinja::value::{Object, ObjectRepr, ValueKind};
use minijinja::{Environment, Error, Output, State, Template, Value};
use passerelle_model::config::Language;

use super::value::{self, Shown};
use crate::content::document::Node;
use crate::content::markdown::{self, Inserted};

/// What one rendering has inserted.
#[derive(Default)]
struct Values(Vec<Inserted>);

/// Renders a template of a body.
pub(super) fn document(template: &Template<'_, '_>, variables: &Value) -> Result<Vec<Node>, Error> {
    let mut rendered = template.render_captured(variables)?;
    let values = rendered.with_state_mut(|state| state.get_extension_mut().map(std::mem::take));
    let Values(values) = values.unwrap_or_default();
    Ok(markdown::nodes(&rendered.into_output(), &values))
}

/// Writes the placeholder of a value. What the template itself captured (a macro, a `set` block) is
/// Markdown with placeholders already.
pub(super) fn insert(
    out: &mut Output<'_>,
    state: &mut State<'_, '_>,
    value: &Value,
    language: Language,
) -> Result<(), Error> {
    if value.is_safe() {
        return out.write_str(&value.to_string()).map_err(Error::from);
    }
    let Values(values) = state.get_or_insert_extension_with(Values::default);
    let number = values.len();
    values.push(inserted(value, language));
    out.write_str(&markdown::placeholder(number)).map_err(Error::from)
}

fn inserted(value: &Value, language: Language) -> Inserted {
    if let Some(Prepared(inserted)) = value.downcast_object_ref() {
        return inserted.clone();
    }
    match value.downcast_object_ref() {
        Some(Shown::Web(link)) if link.is_clicked => Inserted::Link {
            text: link.shown.clone(),
            url: link.url.clone(),
        },
        _ => Inserted::Text(value::text_of(value, language)),
    }
}

/// A value that a filter has told how to stand in a page.
#[derive(Debug)]
struct Prepared(Inserted);

impl Object for Prepared {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }
    fn is_true(self: &Arc<Self>) -> bool {
        !self.0.text().trim().is_empty()
    }
    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.text())
    }
}

/// Adds the filters that say how a value stands in a page.
pub(super) fn add_filters(environment: &mut Environment<'static>, language: Language) {
    let filter = move |prepare: fn(String) -> Inserted| {
        move |value: Value| match value.kind() {
            ValueKind::None => value,
            _ if value.is_safe() => value,
            _ => Value::from_object(Prepared(prepare(value::text_of(&value, language)))),
        }
    };
    environment.add_filter("paragraphs", filter(Inserted::Paragraphs));
    environment.add_filter("markdown", filter(Inserted::Markdown));
    // The name of earlier versions.
    environment.add_filter("safe", filter(Inserted::Markdown));
    // Pages show no JSON.
    environment.remove_filter("tojson");
}
