//! The row is gone: its page follows it into the trash, where the wiki keeps it for a month.

use passerelle_shared::config::RowDeleted;
use passerelle_shared::id::{RowKey, Slot};
use passerelle_shared::ledger::FailureClass;
use passerelle_shared::outcome::Outcome;
use passerelle_shared::store::Link;
use passerelle_shared::time::Timestamp;

use super::TRASHED;
use crate::bridge::Bridge;
use crate::crash::CrashPoint;
use crate::failure::Failure;
use crate::journal::Journal;
use crate::rules::{Marker, PageRule};

/// Trashes the pages of a row that does not exist any more. The links stay, so that a restored row restores its pages.
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
    if rule.page.row_deleted == RowDeleted::Keep {
        return Ok(Outcome::NoChange);
    }
    let mut has_changed = false;
    for link in &links {
        has_changed |= trash_linked(bridge, link, journal).await?;
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

/// No link is known, but an attempt may have died between page and link: no page shall outlive its row unseen.
async fn unlinked(bridge: &Bridge, row: RowKey, slot: &Slot, journal: &mut Journal) -> Result<Outcome, Failure> {
    let label = Marker::of(row, slot).label;
    let orphans = bridge.docmost.pages_with_label(journal, &label).await?;
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
