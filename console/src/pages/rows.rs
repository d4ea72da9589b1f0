//! The rows that have pages.

use actix_web::web::{Query, ServiceConfig, get, resource};
use actix_web::{Error, HttpResponse};
use minijinja::context;
use passerelle_model::id::TableId;
use passerelle_store::{Link, LinkKey, Named};
use serde::Deserialize;

use super::paging::{ONE_MORE, cut};
use super::story::address_of;
use crate::entrance::visitor::Visitor;

pub(crate) fn routes(config: &mut ServiceConfig) {
    config.service(resource("/rows").route(get().to(page)));
}

#[derive(Debug, Deserialize)]
struct Wanted {
    #[serde(default)]
    table: String,
    #[serde(default)]
    after: String,
}

async fn page(visitor: Visitor, wanted: Query<Wanted>) -> Result<HttpResponse, Error> {
    let desk = visitor.desk();
    let table: Option<TableId> = wanted.table.parse().ok();
    let found = desk
        .store
        .link_lines(table, key(&wanted.after).as_ref(), ONE_MORE.into())
        .await;
    let mut links = found.map_err(|error| visitor.away(&error))?;
    let next = cut(&mut links, written);
    let tables = desk
        .store
        .meanings(Named::Table)
        .await
        .map_err(|error| visitor.away(&error))?;
    let name_of = |link: &Link| {
        let id = link.row.table.to_string();
        tables
            .iter()
            .find(|(_, table)| *table == id)
            .map(|(name, _)| name.clone())
    };
    let content = context! {
        table => table.map(|table| table.to_string()),
        tables => tables.iter().map(|(name, id)| context! { name => name, id => id }).collect::<Vec<_>>(),
        lines => links.iter().map(|link| context! {
            row => link.row.to_string(),
            table => name_of(link),
            slot => link.slot.as_str(),
            page => link.page.as_str(),
            space => link.space.as_str(),
            address => address_of(desk, &link.slug_id),
            written => link.written.as_millis(),
        }).collect::<Vec<_>>(),
        next => next,
        is_first => wanted.after.is_empty(),
    };
    Ok(visitor.page("rows.html", content)?)
}

/// `table~row~slot`; anything else is the beginning.
pub(super) fn key(text: &str) -> Option<LinkKey> {
    let mut parts = text.splitn(3, '~');
    Some(LinkKey {
        table: parts.next()?.parse().ok()?,
        row: parts.next()?.parse().ok()?,
        slot: parts.next()?.to_owned(),
    })
}

pub(super) fn written(link: &Link) -> String {
    format!("{}~{}~{}", link.row.table, link.row.row, link.slot.as_str())
}
