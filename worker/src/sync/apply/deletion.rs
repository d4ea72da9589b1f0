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
use super::unconfirmed::{self, check_again_later};
use crate::clients::docmost::Page;
use crate::context::Context;
use crate::crash::CrashPoint;
use crate::failure::Failure;
use crate::journal::Journal;
use crate::rules::PageRule;

/// What a rule wants for the page of a row that is gone, or is linked no more.
#[derive(Clone, Copy)]
pub(super) struct Policy<'a> {
    pub(super) removed: RowDeleted,
    pub(super) mark: &'a Mark,
}

/// Takes leave of the pages of a row that does not exist any more. The links stay, so that a
/// restored row restores its pages.
pub async fn delete_pages(context: &Context, rule: &PageRule, row: RowKey, work: Work<'_>) -> Result<Outcome, Failure> {
    let Work { looks, journal } = work;
    let policy = Policy {
        removed: rule.page.row_deleted,
        mark: &rule.page.mark,
    };
    let links = context.store.links(row).await?;
    if links.is_empty() {
        return unlinked(context, row, &Slot::page(), policy, journal).await;
    }
    let (mut has_changed, mut swept) = (false, Ok(()));
    for link in &links {
        let handled = match policy.removed {
            RowDeleted::Trash => trash_linked(context, link, looks, journal).await?,
            RowDeleted::Mark => mark_linked(context, policy.mark, link, journal).await?,
            RowDeleted::Keep => None,
        };
        if let Some((link, had_to)) = handled {
            has_changed |= had_to;
            swept = swept.and(check_again_later(context, &link));
        }
    }
    swept?;
    has_changed |= leave_unlinked(context, row, policy, |_| true, journal).await?;
    Ok(if has_changed {
        Outcome::Synced
    } else {
        Outcome::NoChange
    })
}

/// Puts a page into the trash and remembers it there. Returns the link as it is then, and whether
/// it had to; nothing where the store believes it there and nobody forced a look.
pub(super) async fn trash_linked(
    context: &Context,
    link: &Link,
    looks: bool,
    journal: &mut Journal,
) -> Result<Option<(Link, bool)>, Failure> {
    if link.state == LinkState::Trashed && !looks {
        return Ok(None);
    }
    let begun = unconfirmed::begin(context, link).await?;
    let had_to = match trash_alone(context, &link.page, link.row, journal).await {
        Ok(had_to) => had_to,
        Err(failure) if failure.class == FailureClass::Gone => {
            context.store.forget_link(&begun).await?;
            return Ok(None);
        }
        Err(failure) => {
            unconfirmed::give_up(context, link, begun, &failure).await?;
            return Err(failure);
        }
    };
    CrashPoint::AfterTrash.pass();
    let trashed = unconfirmed::end(context, link, begun, LinkState::Trashed).await?;
    Ok(Some((trashed, had_to)))
}

/// Lets the title of a page say that its row is gone. People's words in it stay, and a page in the
/// trash stays there. Returns the link as it is then, and that there was something to do.
pub(super) async fn mark_linked(
    context: &Context,
    mark: &Mark,
    link: &Link,
    journal: &mut Journal,
) -> Result<Option<(Link, bool)>, Failure> {
    if link.state.is_row_gone() {
        return Ok(None);
    }
    let Some(page) = context.docmost.page(journal, &link.page).await? else {
        context.store.forget_link(link).await?;
        return Ok(None);
    };
    let begun = unconfirmed::begin(context, link).await?;
    if let Err(failure) = say_gone(context, mark, &page, journal).await {
        unconfirmed::give_up(context, link, begun, &failure).await?;
        return Err(failure);
    }
    let marked = unconfirmed::end(context, link, begun, LinkState::Marked).await?;
    Ok(Some((marked, true)))
}

/// Lets the title of a living page say that its row is gone; says whether it had to.
async fn say_gone(context: &Context, mark: &Mark, page: &Page, journal: &mut Journal) -> Result<bool, Failure> {
    let title = page.title.as_deref().unwrap_or_default();
    if page.deleted_at.is_some() || title.starts_with(&mark.prefix) {
        return Ok(false);
    }
    let title = format!("{}{title}", mark.prefix);
    let icon = mark.icon.as_deref();
    context.docmost.retitle(journal, &page.id, &title, icon).await?;
    Ok(true)
}

/// Does as the policy wants with what creates have left behind that came to no link, of the slots
/// that are wanted no more. Says whether there was something to do.
pub(super) async fn leave_unlinked(
    context: &Context,
    row: RowKey,
    policy: Policy<'_>,
    is_unwanted: impl Fn(&Slot) -> bool,
    journal: &mut Journal,
) -> Result<bool, Failure> {
    let mut has_changed = false;
    for intent in context.store.intents(row).await? {
        // A linked page is none of these, whatever else its slot may still get.
        if is_unwanted(&intent.slot) && context.store.link(row, &intent.slot).await?.is_none() {
            has_changed |= unlinked(context, row, &intent.slot, policy, journal).await? == Outcome::Synced;
        }
    }
    Ok(has_changed)
}

/// No link is known, but an attempt may have died between page and link: no page shall outlive its
/// row unseen, and none shall go that the rule wants to stay.
async fn unlinked(
    context: &Context,
    row: RowKey,
    slot: &Slot,
    policy: Policy<'_>,
    journal: &mut Journal,
) -> Result<Outcome, Failure> {
    let intent = match context.store.intent(row, slot).await? {
        // Joined, so that no earlier attempt creates a page behind this look.
        Some(_) => Some(context.store.open_intent(row, slot, Timestamp::now()).await?),
        None => None,
    };
    let claims = Claims::of(context, row, slot).await?;
    let labelled = claims.by_label(journal).await?;
    let mut bare = Vec::new();
    if intent.is_some() {
        bare = claims.by_token(journal).await?;
        bare.retain(|page| labelled.iter().all(|other| other.id != page.id));
    }
    let is_none = labelled.is_empty() && bare.is_empty();
    let mut has_changed = false;
    for page in &bare {
        if policy.removed != RowDeleted::Trash {
            // By it the row finds the page if it comes back.
            claims.label(&page.id, journal).await?;
            has_changed = true;
        }
    }
    for page in labelled.iter().chain(&bare) {
        has_changed |= leave(context, row, policy, page, journal).await?;
    }
    // Not before: by it alone the next attempt finds a page without a label.
    if let Some(intent) = intent {
        context.store.close_intent(&intent).await?;
    }
    Ok(match (is_none, has_changed) {
        (true, _) => Outcome::RowNotFound,
        (false, true) => Outcome::Synced,
        (false, false) => Outcome::NoChange,
    })
}

/// Does as the policy wants with a page without a link; says whether there was something to do.
async fn leave(
    context: &Context,
    row: RowKey,
    policy: Policy<'_>,
    page: &Page,
    journal: &mut Journal,
) -> Result<bool, Failure> {
    let (has_changed, what) = match policy.removed {
        RowDeleted::Trash => (
            trash_alone(context, &page.id, row, journal).await?,
            "it is in the trash now",
        ),
        RowDeleted::Mark => (
            say_gone(context, policy.mark, page, journal).await?,
            "its title says that its row is gone",
        ),
        RowDeleted::Keep => (false, "it stays, as the rule wants"),
    };
    journal.note("orphan", format!("{} had no link: {what}", page.id));
    Ok(has_changed)
}
