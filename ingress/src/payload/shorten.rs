//! What is kept of a body that is too long to be kept whole.
//!
//! A bulk update of rows with long texts can make a body of many megabytes. Refusing it would make Baserow switch the
//! webhook off, and every later event of the table would be lost. The rows become work all the same, since the worker
//! reads them itself. Of the body itself the short values are kept: among them the links, by which the worker learns who
//! was linked before.

use serde_json::value::RawValue;

use super::WireRow;

/// The longest value that is kept, in bytes; the next one is tried where the result is still too long. The `id` always stays.
const LONGEST_VALUES: [usize; 3] = [1024, 128, 0];

/// The lists of rows.
const ROW_LISTS: [&str; 2] = ["items", "old_items"];

/// Shortens a payload that is longer than `limit` bytes. What is no object of ours becomes `{}`.
pub(crate) fn shorten(payload: &mut Vec<u8>, limit: usize) {
    if payload.len() <= limit {
        return;
    }
    let kept = std::str::from_utf8(payload)
        .ok()
        .and_then(|text| serde_json::from_str::<WireRow<'_>>(text).ok())
        .and_then(|body| {
            let tries = LONGEST_VALUES.iter().map(|longest| shortened(&body, *longest));
            tries.map(String::into_bytes).find(|kept| kept.len() <= limit)
        });
    *payload = kept.unwrap_or_else(|| b"{}".to_vec());
}

/// The object with its values up to `longest` bytes; rows lose their longer values one by one.
fn shortened(body: &WireRow<'_>, longest: usize) -> String {
    object(body.0.iter().filter_map(|(name, value)| {
        let rows = ROW_LISTS
            .contains(&name.as_ref())
            .then(|| rows(value, longest))
            .flatten();
        let kept = rows.or_else(|| (value.get().len() <= longest.max(128)).then(|| value.get().to_owned()));
        Some((name.as_ref(), kept?))
    }))
}

fn rows(list: &RawValue, longest: usize) -> Option<String> {
    let rows: Vec<WireRow<'_>> = serde_json::from_str(list.get()).ok()?;
    let texts = rows.iter().map(|row| {
        let kept = row
            .0
            .iter()
            .filter(|(name, value)| name == "id" || value.get().len() <= longest);
        object(kept.map(|(name, value)| (name.as_ref(), value.get().to_owned())))
    });
    Some(format!("[{}]", texts.collect::<Vec<_>>().join(",")))
}

fn object<'a>(fields: impl Iterator<Item = (&'a str, String)>) -> String {
    let fields = fields.map(|(name, value)| format!("{}:{value}", serde_json::Value::from(name)));
    format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn shortened_to(body: &Value, limit: usize) -> Value {
        let mut payload = body.to_string().into_bytes();
        shorten(&mut payload, limit);
        serde_json::from_slice(&payload).unwrap()
    }

    #[test]
    fn a_payload_within_the_limit_is_kept_byte_for_byte() {
        let mut payload = b" {\"items\": [ ]}".to_vec();
        shorten(&mut payload, 100);
        assert_eq!(payload, b" {\"items\": [ ]}");
    }

    #[test]
    fn long_values_go_and_ids_and_links_stay() {
        let row = |text: &str| json!({"id": 5, "Rapport": text, "Personne": [{"id": 2, "value": "x"}]});
        let body = json!({"table_id": 2, "items": [row(&"a".repeat(9000))], "old_items": [row("b")]});
        let expected = json!({
            "table_id": 2,
            "items": [{"id": 5, "Personne": [{"id": 2, "value": "x"}]}],
            "old_items": [row("b")],
        });
        assert_eq!(shortened_to(&body, 2000), expected);
    }

    #[test]
    fn what_cannot_be_shortened_enough_is_an_empty_object() {
        assert_eq!(
            shortened_to(&json!({"items": vec![json!({"id": 1}); 500]}), 1000),
            json!({})
        );
        assert_eq!(shortened_to(&json!("x".repeat(2000)), 1000), json!({}));
    }

    proptest! {
        #[test]
        fn a_shortened_payload_fits_and_is_json(
            values in prop::collection::vec(".{0,300}", 0..20), limit in 2_usize..4000
        ) {
            let rows: Vec<_> = values.iter().enumerate().map(|(id, text)| json!({"id": id, "texte": text})).collect();
            let mut payload = json!({"event_id": "e", "items": rows}).to_string().into_bytes();
            shorten(&mut payload, limit);
            prop_assert!(payload.len() <= limit);
            prop_assert!(serde_json::from_slice::<Value>(&payload).is_ok());
        }
    }
}
