//! Writes into the row which page is its own.

use std::collections::BTreeMap;

use passerelle_model::id::PageId;
use passerelle_store::{Link, LinkState};

use super::{Application, WriteBackTarget};
use crate::context::Context;
use crate::failure::Failure;

impl Application<'_, '_> {
    /// Writes the page's id and address into the row where they are missing or wrong; says whether
    /// it had to.
    pub(super) async fn write_back(&mut self, link: &Link) -> Result<bool, Failure> {
        let wanted = missing(self.context, self.target, link)?;
        if wanted.is_empty() || self.knows_another_living_page(link).await? {
            return Ok(false);
        }
        self.context.write_row(self.journal, self.target.key, &wanted).await?;
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

/// The fields in which a row does not name its page as it should, with the right values.
pub(super) fn missing<'a>(
    context: &Context,
    WriteBackTarget { row, fields, .. }: WriteBackTarget<'a>,
    link: &Link,
) -> Result<BTreeMap<&'a str, String>, Failure> {
    let mut wanted = BTreeMap::new();
    if let Some(field) = &fields.page_id {
        if row.cell(field).is_none() {
            return Err(Failure::unmappable(format!(
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
