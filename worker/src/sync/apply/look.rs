//! Looks at a linked page in the wiki: forced syncs do, whatever the store believes.

use passerelle_model::config::PageTrashed;
use passerelle_store::{Link, LinkState};

use super::Application;
use super::section::text_difference;
use crate::clients::docmost::Page;
use crate::content::page::Body;
use crate::failure::Failure;

/// What a look at a linked page came to.
pub(super) enum Looked {
    /// It is as it should be.
    Equal,
    /// It is not.
    Differs,
    /// It was deleted for good.
    Gone,
    /// People put it into the trash, and the rule respects that.
    Left,
}

impl Application<'_, '_> {
    /// Compares a linked page with the desired one, and says in the steps what was seen. Marks that
    /// somebody took away are put back.
    pub(super) async fn look_at(&mut self, link: &Link) -> Result<Looked, Failure> {
        let read = self.context.docmost.page(self.journal, &link.page).await;
        let page = match read {
            Ok(Some(page)) => page,
            Ok(None) => return Ok(Looked::Gone),
            Err(failure) => return Err(self.out_of_reach(link, failure).await),
        };
        if page.deleted_at.is_some() && self.is_left(&page).await? {
            return Ok(Looked::Left);
        }
        let space = self.space().await?;
        let shown = page.shown();
        let mut differences = self.page.differences(&shown, &space.id);
        if page.deleted_at.is_none() {
            differences.extend(text_difference(&self.context.store, self.page, &page).await?);
        }
        if differences.is_empty() {
            self.put_marks_back(&page).await?;
            if let Some(as_of) = &page.updated_at {
                self.context.store.note_as_of(link, as_of).await?;
            }
            let text = match self.page.body {
                Body::Once { .. } => "",
                Body::Section { .. } => ", section",
                Body::Follows { .. } => ", text",
            };
            let note = format!(
                "{} equals {} in title, icon{text} and place",
                self.page_in_words(&page),
                self.owner
            );
            self.journal.note("page_equals", note);
            return Ok(Looked::Equal);
        }
        let words: Vec<&str> = differences.iter().map(|difference| difference.as_str()).collect();
        let note = format!(
            "{} differs from {}: {}",
            self.page_in_words(&page),
            self.owner,
            words.join(", ")
        );
        self.journal.note("page_differs", note);
        Ok(Looked::Differs)
    }

    /// A page as people know it, with where it is.
    fn page_in_words(&self, page: &Page) -> String {
        let title = page.title.as_deref().unwrap_or_default();
        let space = page
            .space
            .as_ref()
            .map_or(self.page.space.as_str(), |space| space.name.as_str());
        let address = self.context.docmost.page_address(&page.slug_id);
        format!("the page {title:?} in the space {space:?} ({address})")
    }

    /// Whether a page in the trash stays there: people put it there, and the rule respects that.
    pub(super) async fn is_left(&mut self, page: &Page) -> Result<bool, Failure> {
        if self.page.people.trashed == PageTrashed::Restore {
            return Ok(false);
        }
        let who = if page.deleted_by.is_some() {
            page.deleted_by.clone()
        } else {
            // Only a look at the page itself tells.
            let read = self.context.docmost.page(self.journal, &page.id).await?;
            read.and_then(|page| page.deleted_by)
        };
        let who = who.map(|who| who.id);
        Ok(who != Some(self.context.docmost.account_id().await?))
    }

    pub(super) async fn put_marks_back(&mut self, page: &Page) -> Result<(), Failure> {
        let marker = &self.page.marker;
        let labels = self.context.docmost.labels(self.journal, &page.id).await?;
        let labels = labels.unwrap_or_default();
        if labels.contains(&marker.label) && labels.contains(&marker.bridge) {
            return Ok(());
        }
        self.journal.note(
            "marks_put_back",
            format!("page {} had lost a label of the bridge", page.id),
        );
        self.label(&page.id).await
    }

    /// A page that people moved to where our account is not is this page's trouble, and no outage:
    /// unless the rule's own space is out of reach too.
    pub(super) async fn out_of_reach(&mut self, link: &Link, failure: Failure) -> Failure {
        if !failure.is_out_of_reach() {
            return failure;
        }
        self.context.cache.forget_space(&self.page.space).await;
        if let Err(other) = self.space().await {
            return other;
        }
        Failure::unmappable(format!(
            "its page {} ({}) was moved to a space that the bridge's account is not in: add the account there as a \
             writer, or move the page back to {:?}, then sync the row again",
            link.page,
            self.context.docmost.page_address(&link.slug_id),
            self.page.space
        ))
    }
}

/// The state of a page that people put into the trash, and that stays there.
pub(super) fn left(link: &Link) -> Link {
    Link {
        state: LinkState::Left,
        ..link.clone()
    }
}
