use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// What is kept of a text that comes in pieces of this size.
fn shortened(text: &str, most: usize, size: usize) -> Option<(Value, bool)> {
    let mut shortener = Shortener::new(most);
    text.as_bytes().chunks(size).for_each(|chunk| shortener.take(chunk));
    let (kept, is_cut) = shortener.finish()?;
    assert!(kept.len() <= most, "{} of {most}", kept.len());
    Some((serde_json::from_slice(&kept).unwrap(), is_cut))
}

#[test]
fn long_values_go_and_ids_and_links_stay() {
    let row = |text: &str| json!({"id": 5, "Rapport": text, "Personne": [{"id": 2, "value": "x \"y\""}]});
    let body = json!({"table_id": 2, "items": [row(&"a\\\"".repeat(900))], "old_items": [row("b")], "row_ids": [1, 2]});
    let expected = json!({
        "table_id": 2,
        "items": [{"id": 5, "Personne": [{"id": 2, "value": "x \"y\""}]}],
        "old_items": [row("b")],
        "row_ids": [1, 2],
    });
    for text in [body.to_string(), serde_json::to_string_pretty(&body).unwrap()] {
        for size in [1, 7, 100_000] {
            assert_eq!(shortened(&text, 10_000, size), Some((expected.clone(), false)));
        }
    }
}

#[test]
fn of_rows_that_are_too_many_nothing_is_left_but_where_they_belong() {
    let body = json!({"table_id": 2, "items": vec![json!({"id": 1}); 500], "row_ids": vec![7; 900], "event_id": "e"});
    let (kept, is_cut) = shortened(&body.to_string(), 1000, 64).unwrap();
    assert_eq!((kept, is_cut), (json!({"table_id": 2, "event_id": "e"}), true));
    let empty = format!(r#"{{"table_id": 2, "items": [{}{{}}]}}"#, "{},".repeat(500));
    assert_eq!(shortened(&empty, 1000, 64), Some((json!({"table_id": 2}), true)));
    let endless = format!(r#"{{"table_id": 2, "items": [{}"#, "[],".repeat(900));
    assert_eq!(shortened(&endless, 1000, 64), Some((json!({"table_id": 2}), true)));
}

#[test]
fn what_is_no_whole_object_is_nothing() {
    for text in [
        "",
        "[]",
        "x",
        "{}{}",
        "{\"a\": 1",
        "{]",
        "{\"items\": [}",
        "{\"a\": 1 2}",
        "\"{}\"",
        "{\"a",
    ] {
        assert_eq!(shortened(text, 1000, 3), None, "{text}");
    }
}

proptest! {
    #[test]
    fn what_is_short_enough_is_kept_as_it_is_and_the_rest_is_bounded(
        values in prop::collection::vec(".{0,300}", 0..20), most in 2_usize..20_000, size in 1_usize..300
    ) {
        let rows: Vec<_> = values.iter().enumerate().map(|(id, text)| json!({"id": id, "texte": [text]})).collect();
        let body = json!({"event_id": "e", "items": rows, "other": {"a": [1, null]}});
        let text = body.to_string();
        let (kept, is_cut) = shortened(&text, most, size).unwrap();
        prop_assert!(is_cut || most < text.len() || kept == body || values.iter().any(|value| value.len() > 900));
    }

    #[test]
    fn no_bytes_make_it_panic_or_hold_more_than_its_limit(bytes in "[\\[\\]{}\",:\\\\ a1]{0,300}", most in 2_usize..100) {
        let mut shortener = Shortener::new(most);
        shortener.take(bytes.as_bytes());
        prop_assert!(shortener.kept.len() <= most);
    }
}
