//! The fields of tables. They can be made, renamed and deleted, as the bridge's provisioning
//! does.

use serde_json::{Map, Value, json};

use super::super::State;
use super::super::events::{Event, Thing};
use super::super::field_json;
use super::super::schema::{Field, Kind, SelectOption, TableSpec};
use super::super::store::{DATABASE, Store};
use super::Written;
use super::answer::{Answer, Answered};
use super::formula;
use super::request::Request;

/// `GET /api/database/fields/table/{table}/`
pub(crate) fn list(store: &Store, table: u64) -> Answered {
    let found = store.table(table).ok_or_else(Answer::no_table)?;
    let fields = found
        .fields
        .iter()
        .map(|field| field_json::field(store, table, field, false));
    Ok(Answer::ok(&Value::Array(fields.collect())))
}

/// `GET /api/database/fields/{field}/`
pub(crate) fn one(store: &Store, field: u64) -> Answered {
    let table = table_of(store, field)?;
    Ok(Answer::ok(&shown(store, table, field, false)))
}

fn table_of(store: &Store, field: u64) -> Result<u64, Answer> {
    let table = store.tables.values().find(|table| table.field(field).is_some());
    let missing = || Answer::refusal(404, "ERROR_FIELD_DOES_NOT_EXIST", "The requested field does not exist.");
    table.map(|table| table.id).ok_or_else(missing)
}

fn shown(store: &Store, table: u64, field: u64, related_fields: bool) -> Value {
    let found = store.table(table).and_then(|table| table.field(field));
    found.map_or(Value::Null, |field| {
        field_json::field(store, table, field, related_fields)
    })
}

fn event(store: &Store, table: u64, field: u64, what: &'static str) -> Event {
    Event::Thing(Thing {
        event: what,
        table,
        key: "field",
        value: shown(store, table, field, false),
    })
}

/// `POST /api/database/fields/table/{table}/`
pub(crate) fn create(state: &mut State, table: u64, request: &Request) -> Written {
    let body = request.object()?;
    state.store.table(table).ok_or_else(Answer::no_table)?;
    let name = new_name(&state.store, table, &body, None)?;
    let name = name.ok_or_else(|| required("name"))?;
    let id = add(&mut state.store, table, name, &body)?;
    let answer = Answer::ok(&shown(&state.store, table, id, true));
    Ok((answer, Some(event(&state.store, table, id, "field.created"))))
}

fn add(store: &mut Store, table: u64, name: String, body: &Map<String, Value>) -> Result<u64, Answer> {
    let table_name = store.table(table).map(|table| table.name.clone()).unwrap_or_default();
    let id = store.new_field_id(&table_name, &name);
    let kind = kind(store, NewField { table, id }, body)?;
    if let Some(table) = store.tables.get_mut(&table) {
        table.fields.push(Field { id, name, kind });
    }
    Ok(id)
}

/// Makes the tables of a schema: first all tables, then their fields, and formulas last.
///
/// # Panics
/// If one cannot be made.
pub(crate) fn make_tables(store: &mut Store, specs: Vec<TableSpec>) {
    let mut fields = Vec::new();
    for spec in specs {
        let table = store.add_table(DATABASE, spec.name, spec.primary);
        fields.extend(spec.fields.into_iter().map(|field| (table, field)));
    }
    let is_formula = |field: &Map<String, Value>| field.get("type") == Some(&json!("formula"));
    let (formulas, others): (Vec<_>, Vec<_>) = fields.into_iter().partition(|(_, field)| is_formula(field));
    for (table, mut field) in others.into_iter().chain(formulas) {
        let linked = field.remove("link_row_table");
        if let Some(linked) = linked
            .as_ref()
            .and_then(Value::as_str)
            .and_then(|name| store.table_named(name))
        {
            field.insert("link_row_table_id".to_owned(), json!(linked.id));
        }
        let name = field.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        let made = add(store, table, name, &field);
        assert!(made.is_ok(), "the schema has a field that cannot be made: {field:?}");
    }
}

/// `PATCH /api/database/fields/{field}/`: its name, the options of a single select, or a formula.
pub(crate) fn update(state: &mut State, field: u64, request: &Request) -> Written {
    let body = request.object()?;
    let table = table_of(&state.store, field)?;
    let name = new_name(&state.store, table, &body, Some(field))?;
    let options = body
        .get("select_options")
        .map(|options| choices(&mut state.store, options));
    let formula = body.get("formula").and_then(Value::as_str);
    let formula = formula
        .map(|source| formula::parse(&state.store, table, source))
        .transpose()?;
    let fields = state.store.tables.get_mut(&table).map(|table| &mut table.fields);
    if let Some(found) = fields.into_iter().flatten().find(|found| found.id == field) {
        if let Some(name) = name {
            found.name = name;
        }
        if let (Kind::SingleSelect(kept), Some(options)) = (&mut found.kind, options) {
            *kept = options;
        }
        if let (Kind::Remainder { .. }, Some(formula)) = (&found.kind, formula) {
            found.kind = formula;
        }
    }
    let answer = Answer::ok(&shown(&state.store, table, field, true));
    Ok((answer, Some(event(&state.store, table, field, "field.updated"))))
}

