//! Every kind of field of Baserow: its description and a cell as captured, and what a page shows.

use std::collections::BTreeSet;

use passerelle_model::config::Locale;
use rstest::rstest;
use serde_json::{Value as Json, json};

use super::*;
use crate::content::field::{Described, Format};
use crate::rules::template;

/// Renders a text over a row with one field, `x`.
fn rendered(text: &str, description: &Json, cell: &Json) -> Result<String, Error> {
    let kind = description["type"].as_str().unwrap();
    let format: Format = serde_json::from_value(description.clone()).unwrap();
    let described = Described::new([("x", kind, &format)], &Locale::default().zone);
    let row = Row::from_json(&json!({"id": 1, "order": "1.0", "x": cell}).to_string()).unwrap();
    let row = row_value(&row.described(&described));
    let mut environment = template::environment();
    environment.add_template_owned("title of test", text.to_owned())?;
    environment
        .get_template("title of test")?
        .render(Value::from_pairs([("row", row)]))
}

#[rstest]
#[case("{{ row.x | replace('a', 'b') }}")]
#[case("{{ row.x | upper }}")]
#[case("{{ row.x | lower }}")]
#[case("{{ row.x | trim }}")]
#[case("{{ row.x | trim('x') }}")]
fn a_filter_makes_no_word_of_an_empty_cell(#[case] text: &str) {
    assert_eq!(rendered(text, &json!({"type": "text"}), &Json::Null).unwrap(), "");
    assert!(
        rendered(text, &json!({"type": "text"}), &json!("ça"))
            .unwrap()
            .to_lowercase()
            .starts_with('ç')
    );
}

/// `field` (its description), `cell` (as captured) and what is `shown` of it.
fn kinds() -> Vec<Json> {
    serde_json::from_str(include_str!("kinds.json")).unwrap()
}

#[test]
fn every_kind_of_field_is_shown_as_people_see_it_in_baserow() {
    for kind in kinds() {
        let text = "{% if row.x is boolean %}{{ row.x }}{% else %}{{ row.x or '–' }}{% endif %}";
        let shown = rendered(text, &kind["field"], &kind["cell"]).unwrap();
        assert_eq!(shown, kind["shown"], "{kind}");
    }
}

#[test]
fn no_kind_of_field_of_baserow_is_left_out() {
    let kinds = kinds();
    let shown: BTreeSet<&str> = kinds.iter().filter_map(|kind| kind["field"]["type"].as_str()).collect();
    let all = "text long_text url email number rating boolean date last_modified last_modified_by created_on created_by \
        duration link_row file single_select multiple_select phone_number formula count rollup lookup \
        multiple_collaborators uuid autonumber password ai";
    for kind in all.split_whitespace() {
        assert!(shown.contains(kind), "{kind}");
    }
}

#[rstest]
#[case(json!({"type": "text"}), json!({"a": 1}))]
#[case(json!({"type": "number"}), json!("douze"))]
#[case(json!({"type": "date"}), json!("demain"))]
#[case(json!({"type": "duration"}), json!([1]))]
#[case(json!({"type": "single_select"}), json!({"id": 1}))]
#[case(json!({"type": "link_row"}), json!([{"value": "x"}]))]
#[case(json!({"type": "of tomorrow"}), json!({"a": {"b": 1}}))]
#[case(json!({"type": "lookup", "formula_type": "array", "array_formula_type": "text"}), json!([{"id": 1, "value": {"a": 1}}]))]
#[case(json!({"type": "formula", "formula_type": "invalid", "error": "division"}), Json::Null)]
fn what_cannot_be_read_is_an_error_that_names_the_field_and_only_where_it_is_used(
    #[case] field: Json,
    #[case] cell: Json,
) {
    let error = rendered("{{ row.x }}", &field, &cell).unwrap_err();
    assert!(error.to_string().contains("the field \"x\" cannot be shown"), "{error}");
    assert_eq!(rendered("{{ row.id }}", &field, &cell).unwrap(), "1");
}

#[rstest]
#[case("{{ row.x | number }}", json!({"type": "number", "number_decimal_places": 2}), json!("1234.50"), "1\u{202f}234,50")]
#[case("{{ row.x | number(0) }}", json!({"type": "number", "number_decimal_places": 2}), json!("1234.50"), "1\u{202f}234")]
#[case("{{ row.x | number or '–' }}", json!({"type": "number"}), json!("NaN"), "–")]
#[case("{{ row.x | date }}", json!({"type": "date", "date_format": "ISO"}), json!("2026-12-05"), "05/12/2026")]
#[case("{{ row.x | date('long') }}", json!({"type": "date"}), json!("2026-12-01"), "1er décembre 2026")]
#[case("{{ row.x | date('%Y') }}", json!({"type": "date"}), json!("2026-12-05"), "2026")]
#[case("{{ row.x | date or '–' }}", json!({"type": "date"}), Json::Null, "–")]
#[case("{{ row.x | date }}", json!({"type": "text"}), json!("2026-12-05"), "05/12/2026")]
#[case("{{ row.x | datetime }} {{ row.x | time }}", json!({"type": "date", "date_include_time": true}),
    json!("2026-12-05T23:30:00Z"), "06/12/2026 00:30 00:30")]
#[case("{{ row.x | datetime }}", json!({"type": "date", "date_force_timezone": "America/New_York"}),
    json!("2026-12-05T23:30:00Z"), "05/12/2026 18:30")]
#[case("{{ row.x | hours }}", json!({"type": "duration", "duration_format": "h:mm"}), json!("5400.0"), "1,5")]
#[case("{{ row.x | raw }}", json!({"type": "duration", "duration_format": "h:mm"}), json!("5400.0"), "5400.0")]
#[case("{{ (row.x | raw) + 1 }}", json!({"type": "number", "number_decimal_places": 0}), json!("12"), "13")]
#[case("{{ row.x | raw }}", json!({"type": "date", "date_format": "EU"}), json!("2026-12-05"), "2026-12-05")]
#[case("{{ row.x.url }}", json!({"type": "formula", "formula_type": "button"}), json!({"url": "https://a.test", "label": "b"}),
    "https://a.test")]
fn filters_write_values_in_the_readers_way_or_raw(
    #[case] text: &str,
    #[case] field: Json,
    #[case] cell: Json,
    #[case] expected: &str,
) {
    assert_eq!(rendered(text, &field, &cell).unwrap(), expected);
}

#[test]
fn a_filter_that_does_not_fit_says_so() {
    let error = rendered("{{ row.x | date }}", &json!({"type": "text"}), &json!("demain")).unwrap_err();
    assert!(error.to_string().contains("\"demain\" is no date"), "{error}");
}
