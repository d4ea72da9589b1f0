//! Looks for a page of this row that an earlier attempt has made, or lost sight of.

use passerelle_model::id::PageId;
use passerelle_store::Link;

use super::Application;
use crate::clients::docmost::{Page, Space};
use crate::content::marker::Marker;
use crate::context::Context;
use crate::failure::Failure;
use crate::journal::Journal;

impl Application<'_, '_> {
    /// The row's page by its label, or by the row's own word. Enough before a first create; one in
    /// the trash is taken if none lives.
    pub(super) async fn marked_page(&mut self) -> Result<Option<Page>, Failure> {
        let mut pages: Vec<Page> = self.page_named_by_row().await?.into_iter().collect();
        let label = &self.page.marker.label;
        pages.extend(self.context.docmost.pages_with_label(self.journal, label).await?);
        let (living, trashed): (Vec<Page>, Vec<Page>) = pages.into_iter().partition(|page| page.deleted_at.is_none());
        let oldest = self.oldest_of(living).await?;
        Ok(oldest.or_else(|| trashed.into_iter().next()))
    }

    /// The page of an earlier create with an unknown outcome: without a label yet, or already in
    /// the trash.
    pub(super) async fn abandoned_page(&mut self, space: &Space) -> Result<Option<Page>, Failure> {
        let living = pages_by_token(self.context, &self.page.marker, self.journal).await?;
        if let Some(page) = self.oldest_of(living).await? {
            return Ok(Some(page));
        }
        let mut trashed = self.context.docmost.trash_of(self.journal, &space.id).await?;
        trashed.retain(|page| page.contains(&self.page.marker.token));
        Ok(trashed.into_iter().min_by(|a, b| a.id.cmp(&b.id)))
    }

    /// Looks for pages that an abandoned call made beside the linked one, and puts them into the
    /// trash.
    pub(super) async fn clean_up_duplicates(&mut self, link: &Link) -> Result<(), Failure> {
        let duplicate_pages = duplicate_pages(self.context, link, self.journal).await?;
        self.trash_extra(duplicate_pages).await
    }

    /// The page that the row itself names, if it carries our marks: a copied row brings the id of
    /// the other row's page along.
    async fn page_named_by_row(&mut self) -> Result<Option<Page>, Failure> {
        let field = self.target.fields.page_id.as_deref();
        let named = field.and_then(|field| self.target.row.text(field));
        let Some(id) = named.and_then(|text| PageId::parse(text).ok()) else {
            return Ok(None);
        };
        let Some(page) = self.context.docmost.page(self.journal, &id).await? else {
            return Ok(None);
        };
        let marker = &self.page.marker;
        let is_ours = match self.context.docmost.labels(self.journal, &page.id).await? {
            Some(labels) if labels.contains(&marker.label) => true,
            labels => {
                page.contains(&marker.token)
                    && !labels.unwrap_or_default().iter().any(|label| is_foreign(label, marker))
            }
        };
        if !is_ours {
            self.journal.note(
                "page_not_ours",
                format!("the row names {id}, which does not carry this row's marks"),
            );
        }
        Ok(is_ours.then_some(page))
    }

    /// The oldest page wins; later ones go to the trash.
    async fn oldest_of(&mut self, mut pages: Vec<Page>) -> Result<Option<Page>, Failure> {
        pages.sort_by(|a, b| a.id.cmp(&b.id));
        pages.dedup_by(|a, b| a.id == b.id);
        let mut pages = pages.into_iter();
        let oldest = pages.next();
        self.trash_extra(pages.collect()).await?;
        Ok(oldest)
    }

    async fn trash_extra(&mut self, mut pages: Vec<Page>) -> Result<(), Failure> {
        pages.sort_by(|a, b| a.id.cmp(&b.id));
        pages.dedup_by(|a, b| a.id == b.id);
        for page in pages {
            self.context.docmost.trash(self.journal, &page.id).await?;
            self.journal.note(
                "second_page",
                format!("{} was a second page of this row: it is in the trash now", page.id),
            );
        }
        Ok(())
    }
}

/// Pages with the marks of a linked page's row and slot, besides the linked page itself.
pub(crate) async fn duplicate_pages(
    context: &Context,
    link: &Link,
    journal: &mut Journal,
) -> Result<Vec<Page>, Failure> {
    let marker = Marker::of(link.row, &link.slot);
    let mut pages = context.docmost.pages_with_label(journal, &marker.label).await?;
    pages.extend(pages_by_token(context, &marker, journal).await?);
    pages.retain(|page| page.id != link.page);
    Ok(pages)
}

/// Found by the word in the text. A page with another row's label only quotes our word.
pub(super) async fn pages_by_token(
    context: &Context,
    marker: &Marker,
    journal: &mut Journal,
) -> Result<Vec<Page>, Failure> {
    let mut ours = Vec::new();
    for page in context.docmost.pages_with_token(journal, &marker.token).await? {
        let labels = context.docmost.labels(journal, &page.id).await?;
        if labels.is_some_and(|labels| !labels.iter().any(|label| is_foreign(label, marker))) {
            ours.push(page);
        }
    }
    Ok(ours)
}

/// Whether a label is the bridge's, but of another row or slot.
fn is_foreign(label: &str, marker: &Marker) -> bool {
    label.starts_with(Marker::LABEL_PREFIX) && label != marker.label
}
