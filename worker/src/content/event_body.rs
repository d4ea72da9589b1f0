//! What the body of an event says of one row. A body is a snapshot, and is believed in two things
//! alone, because nothing else remembers them: which rows were linked before an update, and which
//! fields the update changed. Everything else is read from Baserow.

use passerelle_model::id::RowId;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// Moving a row changes this alone.
pub const ORDER: &str = "order";

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow, default)]
    items: Vec<&'a RawValue>,
    #[serde(borrow)]
    old_items: Option<Vec<&'a RawValue>>,
}

#[derive(Deserialize)]
struct Id {
    id: u64,
}

/// A field, as webhooks name it: by its name, or as `field_<number>`.
#[derive(Debug, Clone, Copy)]
pub struct FieldName<'a> {
    /// The name that a rule uses.
    pub name: &'a str,
    /// The name that it has now. An event may be from before it got it.
    pub present: &'a str,
    /// Its number, where it is known.
    pub number: Option<u64>,
}

/// A row as an event shows it, before and after.
#[derive(Debug, Default)]
pub struct RowBody {
    now: Map<String, Value>,
    before: Map<String, Value>,
    is_about_links_alone: bool,
}

impl RowBody {
    /// Reads what a body says of a row. What is unreadable says nothing.
    pub fn read(payload: &[u8], row: RowId) -> Self {
        let Ok(Body { items, old_items }) = serde_json::from_slice(payload) else {
            return Self::default();
        };
        let now = find(&items, row);
        Self {
            is_about_links_alone: now.is_some() && old_items.is_none(),
            now: now.unwrap_or_default(),
            before: old_items.and_then(|rows| find(&rows, row)).unwrap_or_default(),
        }
    }

    /// Whether it says nothing but that rows of a linked table gained or lost this one: Baserow
    /// sends such an update without `old_items`. No cell that people fill in has changed.
    pub fn is_about_links_alone(&self) -> bool {
        self.is_about_links_alone
    }

    /// Whether it shows the row as it was before.
    pub fn shows_before(&self) -> bool {
        !self.before.is_empty()
    }

    /// Whether a field may have changed: only two equal values say that it has not.
    pub fn may_have_changed(&self, field: FieldName<'_>) -> bool {
        match (value(&self.now, field), value(&self.before, field)) {
            (Some(now), Some(before)) => now != before,
            _ => true,
        }
    }

    /// Whether the row was moved among its neighbours.
    pub fn was_moved(&self) -> bool {
        match (self.now.get(ORDER), self.before.get(ORDER)) {
            (Some(now), Some(before)) => now != before,
            _ => false,
        }
    }

    /// The rows that a link field names after the event.
    pub fn links_now(&self, field: FieldName<'_>) -> Vec<RowId> {
        links(&self.now, field)
    }

    /// The rows that a link field named before the event; `None` if it does not say.
    pub fn links_before(&self, field: FieldName<'_>) -> Option<Vec<RowId>> {
        value(&self.before, field).map(|_| links(&self.before, field))
    }
}

fn find(rows: &[&RawValue], row: RowId) -> Option<Map<String, Value>> {
    let is_row = |text: &&&RawValue| serde_json::from_str::<Id>(text.get()).is_ok_and(|found| found.id == row.get());
    let found = rows.iter().find(is_row)?;
    serde_json::from_str(found.get()).ok()
}

fn value<'r>(row: &'r Map<String, Value>, field: FieldName<'_>) -> Option<&'r Value> {
    let by_number = || row.get(&format!("field_{}", field.number?));
    let by_name = row.get(field.present).or_else(|| row.get(field.name));
    by_name.or_else(by_number)
}

fn links(row: &Map<String, Value>, field: FieldName<'_>) -> Vec<RowId> {
    let links = value(row, field).and_then(Value::as_array).into_iter().flatten();
    links
        .filter_map(|link| RowId::new(link.get("id")?.as_u64()?).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const PERSONNE: FieldName<'_> = FieldName {
        name: "Personne",
        present: "Intervenant",
        number: Some(18),
    };

    fn read(payload: &Value) -> RowBody {
        RowBody::read(payload.to_string().as_bytes(), RowId::new(5).unwrap())
    }

    fn ids(rows: Vec<RowId>) -> Vec<u64> {
        rows.into_iter().map(RowId::get).collect()
    }

    #[test]
    fn a_person_who_was_moved_away_is_named_by_the_old_row() {
        let item = |person: u64| json!({"id": 5, "Personne": [{"id": person, "value": "x", "order": "1"}]});
        let other = json!({"id": 6, "Personne": [{"id": 9}]});
        let body = read(&json!({"items": [item(2), other], "old_items": [item(1)]}));
        assert_eq!(
            (ids(body.links_now(PERSONNE)), ids(body.links_before(PERSONNE).unwrap())),
            (vec![2], vec![1])
        );
        assert!(body.may_have_changed(PERSONNE) && body.shows_before());
    }

    #[test]
    fn a_field_is_found_under_the_name_that_it_had_and_under_the_name_that_it_has() {
        let body =
            read(&json!({"items": [{"id": 5, "Intervenant": [{"id": 3}]}], "old_items": [{"id": 5, "Personne": []}]}));
        assert_eq!(ids(body.links_now(PERSONNE)), [3]);
        assert!(body.links_before(PERSONNE) == Some(Vec::new()) && body.may_have_changed(PERSONNE));
    }

    #[test]
    fn a_webhook_that_names_fields_by_number_is_understood() {
        let item = json!({"id": 5, "field_18": [{"id": 3}]});
        let body = read(&json!({"items": [item], "old_items": [item]}));
        assert_eq!(ids(body.links_now(PERSONNE)), [3]);
        assert!(!body.may_have_changed(PERSONNE));
    }

    #[test]
    fn an_update_without_the_old_rows_is_about_links_alone() {
        let body = read(&json!({"items": [{"id": 5, "Nom": "a"}]}));
        assert!(body.is_about_links_alone() && !body.shows_before());
        let own = read(&json!({"items": [{"id": 5, "Nom": "a"}], "old_items": []}));
        assert!(!own.is_about_links_alone());
    }

    #[test]
    fn a_value_that_was_too_long_to_be_kept_may_have_changed() {
        let body = read(&json!({"items": [{"id": 5, "order": "1"}], "old_items": [{"id": 5, "order": "2"}]}));
        assert!(body.may_have_changed(PERSONNE) && body.was_moved());
    }

    #[test]
    fn what_is_unreadable_says_nothing() {
        for payload in [
            json!(null),
            json!({}),
            json!({"items": [{"id": 5, "Personne": "x"}]}),
            json!({"items": 1}),
            json!({"items": [1, {"id": "5"}]}),
        ] {
            let body = read(&payload);
            assert_eq!(ids(body.links_now(PERSONNE)), Vec::<u64>::new());
            assert!(!body.was_moved() && body.may_have_changed(PERSONNE));
        }
    }
}
