//! The page below which a row's page stands (`page.parent`), one per title and space.
//!
//! It is made as any page is: claimed in the store first, so that of many jobs one makes it; found
//! again by its marks after a lost answer. A row's page is put below it when it is made, and moved
//! when the rule names another group, unless people have moved it: the store knows where the bridge
//! has put it last. After an interrupted update it may not, so a page below a group page of ours
//! counts as moved by us then.

use futures::FutureExt as _;
use passerelle_model::config::{PageMoved, PageTrashed};
use passerelle_model::id::{PageId, Slot};
use passerelle_model::ledger::FailureClass;
use passerelle_model::time::Timestamp;
use passerelle_store::{Group, Link, LinkState};

use super::Application;
use crate::clients::docmost::{Page, Place, Space};
use crate::content::document::Node;
use crate::content::marker::Marker;
use crate::content::page::{Body, DesiredIcon, DesiredPage, PeoplesWill, hash};
use crate::crash::CrashPoint;
use crate::failure::{Failure, Target};
use crate::rules::position;

/// How long a job rests while another one makes its group page.
const OTHERS_NEED: std::time::Duration = std::time::Duration::from_secs(1);

impl Application<'_, '_> {
    /// The group page of the row's page, made if it does not exist.
    pub(super) async fn group_page(&mut self, title: &str) -> Result<PageId, Failure> {
        let space = self.space().await?;
        let store = &self.context.store;
        match store.begin_group(&space.id, title, Timestamp::now()).await? {
            Group::Made(page) => return Ok(page),
            Group::Ours => {}
            Group::BeingMade { started } => {
                let is_given_up = self
                    .context
                    .wait_out_create(started, self.context.docmost.timeout(), "page")
                    .is_ok();
                let now = Timestamp::now();
                if !is_given_up || !store.take_over_group(&space.id, title, started, now).await? {
                    let message = format!("another job is making the page {title:?} above this row's page");
                    return Err(Failure::new(FailureClass::Ambiguous, Target::Bridge, message).after(OTHERS_NEED));
                }
            }
        }
        CrashPoint::AfterGroupClaimed.pass();
        match self.found_or_made(&space, title).await {
            Ok(page) => {
                store.save_group(&space.id, title, &page).await?;
                Ok(page)
            }
            Err(failure) => {
                // Only a create of unknown outcome has to be waited for.
                if failure.class != FailureClass::Ambiguous {
                    store.forget_group(&space.id, title).await?;
                }
                Err(failure)
            }
        }
    }

    async fn found_or_made(&mut self, space: &Space, title: &str) -> Result<PageId, Failure> {
        let bridge = &self.context.bridge().await?.instance;
        let digest = hash(&[&space.id, title]);
        let marker = Marker::of_group(bridge, digest.get(..12).unwrap_or_default());
        let page = match self.marked_group(&marker, space).await? {
            Some(page) => page,
            None => self.make_group(&marker, space, title).await?,
        };
        let docmost = &self.context.docmost;
        docmost.add_labels(self.journal, &page, &[&marker.label]).await?;
        Ok(page)
    }

    /// A page that carries the marks and that our account has made; the oldest one.
    async fn marked_group(&mut self, marker: &Marker, space: &Space) -> Result<Option<PageId>, Failure> {
        let docmost = &self.context.docmost;
        let account = docmost.account_id().await?;
        let mut hits = docmost.pages_with_label(self.journal, &marker.label).await?;
        hits.extend(docmost.pages_with_token(self.journal, &marker.token).await?);
        hits.sort_by(|a, b| a.id.cmp(&b.id));
        hits.dedup_by(|a, b| a.id == b.id);
        for hit in hits {
            let Some(page) = docmost.page(self.journal, &hit.id).await? else {
                continue;
            };
            let is_here = page.space_id.as_ref() == Some(&space.id) && page.deleted_at.is_none();
            if is_here && page.created_by() == Some(account.as_str()) && page.is_signed(&marker.token) {
                return Ok(Some(page.id));
            }
        }
        Ok(None)
    }