/// `DELETE /api/database/fields/{field}/`: 200, with the fields that went along.
pub(crate) fn delete(state: &mut State, field: u64) -> Written {
    let table = table_of(&state.store, field)?;
    if state.store.table(table).and_then(|table| table.position(field)) == Some(0) {
        return Err(Answer::refusal(
            400,
            "ERROR_CANNOT_DELETE_PRIMARY_FIELD",
            "The primary field cannot be deleted because every table must have a primary field.",
        ));
    }
    if let Some(table) = state.store.tables.get_mut(&table) {
        table.fields.retain(|kept| kept.id != field);
    }
    let event = Event::Thing(Thing {
        event: "field.deleted",
        table,
        key: "field_id",
        value: json!(field),
    });
    Ok((Answer::ok(&json!({"related_fields": []})), Some(event)))
}

fn required(key: &str) -> Answer {
    Answer::invalid(json!({key: [{"error": "This field is required.", "code": "required"}]}))
}

/// The name in the body, if there is one and the table can take it.
fn new_name(
    store: &Store,
    table: u64,
    body: &Map<String, Value>,
    field: Option<u64>,
) -> Result<Option<String>, Answer> {
    let Some(name) = body.get("name").and_then(Value::as_str) else {
        return Ok(None);
    };
    if name == "id" || name == "order" {
        return Err(Answer::refusal(
            400,
            "ERROR_RESERVED_BASEROW_FIELD_NAME",
            "The field names order,id are reserved and cannot and cannot be used for a user created field, \
             please choose different field name.",
        ));
    }
    let fields = store
        .table(table)
        .map(|table| table.fields.as_slice())
        .unwrap_or_default();
    if fields.iter().any(|other| other.name == name && Some(other.id) != field) {
        return Err(Answer::refusal(
            400,
            "ERROR_FIELD_WITH_SAME_NAME_ALREADY_EXISTS",
            "You cannot have two fields with the same name in the same table, please choose a unique name for \
             each field.",
        ));
    }
    Ok(Some(name.to_owned()))
}

/// A field that is being made.
#[derive(Debug, Clone, Copy)]
struct NewField {
    table: u64,
    id: u64,
}

fn kind(store: &mut Store, new: NewField, body: &Map<String, Value>) -> Result<Kind, Answer> {
    let word = body
        .get("type")
        .and_then(Value::as_str)
        .ok_or_else(|| required("type"))?;
    Ok(match word {
        "text" => Kind::Text,
        "long_text" => Kind::LongText,
        "url" => Kind::Url,
        "email" => Kind::Email,
        "boolean" => Kind::Boolean,
        "date" => Kind::Date,
        "last_modified" => Kind::LastModified,
        "last_modified_by" => Kind::LastModifiedBy,
        "created_by" => Kind::CreatedBy,
        "number" => Kind::Number {
            places: body
                .get("number_decimal_places")
                .and_then(Value::as_u64)
                .and_then(|places| u32::try_from(places.min(10)).ok())
                .unwrap_or(0),
            negative: body.get("number_negative").and_then(Value::as_bool).unwrap_or(false),
        },
        "single_select" => Kind::SingleSelect(choices(store, body.get("select_options").unwrap_or(&Value::Null))),
        "link_row" => link(store, new, body)?,
        "formula" => {
            let source = body.get("formula").and_then(Value::as_str);
            formula::parse(store, new.table, source.ok_or_else(|| required("formula"))?)?
        }
        unknown => {
            let error = format!("\"{unknown}\" is not a valid choice.");
            return Err(Answer::invalid(
                json!({"type": [{"error": error, "code": "invalid_choice"}]}),
            ));
        }
    })
}

/// A link to another table, with a field there that shows the same links, unless it is not wanted.
fn link(store: &mut Store, new: NewField, body: &Map<String, Value>) -> Result<Kind, Answer> {
    let other = body.get("link_row_table_id").and_then(Value::as_u64);
    let other = other.filter(|other| store.table(*other).is_some()).ok_or_else(|| {
        Answer::refusal(
            400,
            "ERROR_LINK_ROW_TABLE_NOT_PROVIDED",
            "The `link_row_table_id` must be provided.",
        )
    })?;
    if other == new.table || body.get("has_related_field").and_then(Value::as_bool) == Some(false) {
        return Ok(Kind::Link {
            table: other,
            related: None,
        });
    }
    let name = store
        .table(new.table)
        .map(|table| table.name.clone())
        .unwrap_or_default();
    let other_name = store.table(other).map(|table| table.name.clone()).unwrap_or_default();
    let related = store.new_field_id(&other_name, &name);
    let kind = Kind::Link {
        table: new.table,
        related: Some(new.id),
    };
    if let Some(other) = store.tables.get_mut(&other) {
        other.fields.push(Field {
            id: related,
            name,
            kind,
        });
    }
    Ok(Kind::Link {
        table: other,
        related: Some(related),
    })
}

/// Options that bring an id keep it; others get one.
fn choices(store: &mut Store, options: &Value) -> Vec<SelectOption> {
    let text = |option: &Value, key: &str| option.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let options = options.as_array().map(Vec::as_slice).unwrap_or_default();
    options
        .iter()
        .map(|option| SelectOption {
            id: option
                .get("id")
                .and_then(Value::as_u64)
                .unwrap_or_else(|| store.new_option_id()),
            value: text(option, "value"),
            color: text(option, "color"),
        })
        .collect()
}
