//! Writes into the row which page is its own.

use std::collections::BTreeMap;

use passerelle_model::config::CollectionAction;
use passerelle_model::id::{PageId, RowKey};
use passerelle_model::ledger::FailureClass;
use passerelle_store::{Link, LinkState};

use super::{Application, WriteBackTarget};
use crate::context::Context;
use crate::failure::Failure;
use crate::journal::Journal;

impl Application<'_, '_> {
    /// Writes the page's id and address into the row where they are missing or wrong; says whether
    /// it had to.
    pub(super) async fn write_back(&mut self, link: &Link) -> Result<bool, Failure> {
        let wanted = missing(self.context, self.target, link)?;
        if wanted.is_empty() || self.knows_another_living_page(link).await? {
            return Ok(false);
        }
        let written = self.context.write_row(self.journal, self.target.key, &wanted).await;
        // Ids and addresses are alike for all rows: a field that does not take them takes none.
        written.map_err(|failure| match failure.class {
            FailureClass::Permanent if failure.status != Some(413) => failure.of_the_rule(),
            _ => failure,
        })?;
        Ok(true)
    }

    /// A row in several collections has a page in each, and one field for their ids: it keeps the
    /// one that it knows for as long as that lives, else every look at one collection would take
    /// the field from the other.
    async fn knows_another_living_page(&self, link: &Link) -> Result<bool, Failure> {
        if self.target.key == self.owner {
            return Ok(false);
        }
        let field = self.target.fields.page_id.as_deref();
        let named = field.and_then(|field| self.target.row.text(field));
        let Some(known) = named.and_then(|text| PageId::parse(text).ok()) else {
            return Ok(false);
        };
        let links = self.context.store.links_of_page(&known).await?;
        Ok(links
            .iter()
            .any(|other| other.page != link.page && other.slot == link.slot && other.state != LinkState::Trashed))
    }
}

/// A row whose sub-page goes to the trash, because it is linked no more, names it no more: it names
/// its page in another collection, or none.
pub(super) async fn unlink_row(
    context: &Context,
    collection: &CollectionAction,
    link: &Link,
    journal: &mut Journal,
) -> Result<(), Failure> {
    let number = link.slot.as_str().rsplit('-').next().and_then(|id| id.parse().ok());
    if let (Some(row), false) = (number, link.state == LinkState::Trashed) {
        let table = context.linked_table(journal, link.row, &collection.of).await?;
        let key = RowKey { table: table.id, row };
        let other = page_elsewhere(context, link).await?;
        let Some(row) = context.row(journal, key).await? else {
            return Ok(());
        };
        let fields = &collection.write_back;
        let mut values = BTreeMap::new();
        if let Some(field) = fields
            .page_id
            .as_deref()
            .filter(|field| row.text(field) == Some(link.page.as_str()))
        {
            values.insert(
                field,
                other.as_ref().map(|link| link.page.to_string()).unwrap_or_default(),
            );
        }
        let address = context.docmost.page_address(&link.slug_id);
        if let Some(field) = fields
            .url
            .as_deref()
            .filter(|field| row.text(field) == Some(address.as_str()))
        {
            let other = other.as_ref().map(|link| context.docmost.page_address(&link.slug_id));
            values.insert(field, other.unwrap_or_default());
        }
        if !values.is_empty() {
            context.write_row(journal, key, &values).await?;
        }
    }
    Ok(())
}

/// The living page that the same linked row has in another collection.
async fn page_elsewhere(context: &Context, link: &Link) -> Result<Option<Link>, Failure> {
    for row in context.store.rows_with_slot(link.row.table, &link.slot).await? {
        let owner = RowKey {
            table: link.row.table,
            row,
        };
        let other = context.store.link(owner, &link.slot).await?;
        if let Some(other) = other.filter(|other| other.row != link.row && !other.state.is_row_gone()) {
            return Ok(Some(other));
        }
    }
    Ok(None)
}

/// The fields in which a row does not name its page as it should, with the right values.
pub(super) fn missing<'a>(
    context: &Context,
    WriteBackTarget { row, fields, .. }: WriteBackTarget<'a>,
    link: &Link,
) -> Result<BTreeMap<&'a str, String>, Failure> {
    let mut wanted = BTreeMap::new();
    if let Some(field) = &fields.page_id {
        if row.cell(field).is_none() {
            return Err(Failure::broken_rule(format!(
                "field {field:?} does not exist in the table: create it (single line text), or change write_back in bridge.toml"
            )));
        }
        wanted.insert(field.as_str(), link.page.to_string());
    }
    if let Some(field) = fields.url.as_ref().filter(|field| row.cell(field).is_some()) {
        wanted.insert(field.as_str(), context.docmost.page_address(&link.slug_id));
    }
    wanted.retain(|field, value| row.text(field) != Some(value));
    Ok(wanted)
}
