//! The row is gone: its page follows it into the trash, where the wiki keeps it for a month, or stays and says so, as the rule wants.

use passerelle_model::config::{Mark, RowDeleted};
use passerelle_model::id::{RowKey, Slot};
use passerelle_model::ledger::FailureClass;
use passerelle_model::outcome::Outcome;
use passerelle_model::time::Timestamp;
use passerelle_store::Link;

use super::find::pages_by_token;
use super::{MARKED, TRASHED};
use crate::content::marker::Marker;
use crate::context::Bridge;
use crate::crash::CrashPoint;
use crate::failure::Failure;
use crate::journal::Journal;
use crate::rules::PageRule;

/// Takes leave of the pages of a row that does not exist any more. The links stay, so that a restored row restores its pages.
pub async fn farewell(
    bridge: &Bridge,
    rule: &PageRule,
    row: RowKey,
    journal: &mut Journal,
) -> Result<Outcome, Failure> {
    let links = bridge.store.links(row).await?;
    if links.is_empty() {
        return unlinked(bridge, row, &Slot::page(), journal).await;
    }
    let mut has_changed = false;
    for link in &links {
        has_changed |= match rule.page.row_deleted {
            RowDeleted::Trash => trash_linked(bridge, link, journal).await?,
            RowDeleted::Mark => mark_linked(bridge, &rule.page.mark, link, journal).await?,
            RowDeleted::Keep => false,
        };
    }
    Ok(if has_changed {
        Outcome::Synced
    } else {
        Outcome::NoChange
    })
}

/// Puts a page into the trash and remembers it there; says whether it had to.
pub(super) async fn trash_linked(bridge: &Bridge, link: &Link, journal: &mut Journal) -> Result<bool, Failure> {
    if link.content_hash == TRASHED {
        return Ok(false);
    }
    match bridge.docmost.trash(journal, &link.page).await {
        Ok(()) => {}
        Err(failure) if failure.class == FailureClass::Gone => {
            bridge.store.forget_link(link.row, &link.slot).await?;
            return Ok(false);
        }
        Err(failure) => return Err(failure),
    }
    CrashPoint::AfterTrash.pass();
    let trashed = Link {
        content_hash: TRASHED.to_owned(),
        written: Timestamp::now(),
        ..link.clone()
    };
    bridge.store.save_link(&trashed).await?;
    Ok(true)
}

/// Lets the title of a page say that its row is gone; says whether it had to. People's words in it stay, and a page in the trash stays there.
pub(super) async fn mark_linked(
    bridge: &Bridge,
    mark: &Mark,
    link: &Link,
    journal: &mut Journal,
) -> Result<bool, Failure> {
    if [MARKED, TRASHED].contains(&link.content_hash.as_str()) {
        return Ok(false);
    }
    let Some(page) = bridge.docmost.page(journal, &link.page).await? else {
        bridge.store.forget_link(link.row, &link.slot).await?;
        return Ok(false);
    };
    let title = page.title.unwrap_or_default();
    if page.deleted_at.is_none() && !title.starts_with(&mark.prefix) {
        let title = format!("{}{title}", mark.prefix);
        let look = (title.as_str(), mark.icon.as_deref());
        bridge.docmost.retitle(journal, &link.page, look).await?;
    }
    let marked = Link {
        content_hash: MARKED.to_owned(),
        written: Timestamp::now(),
        ..link.clone()
    };
    bridge.store.save_link(&marked).await?;
    Ok(true)
}

/// No link is known, but an attempt may have died between page and link: no page shall outlive its row unseen.
async fn unlinked(bridge: &Bridge, row: RowKey, slot: &Slot, journal: &mut Journal) -> Result<Outcome, Failure> {
    let marker = Marker::of(row, slot);
    let mut orphans = bridge.docmost.pages_with_label(journal, &marker.label).await?;
    if bridge.store.has_intent(row, slot).await? {
        orphans.extend(pages_by_token(bridge, &marker, journal).await?);
        orphans.dedup_by(|a, b| a.id == b.id);
        bridge.store.close_intent(row, slot).await?;
    }
    for page in &orphans {
        bridge.docmost.trash(journal, &page.id).await?;
        journal.note("orphan", format!("{} had no link: it is in the trash now", page.id));
    }
    Ok(if orphans.is_empty() {
        Outcome::RowNotFound
    } else {
        Outcome::Synced
    })
}
