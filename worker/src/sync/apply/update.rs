//! Makes an existing page equal to the desired one, where it should be.

use passerelle_model::config::PageMoved;
use passerelle_model::ledger::FailureClass;
use passerelle_store::Link;

use super::Application;
use crate::clients::docmost::{Page, Place};
use crate::content::page::Body;
use crate::crash::CrashPoint;
use crate::failure::Failure;

/// What became of an update.
pub(super) enum Updated {
    /// It was carried out.
    Page(Box<Page>),
    /// The page stays in the trash.
    Left,
    /// The page is gone for good.
    Gone,
}

impl Application<'_, '_> {
    /// Makes a page equal to the desired one, and brings it out of the trash and to its place as
    /// far as the rule wants that.
    pub(super) async fn update(&mut self, link: &Link) -> Result<Updated, Failure> {
        let id = &link.page;
        let docmost = &self.context.docmost;
        let written = match &self.page.body {
            // Boxed: it remembers much, and every caller would carry it on its stack.
            Body::Section { section, recreate } => Box::pin(self.bring_section(id, section, *recreate)).await,
            Body::Once { .. } | Body::Follows { .. } => {
                let page = docmost.update(self.journal, id, self.page).await;
                page.map(|page| Updated::Page(Box::new(page)))
            }
        };
        let page = match written {
            Ok(Updated::Page(page)) => page,
            Ok(other) => return Ok(other),
            Err(failure) if failure.class == FailureClass::Gone => return Ok(Updated::Gone),
            Err(failure) => return Err(failure),
        };
        CrashPoint::AfterUpdate.pass();
        let is_trashed = page.deleted_at.is_some();
        if is_trashed && self.is_left(&page).await? {
            return Ok(Updated::Left);
        }
        if is_trashed {
            docmost.restore(self.journal, id).await?;
            CrashPoint::AfterRestore.pass();
        }
        let space = self.space().await?;
        let is_elsewhere = page.space_id.as_ref().is_some_and(|current| *current != space.id);
        // What people moved stays there, unless the rule says otherwise, or names another space
        // now.
        let brings_back = self.page.people.moved == PageMoved::BringBack;
        let is_rule_moved = link.space != self.page.space;
        if is_elsewhere && !brings_back && !is_rule_moved {
            return Ok(Updated::Page(page));
        }
        if is_elsewhere {
            docmost.move_to_space(self.journal, id, &space.id).await?;
        }
        if self.page.position.is_none() {
            self.settle(&page, is_trashed || is_elsewhere, link).await?;
            return Ok(Updated::Page(page));
        }
        // Both may have taken it from below its parent.
        let is_below_parent = page.parent_page_id == self.page.parent;
        let is_in_order = is_below_parent && page.position == self.page.position;
        let may_be_placed = brings_back || is_below_parent;
        if is_trashed || is_elsewhere || (may_be_placed && !is_in_order) {
            self.place(&page).await?;
        }
        Ok(Updated::Page(page))
    }

    /// Puts a sub-page where it belongs; a row's own page stays where people put it.
    pub(super) async fn place(&mut self, page: &Page) -> Result<(), Failure> {
        let (Some(parent), Some(position)) = (&self.page.parent, &self.page.position) else {
            return Ok(());
        };
        self.context
            .docmost
            .place(
                self.journal,
                &page.id,
                Place {
                    parent: Some(parent),
                    position,
                },
            )
            .await
    }
}
