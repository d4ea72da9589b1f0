//! A share: a page that was made readable to anybody with the link (B7). Reported once, by a push
//! or by the periodic task.

use passerelle_model::id::{EventId, PageId};
use passerelle_model::outcome::{IgnoredReason, Outcome};
use passerelle_model::time::Timestamp;
use serde_json::Map;

use crate::clients::docmost::Share;
use crate::content::notice::NoticeKind;
use crate::context::Context;
use crate::failure::Failure;
use crate::journal::Journal;

/// Reports a share, unless that was done.
pub async fn report_share(context: &Context, id: &PageId, journal: &mut Journal) -> Result<Outcome, Failure> {
    let is_known = context.store.knows_share(id.as_str()).await?;
    if is_known && context.store.knows_share(&with_sub_pages(id)).await? {
        return Ok(Outcome::NoChange);
    }
    let shares = context.docmost.shares(journal).await?;
    let share = shares.into_iter().find(|share| share.id == *id);
    let has_sub_pages = share.as_ref().is_some_and(|share| share.include_sub_pages);
    if is_known && !has_sub_pages {
        return Ok(Outcome::NoChange);
    }
    let space = share.as_ref().and_then(|share| share.space.as_ref());
    // The space of a share that was withdrawn before anybody could look is unknown: it is reported.
    let mut found = None;
    for rule in context.rules.shared() {
        if share.is_none() || context.is_space_of(journal, rule, space).await? {
            found = Some(rule);
            break;
        }
    }
    let rule = found;
    if let Some(rule) = rule {
        let found = Found {
            id,
            share: share.as_ref(),
            is_widened: is_known,
        };
        notify_admin(context, &rule.name, &found, journal).await?;
    }
    let is_meant = rule.is_some();
    let page = share.as_ref().map_or("", |share| share.page_id.as_str());
    know(context, id, page, has_sub_pages, is_meant).await?;
    Ok(if is_meant {
        Outcome::Synced
    } else {
        Outcome::Ignored(IgnoredReason::NoRule)
    })
}

/// A share as it is remembered where the pages below its page are shared too.
pub(crate) fn with_sub_pages(id: &PageId) -> String {
    format!("{id}-with-sub-pages")
}

/// Remembers a share as it is now.
pub(crate) async fn know(
    context: &Context,
    id: &PageId,
    page: &str,
    has_sub_pages: bool,
    is_reported: bool,
) -> Result<(), Failure> {
    let now = Timestamp::now();
    if has_sub_pages {
        context
            .store
            .know_share(&with_sub_pages(id), page, now, is_reported)
            .await?;
    }
    context.store.know_share(id.as_str(), page, now, is_reported).await?;
    Ok(())
}

/// A share that is news.
struct Found<'a> {
    id: &'a PageId,
    /// It may be gone again.
    share: Option<&'a Share>,
    /// It was known, without the pages below its page.
    is_widened: bool,
}

/// Notes in the story what was found.
fn note_share(journal: &mut Journal, share: Option<&Share>, title: &str, author: Option<&str>) {
    let author = author.unwrap_or("an unknown user");
    let below = share.is_some_and(|share| share.include_sub_pages);
    let below = if below { " with the pages below it" } else { "" };
    match share {
        Some(_) => journal.note("shared", format!("{title:?} was shared{below} by {author}")),
        None => journal.note("share_gone", "it was withdrawn before it could be read"),
    }
}

/// Notifies the admin by every channel that is set up. The share is the notice's idempotency key.
async fn notify_admin(context: &Context, rule: &str, found: &Found<'_>, journal: &mut Journal) -> Result<(), Failure> {
    let Found { id, share, is_widened } = *found;
    metrics::counter!("passerelle_shares_found_total").increment(1);
    let page = share.and_then(|share| share.page.as_ref());
    let address = page.map(|page| context.docmost.page_address(&page.slug_id));
    let title = page.and_then(|page| page.title.as_deref());
    tracing::warn!(share.id = %id, page = title, "a wiki page can be read by anybody who has the link");
    let author = share.and_then(|share| share.creator.as_ref()?.name.as_deref());
    note_share(journal, share, title.unwrap_or_default(), author);
    let mut values = Map::new();
    let mut say = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            values.insert(name.to_owned(), value.into());
        }
    };
    say("page", Some(title.unwrap_or_default()));
    say(
        "space",
        share
            .and_then(|share| share.space.as_ref())
            .map(|space| space.name.as_str()),
    );
    say(
        "author",
        share.and_then(|share| share.creator.as_ref()?.name.as_deref()),
    );
    say("page_url", address.as_deref());

    if share.is_some_and(|share| share.include_sub_pages) {
        values.extend([
            ("sub_pages".to_owned(), true.into()),
            ("widened".to_owned(), is_widened.into()),
        ]);
    }
    let name = if is_widened { with_sub_pages(id) } else { id.to_string() };
    let (kind, event) = (NoticeKind::ShareCreated, EventId::own(&format!("share-{name}")));
    let posted = context.outbox.notify_admin_of_own(kind, &values, rule, event);
    let posted = posted.await?;
    for (channel, state) in posted {
        journal.note(
            "notify",
            format!("{}: the admin's notice is {}", channel.as_str(), state.as_str()),
        );
    }
    Ok(())
}
