use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::proof::tests::proven;
use passerelle_model::event::Item;

fn read(body: &str) -> Result<NewEvent, &'static str> {
    let quiet = QuietFields {
        owned: vec!["docmost_page_id".to_owned()],
        ..QuietFields::default()
    };
    let understood = parse(proven(body.as_bytes()), &quiet, Timestamp::from_millis(7));
    understood
        .map(|understood| understood.event)
        .map_err(|rejection| rejection.reason())
}

/// The items as `row: disposition`.
fn items(body: &str) -> Vec<String> {
    let text = |item: &Item| {
        let row = item.row.map_or("-".to_owned(), |row| row.to_string());
        match &item.disposition {
            Disposition::Sync => format!("{row}: sync"),
            Disposition::Job(job) => format!("{job}: sync"),
            Disposition::Closed(outcome) => format!("{row}: {outcome}"),
        }
    };
    read(body).unwrap().items.iter().map(text).collect()
}

fn delivery(kind: &str, rest: &str) -> String {
    format!(r#"{{"table_id": 2, "webhook_id": 1, "event_id": "e-1", "event_type": "{kind}", {rest}}}"#)
}

#[test]
fn a_delivery_keeps_its_identity_and_its_bytes() {
    let body = delivery(
        "rows.created",
        r#""batch_id": 3, "items": [{"id": 9}], "unknown": {"a": [1]}"#,
    );
    let event = read(&body).unwrap();
    assert_eq!(event.key.to_string(), "1-e-1-3");
    assert_eq!(event.kind, EventKind::Created);
    assert_eq!(event.table, Some(TableId::new(2).unwrap()));
    assert_eq!(event.received, Timestamp::from_millis(7));
    assert_eq!(event.payload, body.as_bytes());
}

#[rstest]
#[case::created("rows.created", r#""items": [{"id": 1, "Nom": "a"}, {"id": 2}]"#, &["1: sync", "2: sync"])]
#[case::deleted("rows.deleted", r#""row_ids": [4, 5]"#, &["4: sync", "5: sync"])]
#[case::repeated_ids("rows.deleted", r#""row_ids": [4, 5, 4]"#, &["4: sync", "5: sync"])]
#[case::of_a_linked_table("rows.updated", r#""total_count": 1, "items": [{"id": 1}]"#, &["1: sync"])]
#[case::of_a_linked_table_empty("rows.updated", r#""total_count": 0, "items": []"#, &["-: ignored (no_rows)"])]
#[case::echo("rows.updated", r#""items": [{"id": 1, "docmost_page_id": "x"}], "old_items": [{"id": 1, "docmost_page_id": null}]"#, &["1: echo"])]
#[case::no_change("rows.updated", r#""items": [{"id": 1, "order": "2"}], "old_items": [{"id": 1, "order": "1"}]"#, &["1: no_change"])]
#[case::matched_by_id("rows.updated", r#""items": [{"id": 1, "a": 1}, {"id": 2, "a": 2}], "old_items": [{"id": 2, "a": 2}, {"id": 1, "a": 0}]"#, &["1: sync", "2: no_change"])]
#[case::old_row_missing("rows.updated", r#""items": [{"id": 1, "a": 1}], "old_items": []"#, &["1: sync"])]
#[case::old_row_twice("rows.updated", r#""items": [{"id": 1, "a": 1}], "old_items": [{"id": 1, "a": 1}, {"id": 1, "a": 1}]"#, &["1: sync"])]
#[case::old_rows_unreadable("rows.updated", r#""items": [{"id": 1, "a": 1}], "old_items": 5"#, &["1: sync"])]
#[case::row_twice_echo_and_work("rows.updated", r#""items": [{"id": 1, "a": 1}, {"id": 1, "a": 2}], "old_items": [{"id": 1, "a": 1}]"#, &["1: sync"])]
#[case::escaped_names("rows.updated", r#""items": [{"id": 1, "docmost_page\u005fid": 1}], "old_items": [{"id": 1, "docmost_page_id": 2}]"#, &["1: echo"])]
#[case::sample_row("rows.created", r#""items": [{"id": 0}]"#, &["-: ignored (test_call)"])]
#[case::sample_id("rows.deleted", r#""row_ids": [0]"#, &["-: ignored (test_call)"])]
#[case::unknown_kind("field.created", r#""field": {}"#, &["-: ignored (unknown_event)"])]
#[case::a_kind_of_our_own("forced", r#""items": []"#, &["-: ignored (unknown_event)"])]
#[case::bad_neighbours("rows.created", r#""items": [{"id": 1}, {}, 7, {"id": "2"}, {"id": 3}, {"id": 0}]"#,
    &["1: sync", "3: sync", "-: rejected (unreadable_rows)"])]
