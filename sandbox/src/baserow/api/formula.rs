//! The one kind of formula that the stand-in computes: a number less the sums of linked rows.

use super::super::schema::Kind;
use super::super::store::Store;
use super::answer::Answer;

/// Reads `field('a') - sum(lookup('link','b')) - …` of a table.
pub(crate) fn parse(store: &Store, table: u64, source: &str) -> Result<Kind, Answer> {
    let refused = || {
        let detail = format!("Error with formula: {source} is none that the stand-in computes.");
        Answer::refusal(400, "ERROR_WITH_FORMULA", detail)
    };
    let mut terms = source.split(" - ").map(str::trim);
    let minuend = terms.next().and_then(|term| between(term, "field('", "')"));
    let minuend = minuend.and_then(|name| field(store, table, name)).ok_or_else(refused)?;
    let mut parts = Vec::new();
    for term in terms {
        parts.push(part(store, table, term).ok_or_else(refused)?);
    }
    Ok(Kind::Remainder {
        minuend,
        parts,
        source: source.to_owned(),
    })
}

/// `sum(lookup('link','b'))`: the link and the field behind it.
fn part(store: &Store, table: u64, term: &str) -> Option<(u64, u64)> {
    let (link, summand) = between(term, "sum(lookup('", "'))")?.split_once("','")?;
    let link = field(store, table, link)?;
    let Kind::Link { table: other, .. } = store.table(table)?.field(link)?.kind else {
        return None;
    };
    Some((link, field(store, other, summand)?))
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    text.strip_prefix(start)?.strip_suffix(end)
}

fn field(store: &Store, table: u64, name: &str) -> Option<u64> {
    let fields = &store.table(table)?.fields;
    fields.iter().find(|field| field.name == name).map(|field| field.id)
}