    async fn make_group(&mut self, marker: &Marker, space: &Space, title: &str) -> Result<PageId, Failure> {
        let page = DesiredPage {
            slot: Slot::page(),
            marker: marker.clone(),
            space: self.page.space.clone(),
            title: title.to_owned(),
            icon: DesiredIcon::Anything,
            body: Body::Once {
                nodes: vec![marker.line(
                    Node::run("Baserow: ", Vec::new()),
                    self.context.baserow.public_address(),
                )],
            },
            people: PeoplesWill::default(),
            position: None,
            group: None,
            parent: None,
            hash: String::new(),
        };
        let (store, space_id) = (&self.context.store, &space.id);
        let late = || {
            async move {
                store.renew_group(space_id, title, Timestamp::now()).await?;
                Ok(())
            }
            .boxed()
        };
        let made = self
            .context
            .docmost
            .create(self.journal, &space.id, &page, &late)
            .await?;
        CrashPoint::AfterGroupMade.pass();
        Ok(made.id)
    }

    /// Docmost knows no page above where this row's page should go: the group page is taken out of
    /// the trash, or made anew by the next attempt.
    pub(super) async fn without_group(&mut self, failure: Failure) -> Result<Failure, Failure> {
        let (Some(title), Some(group), Some(404)) = (&self.page.group, &self.page.parent, failure.status) else {
            return Ok(failure);
        };
        let space = self.space().await?;
        let docmost = &self.context.docmost;
        let page = docmost.page(self.journal, group).await?;
        let is_trashed = page.as_ref().is_some_and(|page| page.deleted_at.is_some());
        let is_elsewhere = page.is_some_and(|page| page.space_id.as_ref() != Some(&space.id));
        if is_trashed && !is_elsewhere && self.page.people.trashed == PageTrashed::Restore {
            docmost.restore(self.journal, group).await?;
        } else {
            self.context.store.forget_group(&space.id, title).await?;
        }
        Ok(Failure {
            class: FailureClass::Transient,
            ..failure
        })
    }

    /// Whether the page may stand where it does because an earlier update was interrupted: it moved
    /// the page to a group page, and the store does not know.
    async fn may_be_our_move(&self, stands: Option<&PageId>, link: &Link) -> Result<bool, Failure> {
        let was_interrupted = matches!(link.state, LinkState::Unconfirmed | LinkState::Unknown);
        match stands.filter(|_| was_interrupted) {
            Some(above) => Ok(self.context.store.is_group(above).await?),
            None => Ok(false),
        }
    }

    /// Moves a row's own page to where its rule wants it, unless people have moved it. `is_lost`:
    /// what was just done has taken it from where it stood. `link` is what the store knew of it.
    pub(super) async fn settle(&mut self, page: &Page, is_lost: bool, link: &Link) -> Result<(), Failure> {
        let store = &self.context.store;
        let last = store.place_of(&page.id).await?;
        let wanted = self.page.parent.as_ref();
        if wanted.is_none() && last.is_none() {
            return Ok(());
        }
        let stands = page.parent_page_id.as_ref();
        if is_lost || stands != wanted {
            let was_moved = !is_lost && stands != last.as_ref() && !self.may_be_our_move(stands, link).await?;
            if was_moved && self.page.people.moved == PageMoved::Follow {
                self.journal
                    .note("page_stays", "people have moved the page: it stays where they put it");
                return Ok(());
            }
            let place = Place {
                parent: wanted,
                position: &position(usize::try_from(self.owner.row.get()).unwrap_or_default()),
            };
            let placed = self.context.docmost.place(self.journal, &page.id, place).await;
            if let Err(failure) = placed {
                return Err(self.without_group(failure).await?);
            }
            CrashPoint::AfterMove.pass();
        }
        Ok(store.save_place(&page.id, wanted).await?)
    }
}
