//! Which rows an event's body links to, before and after. A payload is believed in this alone,
//! because nothing else remembers the links before an update. An unreadable body links to nothing;
//! the row itself is read anyway.

use passerelle_model::id::RowId;
use serde::Deserialize;
use serde_json::{Map, Value};

#[derive(Deserialize)]
struct EventBody {
    #[serde(default)]
    items: Vec<Map<String, Value>>,
    #[serde(default)]
    old_items: Vec<Map<String, Value>>,
}

/// A link field, as webhooks name it: by its name, or as `field_<number>`.
#[derive(Debug, Clone, Copy)]
pub struct LinkField<'a> {
    pub name: &'a str,
    /// Its number, where it is known.
    pub number: Option<u64>,
}

/// The rows that `row` links to by a field in `items` and `old_items`.
pub fn named_in(payload: &[u8], row: RowId, field: LinkField<'_>) -> Vec<RowId> {
    let Ok(EventBody { items, old_items }) = serde_json::from_slice(payload) else {
        return Vec::new();
    };
    let by_number = field.number.map(|number| format!("field_{number}"));
    let is_row = |item: &&Map<String, Value>| item.get("id").and_then(Value::as_u64) == Some(row.get());
    let mut named = Vec::new();
    for item in items.iter().chain(&old_items).filter(is_row) {
        let links = item.get(field.name).or_else(|| item.get(by_number.as_ref()?));
        let ids = links.and_then(Value::as_array).into_iter().flatten();
        named.extend(ids.filter_map(|link| RowId::new(link.get("id")?.as_u64()?).ok()));
    }
    named
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn named(payload: &Value, number: Option<u64>) -> Vec<u64> {
        let row = RowId::new(5).unwrap();
        let named = named_in(
            payload.to_string().as_bytes(),
            row,
            LinkField {
                name: "Personne",
                number,
            },
        );
        named.into_iter().map(RowId::get).collect()
    }

    #[test]
    fn a_person_who_was_moved_away_is_named_by_the_old_row() {
        let item = |person: u64| json!({"id": 5, "Personne": [{"id": person, "value": "x", "order": "1"}]});
        let other = json!({"id": 6, "Personne": [{"id": 9}]});
        assert_eq!(
            named(&json!({"items": [item(2), other], "old_items": [item(1)]}), None),
            [2, 1]
        );
    }

    #[test]
    fn a_webhook_that_names_fields_by_number_is_understood() {
        let item = json!({"id": 5, "field_18": [{"id": 3}]});
        assert_eq!(named(&json!({"items": [item]}), Some(18)), [3]);
    }

    #[test]
    fn what_is_unreadable_names_nobody() {
        for payload in [
            json!(null),
            json!({}),
            json!({"items": [{"id": 5, "Personne": "x"}]}),
            json!({"items": 1}),
        ] {
            assert_eq!(named(&payload, None), Vec::<u64>::new());
        }
    }
}
