//! The page itself: update the linked one, adopt an earlier one, or create it.

use futures::FutureExt as _;
use passerelle_model::id::PageId;
use passerelle_model::ledger::FailureClass;
use passerelle_model::time::Timestamp;
use passerelle_store::{Intent, Link, LinkState};

use super::look::{Looked, left};
use super::update::Updated;
use super::{Application, unconfirmed};
use crate::clients::docmost::{Page, Space};
use crate::content::page::Body;
use crate::crash::CrashPoint;
use crate::failure::Failure;

impl Application<'_, '_> {
    /// The link of the page, which now equals the desired one; and whether anything was written.
    pub(super) async fn ensure_page(&mut self) -> Result<(Link, bool), Failure> {
        let (row, slot) = (self.owner, &self.page.slot);
        let Some(link) = self.context.store.link(row, slot).await? else {
            return self.find_or_create().await;
        };
        self.bring_up_to_date(link).await
    }

    /// A linked page, made equal to the desired one; and whether anything was written.
    async fn bring_up_to_date(&mut self, link: Link) -> Result<(Link, bool), Failure> {
        let believed_equal = link.state.is_synced(&self.page.hash);
        if believed_equal && !self.looks {
            return Ok((link, false));
        }
        if believed_equal || link.state == LinkState::Left {
            match self.look_at(&link).await? {
                Looked::Equal if believed_equal => return Ok((link, false)),
                Looked::Left => return Ok((self.leave(link).await?, false)),
                // It was emptied out of the trash.
                Looked::Gone if link.state == LinkState::Left => return Ok((link, false)),
                Looked::Equal | Looked::Differs | Looked::Gone => {}
            }
        }
        if link.state == LinkState::Unconfirmed {
            self.clean_up_duplicates(&link).await?;
        }
        let begun = unconfirmed::begin(self.context, &link).await?;
        let updated = match self.update(&link).await {
            Ok(updated) => updated,
            Err(failure) => {
                unconfirmed::give_up(self.context, &link, begun, &failure).await?;
                return Err(self.out_of_reach(&link, failure).await);
            }
        };
        match updated {
            Updated::Page(page) => {
                if self.looks {
                    self.put_marks_back(&page).await?;
                } else if matches!(link.state, LinkState::Unknown | LinkState::Unconfirmed) {
                    // A page that was found again may have lost its label, whatever came between.
                    self.label(&page.id).await?;
                }
                let (state, written) = unconfirmed::end_of(self.context, &link, self.desired_state());
                let saved = self.save(*page, state, written, begun.version).await?;
                return Ok((self.written(saved), true));
            }
            Updated::Left => return Ok((self.leave(begun).await?, false)),
            Updated::Gone => {}
        }
        self.journal
            .note("page_gone", format!("{} was deleted for good in the wiki", link.page));
        self.context.store.forget_link(&begun).await?;
        Box::pin(self.find_or_create()).await
    }

    /// The intent is stored right before the create, so that trouble during the look-ups leaves
    /// nothing to wait for.
    async fn find_or_create(&mut self) -> Result<(Link, bool), Failure> {
        let found = self.marked_page().await?;
        CrashPoint::AfterLookup.pass();
        let (row, slot) = (self.owner, &self.page.slot);
        if let Some(page) = found {
            // Another attempt may have linked it since this one read the link.
            return match self.context.store.link(row, slot).await? {
                Some(link) => Box::pin(self.bring_up_to_date(link)).await,
                None => self.adopt(page).await,
            };
        }
        if matches!(self.page.body, Body::Section { .. }) {
            // Known before the intent, so that nothing comes between the intent and the create.
            self.context.docmost.section_form(self.journal).await?;
        }
        let space = self.space().await?;
        let intent = self.context.store.open_intent(row, slot, Timestamp::now()).await?;
        CrashPoint::AfterIntent.pass();
        if intent.existed {
            let now = Timestamp::now();
            self.context.store.note_unconfirmed_create(row, slot, now).await?;
        }
        // Another attempt, whose lease was over, may have made the page since this one looked.
        if let Some(link) = self.context.store.link(row, slot).await? {
            self.context.store.close_intent(&intent).await?;
            return Box::pin(self.bring_up_to_date(link)).await;
        }
        if intent.existed {
            if let Some(page) = self.abandoned_page(&space).await? {
                return self.adopt(page).await;
            }
            self.context
                .wait_out_create(intent.started, self.context.docmost.timeout(), "page")?;
            self.context.store.renew_intent(&intent, Timestamp::now()).await?;
        }
        Ok((self.create(&space, &intent).await?, true))
    }

