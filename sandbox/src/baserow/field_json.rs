//! How Baserow shows a field: in the list of a table's fields, in the answers to their writers, and
//! in field webhooks.

use serde_json::{Map, Value, json};

use super::schema::{Field, Kind};
use super::store::{DATABASE, Store, WORKSPACE};

/// A field as JSON. The answers to a field's writer also say `related_fields`; lists and webhooks
/// do not.
pub(crate) fn field(store: &Store, table: u64, field: &Field, related_fields: bool) -> Value {
    let position = store
        .table(table)
        .and_then(|table| table.position(field.id))
        .unwrap_or(0);
    let mut json = common(table, position, field);
    if related_fields {
        json.insert("related_fields".to_owned(), json!([]));
    }
    for (key, value) in particulars(store, &field.kind) {
        json.insert(key, value);
    }
    Value::Object(json)
}

fn common(table: u64, position: usize, field: &Field) -> Map<String, Value> {
    object(json!({
        "id": field.id,
        "table_id": table,
        "name": field.name,
        "order": position,
        "type": field.kind.word(),
        "primary": position == 0,
        "read_only": field.kind.is_read_only(),
        "immutable_type": false,
        "immutable_properties": false,
        "description": null,
        "database_id": DATABASE,
        "workspace_id": WORKSPACE,
        "db_index": false,
        "field_constraints": [],
    }))
}

fn particulars(store: &Store, kind: &Kind) -> Map<String, Value> {
    object(match kind {
        Kind::Text => json!({"text_default": ""}),
        Kind::LongText => json!({"long_text_enable_rich_text": false}),
        Kind::Url | Kind::Email => json!({}),
        Kind::Boolean => json!({"boolean_default": false}),
        Kind::Number { places, negative } => json!({
            "number_decimal_places": places,
            "number_negative": negative,
            "number_prefix": "",
            "number_suffix": "",
            "number_separator": "",
            "number_default": null,
        }),
        Kind::SingleSelect(options) => json!({
            "select_options": options
                .iter()
                .map(|option| json!({"id": option.id, "value": option.value, "color": option.color}))
                .collect::<Vec<_>>(),
            "single_select_default": null,
        }),
        Kind::Link { table, related } => link(store, *table, *related),
        Kind::Date => date(false),
        Kind::LastModified => date(true),
        Kind::LastModifiedBy | Kind::CreatedBy => json!({
            "available_collaborators": [{"id": 1, "name": "Admin"}, {"id": 2, "name": "Bridge Bot"}],
        }),
        Kind::Remainder { source, .. } => formula(source),
    })
}

fn link(store: &Store, table: u64, related: Option<u64>) -> Value {
    let primary = store
        .table(table)
        .and_then(|linked| linked.fields.first())
        .map(|primary| {
            let mut json = common(table, 0, primary);
            json.extend(particulars(store, &primary.kind));
            Value::Object(json)
        });
    json!({
        "link_row_table_id": table,
        "link_row_related_field_id": related,
        "link_row_table": table,
        "link_row_related_field": related,
        "link_row_limit_selection_view_id": null,
        "link_row_table_primary_field": primary,
        "link_row_multiple_relationships": true,
    })
}

fn date(with_time: bool) -> Value {
    json!({
        "date_format": "ISO",
        "date_include_time": with_time,
        "date_time_format": "24",
        "date_show_tzinfo": false,
        "date_force_timezone": null,
    })
}

fn formula(source: &str) -> Value {
    json!({
        "number_suffix": "",
        "nullable": false,
        "date_show_tzinfo": null,
        "number_prefix": "",
        "number_separator": "",
        "available_collaborators": [],
        "date_time_format": null,
        "date_format": null,
        "select_options": [],
        "error": null,
        "date_force_timezone": null,
        "array_formula_type": null,
        "number_decimal_places": 2,
        "duration_format": null,
        "date_include_time": null,
        "formula": source,
        "formula_type": "number",
    })
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
