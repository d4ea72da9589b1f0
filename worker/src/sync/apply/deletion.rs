//! The row is gone: its page follows it into the trash, where the wiki keeps it for a month, or
//! stays and says so, as the rule wants.

use passerelle_model::config::{Mark, RowDeleted};
use passerelle_model::id::{RowKey, Slot};
use passerelle_model::ledger::FailureClass;
use passerelle_model::outcome::Outcome;
use passerelle_model::time::Timestamp;
use passerelle_store::{Link, LinkState};

use super::super::ownership::Claims;
use super::Work;
use super::trash::trash_alone;
use crate::context::Context;
use crate::crash::CrashPoint;
use crate::failure::Failure;
use crate::journal::Journal;
use crate::rules::PageRule;

/// Takes leave of the pages of a row that does not exist any more. The links stay, so that a
/// restored row restores its pages.
pub async fn delete_pages(context: &Context, rule: &PageRule, row: RowKey, work: Work<'_>) -> Result<Outcome, Failure> {
    let Work { looks, journal } = work;
    let links = context.store.links(row).await?;
    if links.is_empty() {
        return unlinked(context, row, &Slot::page(), journal).await;
    }
    let mut has_changed = false;
    for link in &links {
        has_changed |= match rule.page.row_deleted {
            RowDeleted::Trash => trash_linked(context, link, looks, journal).await?,
            RowDeleted::Mark => mark_linked(context, &rule.page.mark, link, journal).await?,
            RowDeleted::Keep => false,
        };
    }
    Ok(if has_changed {
        Outcome::Synced
    } else {
        Outcome::NoChange
    })
}

/// Stores that the page is about to follow its row. If the end of that is not stored and the row
/// comes back meanwhile, the link does not say that the page equals the row, and the page is
/// written.
async fn begin(context: &Context, link: &Link) -> Result<Link, Failure> {
    let begun = Link {
        state: LinkState::Unknown,
        ..link.clone()
    };
    Ok(context.store.save_link(&begun).await?)
}

/// Puts a page into the trash and remembers it there; says whether it had to. What the store
/// believes to be there is looked for only by a forced sync.
pub(super) async fn trash_linked(
    context: &Context,
    link: &Link,
    looks: bool,
    journal: &mut Journal,
) -> Result<bool, Failure> {
    if link.state == LinkState::Trashed && !looks {
        return Ok(false);
    }
    let begun = begin(context, link).await?;
    let had_to = match trash_alone(context, &link.page, link.row, journal).await {
        Ok(had_to) => had_to,
        Err(failure) if failure.class == FailureClass::Gone => {
            context.store.forget_link(&begun).await?;
            return Ok(false);
        }
        Err(failure) => return Err(failure),
    };
    CrashPoint::AfterTrash.pass();
    let trashed = Link {
        state: LinkState::Trashed,
        written: Timestamp::now(),
        ..begun
    };
    context.store.save_link(&trashed).await?;
    Ok(had_to)
}

/// Lets the title of a page say that its row is gone; says whether it had to. People's words in it
/// stay, and a page in the trash stays there.
pub(super) async fn mark_linked(
    context: &Context,
    mark: &Mark,
    link: &Link,
    journal: &mut Journal,
) -> Result<bool, Failure> {
    if link.state.is_row_gone() {
        return Ok(false);
    }
    let Some(page) = context.docmost.page(journal, &link.page).await? else {
        context.store.forget_link(link).await?;
        return Ok(false);
    };
    let begun = begin(context, link).await?;
    let title = page.title.unwrap_or_default();
    if page.deleted_at.is_none() && !title.starts_with(&mark.prefix) {
        let title = format!("{}{title}", mark.prefix);
        let icon = mark.icon.as_deref();
        context.docmost.retitle(journal, &link.page, &title, icon).await?;
    }
    let marked = Link {
        state: LinkState::Marked,
        written: Timestamp::now(),
        ..begun
    };
    context.store.save_link(&marked).await?;
    Ok(true)
}

/// No link is known, but an attempt may have died between page and link: no page shall outlive its
/// row unseen.
async fn unlinked(context: &Context, row: RowKey, slot: &Slot, journal: &mut Journal) -> Result<Outcome, Failure> {
    let claims = Claims::of(context, row, slot).await?;
    let mut orphans = claims.by_label(journal).await?;
    if let Some(intent) = context.store.intent(row, slot).await? {
        orphans.extend(claims.by_token(journal).await?);
        orphans.dedup_by(|a, b| a.id == b.id);
        context.store.close_intent(&intent).await?;
    }
    for page in &orphans {
        trash_alone(context, &page.id, row, journal).await?;
        journal.note("orphan", format!("{} had no link: it is in the trash now", page.id));
    }
    Ok(if orphans.is_empty() {
        Outcome::RowNotFound
    } else {
        Outcome::Synced
    })
}