    /// The page that was found is linked first: from then on it is written as any other.
    async fn adopt(&mut self, found: Page) -> Result<(Link, bool), Failure> {
        self.journal
            .note("adopt_page", format!("{} is this row's page already", found.id));
        let link = self.save(found, LinkState::Unknown, Timestamp::now(), 0).await?;
        Box::pin(self.bring_up_to_date(link)).await
    }

    async fn create(&mut self, space: &Space, intent: &Intent) -> Result<Link, Failure> {
        let context = self.context;
        // How long its page may still appear is counted from the intent, not from when it got in
        // line.
        let late = || async move { Ok(context.store.renew_intent(intent, Timestamp::now()).await?) }.boxed();
        let created = context.docmost.create(self.journal, &space.id, self.page, &late).await;
        let page = match created {
            Ok(page) => page,
            Err(failure) => {
                let failure = self.create_failed(failure, intent).await?;
                return Err(self.without_group(failure).await?);
            }
        };
        CrashPoint::AfterCreate.pass();
        if self.page.group.is_some() {
            self.context
                .store
                .save_place(&page.id, self.page.parent.as_ref())
                .await?;
        }
        if let Body::Section { section, .. } = &self.page.body {
            self.save_new_section(&page.id, section).await?;
        }
        self.place(&page).await?;
        self.label(&page.id).await?;
        let state = if intent.existed {
            LinkState::Unconfirmed
        } else {
            self.desired_state()
        };
        let saved = self.save(page, state, Timestamp::now(), 0).await?;
        Ok(self.written(saved))
    }

    /// A refused create made nothing, so the next attempt need not wait; a forgotten space is
    /// looked up again. A space in which the bridge may not write is the rule's trouble.
    async fn create_failed(&self, failure: Failure, intent: &Intent) -> Result<Failure, Failure> {
        if failure.status == Some(404) {
            self.context.cache.forget_space(&self.page.space).await;
        }
        if failure.class != FailureClass::Ambiguous && !intent.existed {
            self.context.store.close_intent(intent).await?;
        }
        let is_refused = failure.status == Some(403) || failure.is_out_of_reach();
        Ok(if is_refused && self.page.parent.is_none() {
            failure.of_the_rule()
        } else {
            failure
        })
    }

    /// Remembers that a page stays in the trash because people want it there.
    async fn leave(&mut self, link: Link) -> Result<Link, Failure> {
        let note = format!(
            "page {} is in the trash, where people put it; the rule respects that",
            link.page
        );
        self.journal.note("page_left", note);
        if link.state == LinkState::Left {
            return Ok(link);
        }
        Ok(self.context.store.save_link(&left(&link)).await?)
    }

    pub(super) async fn label(&mut self, id: &PageId) -> Result<(), Failure> {
        self.context
            .docmost
            .add_labels(self.journal, id, &self.page.marker.labels())
            .await?;
        CrashPoint::AfterLabel.pass();
        Ok(())
    }

    pub(super) async fn space(&mut self) -> Result<Space, Failure> {
        self.context.space(self.journal, &self.page.space).await
    }

    fn desired_state(&self) -> LinkState {
        LinkState::Synced(self.page.hash.clone())
    }

    async fn save(&mut self, page: Page, state: LinkState, written: Timestamp, version: i64) -> Result<Link, Failure> {
        let link = Link {
            row: self.owner,
            slot: self.page.slot.clone(),
            page: page.id,
            slug_id: page.slug_id,
            space: self.page.space.clone(),
            state,
            written,
            as_of: page.updated_at,
            version,
        };
        Ok(self.context.store.save_link(&link).await?)
    }

    /// Says in the steps that the page of this link was written, which is stored now.
    fn written(&mut self, link: Link) -> Link {
        let name = format!("{:?}, {}", self.page.title, link.page);
        self.journal.note("page_written", name);
        CrashPoint::AfterLinkSaved.pass();
        link
    }
}
