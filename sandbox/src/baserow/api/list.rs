//! `GET …/rows/table/{table}/`: a page of rows, filtered, searched and ordered.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use reqwest::Url;
use serde_json::{Map, Value, json};

use super::super::schema::Field;
use super::super::snapshot::Snapshot;
use super::super::store::{Store, Table};
use super::super::tokens::{Act, Caller};
use super::answer::{Answer, Answered};
use super::filters::{Filters, bare};
use super::request::Request;
use super::rows::allowed;

/// The page size without `size`.
const USUAL_SIZE: usize = 100;
const MOST: usize = 200;

pub(crate) fn rows(store: &Store, table: u64, caller: &Caller, request: &Request) -> Answered {
    let found = allowed(store, table, caller, Act::Read)?;
    let size = size(request)?;
    let page = page(request)?;
    let filters = Filters::parse(found, &request.query, request.names())?;
    let search = request.parameter("search").unwrap_or_default().to_lowercase();
    let mut rows: Vec<Snapshot> = found
        .alive()
        .into_iter()
        .filter_map(|row| store.snapshot(table, row))
        .filter(|row| filters.let_through(row) && mentions(row, &search))
        .collect();
    sort(found, &mut rows, request)?;
    let count = rows.len();
    let shown = rows.into_iter().skip((page - 1).saturating_mul(size)).take(size);
    let results: Vec<Value> = shown
        .map(|row| project(found, row.json(found, request.names()), request))
        .collect();
    Ok(Answer::ok(&json!({
        "count": count,
        "next": (page.saturating_mul(size) < count).then(|| link(request, page + 1)),
        "previous": (page > 1).then(|| link(request, page - 1)),
        "results": results,
    })))
}

fn size(request: &Request) -> Result<usize, Answer> {
    // A size that is not a positive number is ignored.
    let size = request
        .parameter("size")
        .and_then(|size| size.parse().ok())
        .unwrap_or(USUAL_SIZE);
    if size > MOST {
        let detail = format!("The page size is limited to {MOST}.");
        return Err(Answer::refusal(400, "ERROR_PAGE_SIZE_LIMIT", detail));
    }
    Ok(if size == 0 { USUAL_SIZE } else { size })
}

fn page(request: &Request) -> Result<usize, Answer> {
    match request.parameter("page").map(str::parse) {
        None => Ok(1),
        Some(Ok(page)) if page > 0 => Ok(page),
        Some(_) => Err(Answer::refusal(400, "ERROR_INVALID_PAGE", "Invalid page.")),
    }
}

fn mentions(row: &Snapshot, search: &str) -> bool {
    search.is_empty()
        || row
            .values
            .iter()
            .any(|(_, value)| bare(value).to_lowercase().contains(search))
}

fn named<'a>(table: &'a Table, name: &str, names: bool) -> Option<&'a Field> {
    table
        .fields
        .iter()
        .find(|field| Table::key(field, names) == name || format!("field_{}", field.id) == name)
}

fn sort(table: &Table, rows: &mut [Snapshot], request: &Request) -> Result<(), Answer> {
    let Some(orders) = request.parameter("order_by") else {
        return Ok(());
    };
    let mut keys = Vec::new();
    for order in orders.split(',').filter(|order| !order.is_empty()) {
        let name = order.trim_start_matches(['-', '+']);
        let field = named(table, name, request.names()).ok_or_else(|| {
            let detail = format!("The field {name} was not found in the table.");
            Answer::refusal(400, "ERROR_ORDER_BY_FIELD_NOT_FOUND", detail)
        })?;
        keys.push((table.position(field.id).unwrap_or(0), order.starts_with('-')));
    }
    rows.sort_by(|left, right| {
        let by_key = keys.iter().map(|&(index, descending)| {
            let order = compare(&left.values[index].1, &right.values[index].1);
            if descending { order.reverse() } else { order }
        });
        by_key.fold(Ordering::Equal, Ordering::then)
    });
    Ok(())
}

fn compare(left: &Value, right: &Value) -> Ordering {
    let (left, right) = (bare(left), bare(right));
    match (left.parse::<f64>(), right.parse::<f64>()) {
        (Ok(left), Ok(right)) => left.total_cmp(&right),
        _ => left.cmp(&right),
    }
}

/// Only the fields of `include`, without those of `exclude`; `id` and `order` are always there.
fn project(table: &Table, row: Value, request: &Request) -> Value {
    let list = |name: &str| -> Option<Vec<&str>> { Some(request.parameter(name)?.split(',').map(str::trim).collect()) };
    let (include, exclude) = (list("include"), list("exclude"));
    let is_wanted = |key: &str| {
        let asked = |names: &[&str]| {
            names.iter().any(|name| {
                *name == key
                    || named(table, name, request.names())
                        .is_some_and(|field| Table::key(field, request.names()) == key)
            })
        };
        matches!(key, "id" | "order")
            || (include.as_deref().is_none_or(asked) && !exclude.as_deref().is_some_and(asked))
    };
    match row {
        Value::Object(row) => Value::Object(row.into_iter().filter(|(key, _)| is_wanted(key)).collect::<Map<_, _>>()),
        other => other,
    }
}

/// The address of another page: the same query with its keys sorted.
fn link(request: &Request, page: usize) -> String {
    let mut query: BTreeMap<&str, String> = request
        .query
        .iter()
        .map(|(key, value)| (key.as_str(), value.clone()))
        .collect();
    if page == 1 {
        query.remove("page");
    } else {
        query.insert("page", page.to_string());
    }
    let address = format!("http://{}{}", request.host, request.path);
    Url::parse_with_params(&address, query).map_or(address, String::from)
}
