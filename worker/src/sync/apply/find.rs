//! Looks for a page of this row that an earlier attempt has made, or lost sight of.

use passerelle_model::id::PageId;
use passerelle_store::Link;

use super::super::ownership::Claims;
use super::Application;
use super::trash::trash_alone;
use crate::clients::docmost::{Page, Space};
use crate::context::Context;
use crate::failure::Failure;
use crate::journal::Journal;

impl Application<'_, '_> {
    /// The row's page by its label, or named by the row itself. Enough before a first create; one
    /// in the trash is taken if none lives.
    pub(super) async fn marked_page(&mut self) -> Result<Option<Page>, Failure> {
        let claims = Claims::of(self.context, self.owner, &self.page.slot).await?;
        let mut pages = Vec::new();
        if let Some(id) = self.named_by_row() {
            pages.extend(claims.named(&id, self.journal).await?);
        }
        pages.extend(claims.by_label(self.journal).await?);
        let (living, trashed): (Vec<Page>, Vec<Page>) = pages.into_iter().partition(|page| page.deleted_at.is_none());
        let oldest = self.oldest_of(living).await?;
        Ok(oldest.or_else(|| trashed.into_iter().next()))
    }

    /// The page of an earlier create with an unknown outcome: without a label yet, or already in
    /// the trash.
    pub(super) async fn abandoned_page(&mut self, space: &Space) -> Result<Option<Page>, Failure> {
        let claims = Claims::of(self.context, self.owner, &self.page.slot).await?;
        let living = claims.by_token(self.journal).await?;
        if let Some(page) = self.oldest_of(living).await? {
            return Ok(Some(page));
        }
        let trashed = claims.in_trash(&space.id, self.journal).await?;
        Ok(trashed.into_iter().min_by(|a, b| a.id.cmp(&b.id)))
    }

    /// Looks for pages that an abandoned call made beside the linked one, and puts them into the
    /// trash.
    pub(super) async fn clean_up_duplicates(&mut self, link: &Link) -> Result<(), Failure> {
        let duplicate_pages = duplicate_pages(self.context, link, self.journal).await?;
        self.trash_extra(duplicate_pages).await
    }

    /// The page that the row itself names.
    fn named_by_row(&self) -> Option<PageId> {
        let field = self.target.fields.page_id.as_deref()?;
        PageId::parse(self.target.row.text(field)?).ok()
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
            trash_alone(self.context, &page.id, self.owner, self.journal).await?;
            self.journal.note(
                "second_page",
                format!("{} was a second page of this row: it is in the trash now", page.id),
            );
        }
        Ok(())
    }
}

/// Our pages with the marks of a linked page's row and slot, besides the linked page itself.
pub(crate) async fn duplicate_pages(
    context: &Context,
    link: &Link,
    journal: &mut Journal,
) -> Result<Vec<Page>, Failure> {
    let claims = Claims::of(context, link.row, &link.slot).await?;
    let mut pages = claims.by_label(journal).await?;
    pages.extend(claims.by_token(journal).await?);
    pages.retain(|page| page.id != link.page);
    Ok(pages)
}
