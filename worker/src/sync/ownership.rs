//! Whose page is it?
//!
//! A page belongs to a row if our store says so. If the store does not know it, three things must
//! come together: its marks name the row and this bridge, our own account created it, and no other
//! row has it. Labels and texts can be written by anybody who may edit, and are copied; the creator
//! cannot be changed. So a mark that does not fit is reported, once to the admin, and not obeyed.
//!
//! Marks of an earlier version do not name the bridge. A store that such a version has left takes
//! them as its own; the new marks are set as soon as the page is taken.

use passerelle_model::id::{EventId, PageId, RowKey, Slot};
use passerelle_store::{Bridge, Link};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::clients::docmost::Page;
use crate::content::marker::Marker;
use crate::content::notice::{NoticeKind, notice_values};
use crate::context::Context;
use crate::failure::Failure;
use crate::journal::Journal;
use crate::outbox::Cause;

/// The pages that a row's slot may have in the wiki.
pub(crate) struct Claims<'a> {
    context: &'a Context,
    row: RowKey,
    slot: &'a Slot,
    marker: Marker,
    bridge: &'a Bridge,
}

/// Whose a page with marks is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    Ours,
    /// Rightly somebody else's, so nothing to tell; whose.
    Others(&'static str),
    /// The marks do not make it ours; why.
    Nobodys(&'static str),
}

/// Whether a label is one that bridges set.
fn is_mark(label: &str) -> bool {
    label.starts_with(Marker::LABEL_PREFIX) || label.starts_with(Marker::BRIDGE_PREFIX)
}

impl<'a> Claims<'a> {
    pub(crate) async fn of(context: &'a Context, row: RowKey, slot: &'a Slot) -> Result<Self, Failure> {
        let bridge = context.bridge().await?;
        Ok(Self {
            context,
            row,
            slot,
            marker: Marker::of(&bridge.instance, row, slot),
            bridge,
        })
    }

    /// The living pages with the row's label, if they are ours.
    pub(crate) async fn by_label(&self, journal: &mut Journal) -> Result<Vec<Page>, Failure> {
        let found = self
            .context
            .docmost
            .pages_with_label(journal, &self.marker.label)
            .await?;
        let mut ours = Vec::new();
        for page in found {
            let labels = match &page.labels {
                Some(labels) => Some(labels.iter().map(|label| label.name.clone()).collect()),
                None => self.context.docmost.labels(journal, &page.id).await?,
            };
            let Some(labels) = labels else { continue };
            // Somebody put a second one on it: what the text says decides.
            let is_unclear = labels.iter().filter(|label| is_mark(label)).count() > 2;
            let page = if is_unclear {
                self.context.docmost.page(journal, &page.id).await?
            } else {
                Some(page)
            };
            if let Some(page) = page
                && self.is_ours(&page, Some(&labels), journal).await?
            {
                ours.push(page);
            }
        }
        Ok(ours)
    }

    /// Puts the row's labels on a page of ours.
    pub(crate) async fn label(&self, page: &PageId, journal: &mut Journal) -> Result<(), Failure> {
        self.context
            .docmost
            .add_labels(journal, page, &self.marker.labels())
            .await
    }

    /// The living pages with the row's word in their text, if they are ours: their label may be
    /// missing after a crash.
    pub(crate) async fn by_token(&self, journal: &mut Journal) -> Result<Vec<Page>, Failure> {
        let docmost = &self.context.docmost;
        let mut found = docmost.pages_with_token(journal, &self.marker.token).await?;
        if self.bridge.has_older_marks {
            found.extend(docmost.pages_with_token(journal, &self.marker.older_token).await?);
        }
        let mut ours = Vec::new();
        for hit in found {
            let labels = docmost.labels(journal, &hit.id).await?;
            // A search answers without the text.
            if let (Some(labels), Some(page)) = (labels, docmost.page(journal, &hit.id).await?)
                && self.is_ours(&page, Some(&labels), journal).await?
            {
                ours.push(page);
            }
        }
        Ok(ours)
    }

    /// The pages in the trash of a space with the row's word in their text, if they are ours.
    pub(crate) async fn in_trash(&self, space: &str, journal: &mut Journal) -> Result<Vec<Page>, Failure> {
        let mut ours = Vec::new();
        for page in self.context.docmost.trash_of(journal, space).await? {
            let may_be_ours = page.contains(&self.marker.token) || page.contains(&self.marker.older_token);
            if may_be_ours && self.is_ours(&page, None, journal).await? {
                ours.push(page);
            }
        }
        Ok(ours)
    }

    /// A page that the row itself names, if it is ours: a copied row brings the id of the other
    /// row's page along.
    pub(crate) async fn named(&self, id: &PageId, journal: &mut Journal) -> Result<Option<Page>, Failure> {
        let docmost = &self.context.docmost;
        let Some(page) = docmost.page(journal, id).await? else {
            return Ok(None);
        };
        let labels = match page.deleted_at {
            None => docmost.labels(journal, id).await?,
            Some(_) => None,
        };
        let is_ours = self.is_ours(&page, labels.as_deref(), journal).await?;
        Ok(is_ours.then_some(page))
    }

    /// Whether a page is ours, though the store does not say so. `labels` are unknown of a page in
    /// the trash.
    async fn is_ours(&self, page: &Page, labels: Option<&[String]>, journal: &mut Journal) -> Result<bool, Failure> {
        let whose = self.whose(page, labels).await?;
        match whose {
            Whose::Ours => {}
            Whose::Others(whose) => journal.note("others_page", format!("page {} is {whose}", page.id)),
            Whose::Nobodys(why) => self.report(page, why, journal).await,
        }
        Ok(whose == Whose::Ours)
    }

    async fn whose(&self, page: &Page, labels: Option<&[String]>) -> Result<Whose, Failure> {
        let labels = labels.unwrap_or_default();
        let carries = |label: &String| labels.contains(label);
        let bridges = || labels.iter().filter(|label| label.starts_with(Marker::BRIDGE_PREFIX));
        if bridges().next().is_some() && !carries(&self.marker.bridge) {
            return Ok(Whose::Others("another bridge's"));
        }
        let links = self.context.store.links_of_page(&page.id).await?;
        if let Some(whose) = self.whose_by_store(&links) {
            return Ok(whose);
        }
        if page.created_by() != Some(self.context.docmost.account_id().await?.as_str()) {
            return Ok(Whose::Nobodys("somebody else created it"));
        }
        let is_signed = page.is_signed(&self.marker.token);
        let is_own = |label: &&String| **label == self.marker.label || **label == self.marker.bridge;
        if !is_signed && labels.iter().any(|label| is_mark(label) && !is_own(&label)) {
            return Ok(Whose::Nobodys("it carries the label of another row"));
        }
        let is_ours = is_signed || (carries(&self.marker.label) && carries(&self.marker.bridge));
        let is_older = carries(&self.marker.label) || page.is_signed(&self.marker.older_token);
        Ok(if is_ours || (is_older && self.bridge.has_older_marks) {
            Whose::Ours
        } else {
            Whose::Nobodys("it does not carry the marks that this bridge sets")
        })
    }

    /// Whose a page is that the store knows as another row's.
    fn whose_by_store(&self, links: &[Link]) -> Option<Whose> {
        let is_own = |link: &Link| link.row == self.row && link.slot == *self.slot;
        // A linked row in several collections has a page in each, and names one of them.
        let is_in_collection =
            |link: &Link| *self.slot != Slot::page() && link.slot == *self.slot && link.row.table == self.row.table;
        if links.iter().all(is_own) {
            None
        } else if links.iter().all(|link| is_own(link) || is_in_collection(link)) {
            Some(Whose::Others("the page of the same row in another collection"))
        } else {
            Some(Whose::Nobodys("it is the page of another row"))
        }
    }

    /// Reports a page whose marks are not obeyed: in the trace, in the log, and once to the admin.
    async fn report(&self, page: &Page, why: &str, journal: &mut Journal) {
        let (row, id) = (self.row, &page.id);
        journal.note(
            "marks_not_obeyed",
            format!("page {id} is not taken for the page of {row}: {why}"),
        );
        tracing::warn!(%row, page.id = %id, why, "a page is marked or named as the page of a row, and is not");
        if let Err(failure) = self.notify_admin(page, why).await {
            tracing::warn!(%failure, "the notice of a page with foreign marks could not be posted");
        }
    }

    async fn notify_admin(&self, page: &Page, why: &str) -> Result<(), Failure> {
        let digest = hex::encode(Sha256::digest(format!("{} {}", self.marker.label, page.id)));
        let event = EventId::own(&format!("marks-{}", digest.get(..32).unwrap_or_default()));
        let event = event.map_err(|error| Failure::unmappable(error.to_string()))?;
        let values = notice_values(json!({
            "row": self.row.to_string(),
            "page": page.title.as_deref().unwrap_or_default(),
            "why": why,
            "page_url": self.context.docmost.page_address(&page.slug_id),
        }));
        let cause = Cause {
            rule: "marks",
            event: &event,
            row: Some(self.row),
            at: None,
        };
        self.context
            .outbox
            .notify_admin(NoticeKind::ForeignMarks, &values, cause)
            .await?;
        Ok(())
    }
}