#[case::bad_ids("rows.deleted", r#""row_ids": [1, -1, "2", 1.5, null]"#, &["1: sync", "-: rejected (unreadable_rows)"])]
fn every_row_gets_its_item(#[case] kind: &str, #[case] rest: &str, #[case] expected: &[&str]) {
    assert_eq!(items(&delivery(kind, rest)), expected);
}

#[rstest]
#[case::created("rows.created", "items", r#"{"id": 1}"#)]
#[case::unreadable("rows.created", "items", "7")]
#[case::updated("rows.updated", "items", r#"{"id": 1}"#)]
#[case::deleted("rows.deleted", "row_ids", "5")]
fn more_rows_than_are_named_ask_for_their_table(#[case] kind: &str, #[case] field: &str, #[case] row: &str) {
    let rows = |count: usize| {
        delivery(
            kind,
            &format!(r#""{field}": [{row}{}]"#, format!(", {row}").repeat(count - 1)),
        )
    };
    assert_eq!(items(&rows(MOST_ROWS + 1)), ["table/t2: sync"]);
    let named = read(&rows(MOST_ROWS)).map(|event| event.items.len());
    assert_eq!(named, if row == "7" { Err("invalid_id") } else { Ok(1) });
}

#[rstest]
#[case::null(r#""webhook_id": null,"#, "-: ignored (test_call)")]
#[case::absent("", "8: sync")]
fn only_an_explicit_null_in_place_of_the_webhook_is_a_test_call(#[case] webhook: &str, #[case] expected: &str) {
    let body = format!(
        r#"{{"table_id": 2, {webhook} "event_id": "e-1", "event_type": "rows.created", "items": [{{"id": 8}}]}}"#
    );
    assert_eq!(items(&body), [expected]);
    assert_eq!(read(&body).unwrap().key.webhook, None);
}

#[rstest]
#[case::nothing("", "not_json")]
#[case::cut_off(r#"{"event_id": "#, "not_json")]
#[case::more_after_it("{} {}", "not_json")]
#[case::a_list(" [1]", "not_an_object")]
#[case::null("null", "not_an_object")]
#[case::a_number("12", "not_an_object")]
#[case::words("hello", "not_json")]
#[case::no_event_type(r#"{"event_id": "e"}"#, "missing_field")]
#[case::no_event_id(r#"{"event_type": "rows.created"}"#, "missing_field")]
#[case::event_type_number(r#"{"event_type": 5}"#, "not_a_text")]
#[case::event_id_number(r#"{"event_type": "x", "event_id": 5}"#, "not_a_text")]
#[case::event_id_empty(r#"{"event_type": "x", "event_id": ""}"#, "invalid_id")]
#[case::event_id_with_newline(r#"{"event_type": "x", "event_id": "a\nb"}"#, "invalid_id")]
#[case::event_id_half_surrogate(r#"{"event_type": "x", "event_id": "\ud800"}"#, "not_a_text")]
#[case::event_id_twice(r#"{"event_type": "x", "event_id": "a", "event_id": "b"}"#, "repeated_field")]
#[case::webhook_zero(r#"{"event_type": "x", "event_id": "a", "webhook_id": 0}"#, "invalid_id")]
#[case::webhook_text(r#"{"event_type": "x", "event_id": "a", "webhook_id": "1"}"#, "invalid_id")]
#[case::webhook_huge(
    r#"{"event_type": "x", "event_id": "a", "webhook_id": 99999999999999999999}"#,
    "invalid_id"
)]
#[case::batch_negative(r#"{"event_type": "x", "event_id": "a", "batch_id": -1}"#, "invalid_id")]
#[case::no_table(
    r#"{"event_type": "rows.deleted", "event_id": "a", "row_ids": [1]}"#,
    "missing_field"
)]
#[case::table_float(
    r#"{"event_type": "rows.deleted", "event_id": "a", "table_id": 1.0, "row_ids": [1]}"#,
    "invalid_id"
)]
#[case::no_rows(r#"{"event_type": "rows.deleted", "event_id": "a", "table_id": 1}"#, "missing_field")]
#[case::rows_null(
    r#"{"event_type": "rows.created", "event_id": "a", "table_id": 1, "items": null}"#,
    "not_a_list"
)]
#[case::rows_object(
    r#"{"event_type": "rows.created", "event_id": "a", "table_id": 1, "items": {"id": 1}}"#,
    "not_a_list"
)]
#[case::no_row_readable(
    r#"{"event_type": "rows.created", "event_id": "a", "table_id": 1, "items": [{}, 3]}"#,
    "invalid_id"
)]
fn a_delivery_that_cannot_be_understood_is_refused_with_a_reason(#[case] body: &str, #[case] reason: &str) {
    assert_eq!(read(body).unwrap_err(), reason);
}

