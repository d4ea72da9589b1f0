//! The pages below a row's page: each is made as any other page, after its parent, and a linked row
//! that is linked no more loses its own.
//!
//! **The wiki restores whole families.** Taking the parent out of the trash takes out the pages of
//! removed rows too. So before the parent is written these are marked as possibly alive, and
//! afterwards they go to the trash again: a crash in between leaves the mark, not the page.

use passerelle_model::config::{CollectionAction, RowDeleted};
use passerelle_model::id::{RowKey, Slot};
use passerelle_model::ledger::FailureClass;
use passerelle_store::{Link, LinkState};

use super::deletion::{Policy, leave_unlinked, mark_linked, trash_linked};
use super::unconfirmed::check_again_later;
use super::write_back::unlink_row;
use super::{Application, Work, WriteBackTarget};
use crate::context::Context;
use crate::crash::CrashPoint;
use crate::failure::Failure;
use crate::rules::{PageRule, Plan};

/// Marks the pages of removed rows as possibly alive if the parent is about to be written.
pub(super) async fn expect_restored(
    context: &Context,
    rule: &PageRule,
    owner: RowKey,
    plan: &Plan<'_>,
    looks: bool,
) -> Result<(), Failure> {
    let Some(collection) = &rule.collection else {
        return Ok(());
    };
    let parent = context.store.link(owner, &plan.page.slot).await?;
    if parent.is_none_or(|parent| !looks && parent.state.is_synced(&plan.page.hash)) {
        return Ok(());
    }
    for link in removed(context, collection, owner, plan).await? {
        context.store.save_link(&of_unknown_state(&link)).await?;
    }
    Ok(())
}

/// Makes the sub-pages as desired and takes away those of removed rows. Says whether anything was
/// written.
pub(super) async fn apply_sub_pages(
    context: &Context,
    rule: &PageRule,
    parent: &Link,
    plan: &Plan<'_>,
    work: Work<'_>,
) -> Result<bool, Failure> {
    let Work { looks, journal } = work;
    let Some(collection) = &rule.collection else {
        return Ok(false);
    };
    let (mut has_changed, mut swept) = (false, Ok(()));
    for (linked, page) in &plan.sub_pages {
        let target = WriteBackTarget {
            key: linked.key,
            row: &linked.row,
            fields: &collection.write_back,
        };
        let mut application = Application {
            context,
            owner: parent.row,
            target,
            page: &page.below(&parent.page),
            looks,
            journal,
        };
        let (link, changed) = match application.ensure().await {
            Ok(ensured) => ensured,
            Err(failure) => return Err(blame_parent(context, parent, failure).await?),
        };
        CrashPoint::AfterSubPage.pass();
        has_changed |= changed;
        swept = swept.and(check_again_later(context, &link));
    }
    let policy = Policy {
        removed: collection.removed,
        mark: &rule.page.mark,
    };
    for link in removed(context, collection, parent.row, plan).await? {
        let handled = match policy.removed {
            RowDeleted::Trash => {
                unlink_row(context, collection, &link, journal).await?;
                trash_linked(context, &link, looks, journal).await?
            }
            RowDeleted::Mark => mark_linked(context, policy.mark, &link, journal).await?,
            RowDeleted::Keep => None,
        };
        if let Some((link, had_to)) = handled {
            has_changed |= had_to;
            swept = swept.and(check_again_later(context, &link));
        }
    }
    let is_removed = |slot: &Slot| is_removed(collection, plan, slot);
    has_changed |= leave_unlinked(context, parent.row, policy, is_removed, journal).await?;
    swept.map(|()| has_changed)
}

/// The links of sub-pages whose rows are linked no more.
async fn removed(
    context: &Context,
    collection: &CollectionAction,
    owner: RowKey,
    plan: &Plan<'_>,
) -> Result<Vec<Link>, Failure> {
    let mut links = context.store.links(owner).await?;
    links.retain(|link| is_removed(collection, plan, &link.slot));
    Ok(links)
}

/// Whether a slot is one of a row that is linked no more.
fn is_removed(collection: &CollectionAction, plan: &Plan<'_>, slot: &Slot) -> bool {
    let is_below = slot.as_str().strip_prefix(collection.slot.as_str());
    is_below.is_some_and(|rest| rest.starts_with('-')) && plan.sub_pages.iter().all(|(_, page)| page.slot != *slot)
}

/// Nothing can be put below a parent that people have put into the trash: the next attempt takes it
/// out first.
async fn blame_parent(context: &Context, parent: &Link, failure: Failure) -> Result<Failure, Failure> {
    if failure.status != Some(404) {
        return Ok(failure);
    }
    context.store.save_link(&of_unknown_state(parent)).await?;
    Ok(Failure {
        class: FailureClass::Transient,
        ..failure
    })
}

/// The link of a page whose state is not believed. One that waits for the end of a call still does.
fn of_unknown_state(link: &Link) -> Link {
    if link.state == LinkState::Unconfirmed {
        return link.clone();
    }
    Link {
        state: LinkState::Unknown,
        ..link.clone()
    }
}
