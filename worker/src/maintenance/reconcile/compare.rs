//! One row against what the store knows of its pages.

use passerelle_model::config::{RowDeleted, WriteBack};
use passerelle_model::id::RowKey;
use passerelle_model::ledger::FailureClass;
use passerelle_store::Link;

use super::linked_tables::{LinkedTables, WholeTables};
use super::{Reason, Scope};
use crate::clients::baserow::Table;
use crate::content::page::DesiredPage;
use crate::content::row::Row;
use crate::context::Context;
use crate::failure::{Failure, Target};
use crate::journal::Journal;
use crate::rules::{PageRule, SubPageRow, Subject};
use crate::sync::linked_rows::Linking;

/// A rule and the table that it means.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) rule: &'a PageRule,
    pub(super) table: &'a Table,
    pub(super) scope: Scope,
}

/// What is wrong with the row, if anything is.
pub(super) async fn reason(
    context: &Context,
    linked_tables: &mut LinkedTables,
    place: Place<'_>,
    row: &Row,
) -> Result<Option<Reason>, Failure> {
    let found = look(context, linked_tables, place, row).await;
    match found {
        // The row and the rule do not go together. Whatever else failed says nothing of the row.
        Err(failure) if failure.class == FailureClass::Permanent && failure.target == Target::Bridge => {
            Ok(Some(Reason::Unmappable(failure.message)))
        }
        found => found,
    }
}

async fn look(
    context: &Context,
    linked_tables: &mut LinkedTables,
    place: Place<'_>,
    row: &Row,
) -> Result<Option<Reason>, Failure> {
    let Place { rule, table, scope } = place;
    let key = RowKey {
        table: table.id,
        row: row.id(),
    };
    let links = context.store.links(key).await?;
    if scope.unmapped {
        return Ok(mapping(context, &rule.page.write_back, row, page_link(&links)));
    }
    let mut reader = WholeTables {
        context,
        read: linked_tables,
        journal: Journal::default(),
    };
    let linking = Linking { context, key, row };
    let links_shown = linking.shown_rows(&rule.name, &rule.links, &mut reader).await?;
    let address = context.baserow.row_address(table, key);
    let subject = Subject {
        key,
        row,
        links: &links_shown,
        address: &address,
    };
    let page = context.rules.plan(rule, &subject)?;
    let linked = linking.sub_page_rows(rule, &mut reader).await?;
    let pages = context.rules.plan_sub_pages(rule, &subject, &linked)?;
    let Some(link) = page_link(&links) else {
        return Ok(Some(Reason::NoPage));
    };
    if link.state.is_row_gone() {
        return Ok(Some(Reason::PageTrashed));
    }
    if !link.state.is_synced(&page.hash) {
        return Ok(Some(Reason::Differs));
    }
    let sub_pages = SubPages {
        rule,
        wanted: linked.iter().zip(&pages),
        links: &links,
        parent: link,
    };
    let mapping = mapping(context, &rule.page.write_back, row, Some(link));
    Ok(mapping.or_else(|| sub_pages.differ(context).then_some(Reason::SubPageDiffers)))
}

fn page_link(links: &[Link]) -> Option<&Link> {
    links.iter().find(|link| link.slot.as_str() == "page")
}

/// Whether the row has a page and names it.
fn mapping(context: &Context, fields: &WriteBack, row: &Row, link: Option<&Link>) -> Option<Reason> {
    let Some(link) = link else {
        return Some(Reason::NoPage);
    };
    let named = |field: &Option<String>| {
        let field = field.as_ref().filter(|field| row.cell(field).is_some())?;
        Some(row.text(field).unwrap_or_default())
    };
    match named(&fields.page_id) {
        Some("") => return Some(Reason::PageForgotten),
        Some(id) if id != link.page.as_str() => return Some(Reason::PageForeign),
        _ => {}
    }
    let address = context.docmost.page_address(&link.slug_id);
    let is_elsewhere = named(&fields.url).is_some_and(|url| url != address);
    is_elsewhere.then_some(Reason::PageForgotten)
}

/// The pages below the row's page: those that should be, and those that are.
struct SubPages<'a, I> {
    rule: &'a PageRule,
    wanted: I,
    links: &'a [Link],
    parent: &'a Link,
}

impl<'a, I: Iterator<Item = (&'a SubPageRow, &'a DesiredPage)>> SubPages<'a, I> {
    fn differ(self, context: &Context) -> bool {
        let Some(collection) = &self.rule.collection else {
            return false;
        };
        let mut kept = Vec::new();
        for (linked, page) in self.wanted {
            let link = self.links.iter().find(|link| link.slot == page.slot);
            let is_equal = link.is_some_and(|link| link.state.is_synced(&page.below(&self.parent.page).hash));
            if !is_equal || mapping(context, &collection.write_back, &linked.row, link).is_some() {
                return true;
            }
            kept.push(&page.slot);
        }
        let prefix = format!("{}-", collection.slot);
        let is_left_over = |link: &&Link| {
            link.slot.as_str().starts_with(&prefix) && !kept.contains(&&link.slot) && !link.state.is_row_gone()
        };
        collection.removed != RowDeleted::Keep && self.links.iter().any(|link| is_left_over(&link))
    }
}