#[test]
fn a_body_that_is_not_text_is_not_json() {
    let refused = parse(
        proven(b"{\"event_id\": \"\xff\"}"),
        &QuietFields::default(),
        Timestamp::from_millis(0),
    );
    assert_eq!(refused.unwrap_err().reason(), "not_json");
}

#[test]
fn nesting_without_end_is_no_danger_to_the_stack() {
    let deep = delivery(
        "rows.created",
        &format!(r#""items": [{{"id": 1, "a": {}}}]"#, "[".repeat(1_000_000)),
    );
    assert_eq!(read(&deep).unwrap_err(), "not_json");
    let closed = format!("{}{}", "[".repeat(500_000), "]".repeat(500_000));
    let deep = delivery("rows.created", &format!(r#""items": [{{"id": 1, "a": {closed}}}]"#));
    assert_eq!(items(&deep), ["1: sync"]);
}

/// Baserow tells a client of each new project, and shows it each time as it is when it sends.
#[rstest]
#[case::links_alone("", 0)]
#[case::its_own_change(r#", "old_items": [{"id": 1, "Nom": "a"}]"#, 1)]
fn an_event_of_links_alone_is_none_of_a_loop(#[case] old_items: &str, #[case] counted: usize) {
    let body = delivery(
        "rows.updated",
        &format!(r#""items": [{{"id": 1, "Nom": "b"}}]{old_items}"#),
    );
    let understood = parse(
        proven(body.as_bytes()),
        &QuietFields::default(),
        Timestamp::from_millis(0),
    )
    .unwrap();
    assert_eq!(understood.contents.len(), counted);
    assert_eq!(items(&body), ["1: sync"]);
}

/// Neither can be read by a parser of values; both can be skipped.
#[rstest]
#[case::a_number_without_bounds("1e999999")]
#[case::half_a_character(r#""\ud800""#)]
fn a_list_that_is_none_and_is_not_needed_never_costs_the_delivery(#[case] odd: &str) {
    let updated = format!(r#""items": [{{"id": 1, "a": 2}}], "old_items": {odd}, "row_ids": {odd}"#);
    assert_eq!(items(&delivery("rows.updated", &updated)), ["1: sync"]);
    let created = format!(r#""items": {odd}"#);
    assert_eq!(read(&delivery("rows.created", &created)).unwrap_err(), "not_a_list");
}

proptest! {
    #[test]
    fn no_body_makes_the_parser_panic(body in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = parse(proven(&body), &QuietFields::default(), Timestamp::from_millis(0));
    }

    #[test]
    fn an_understood_delivery_has_one_item_per_row_and_at_least_one(ids in prop::collection::vec(0_u64..20, 0..30)) {
        let list = ids.iter().map(u64::to_string).collect::<Vec<_>>().join(",");
        let event = read(&delivery("rows.deleted", &format!(r#""row_ids": [{list}]"#))).unwrap();
        let mut named: Vec<u64> = event.items.iter().filter_map(|item| item.row).map(RowId::get).collect();
        let mut sent: Vec<u64> = ids.into_iter().filter(|id| *id > 0).collect();
        named.sort_unstable();
        sent.sort_unstable();
        sent.dedup();
        prop_assert_eq!(named, sent);
        prop_assert!(!event.items.is_empty());
    }
}
