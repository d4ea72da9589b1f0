//! Looks through the shares of the wiki: stock Docmost has no webhooks. A new share becomes an
//! ordinary event of the share's job, with all that the list says of it, so that the ledger keeps
//! it whatever happens to the share.
//!
//! The first run only learns what exists: shares from before the bridge are not reported.

use passerelle_model::event::{EventKind, NewEvent};
use passerelle_model::id::JobKey;
use passerelle_model::time::Timestamp;
use serde_json::json;

use crate::context::Context;
use crate::failure::Failure;
use crate::journal::Journal;
use crate::sync::request::{Requester, job_item, request};
use crate::wiki::{know, with_sub_pages};

/// In place of a share's id: the first look was made.
const FIRST_LOOK: &str = "first-look";
/// The same for the pages below shared pages: earlier versions did not look at them.
const FIRST_LOOK_AT_SUB_PAGES: &str = "first-look-with-sub-pages";

/// One look at all shares.
pub(super) async fn run(context: &Context) -> Result<(), Failure> {
    if context.rules.shared().next().is_none() {
        return Ok(());
    }
    let is_first = !context.store.knows_share(FIRST_LOOK).await?;
    let is_first_of_sub_pages = !context.store.knows_share(FIRST_LOOK_AT_SUB_PAGES).await?;
    let shares = context.docmost.shares(&mut Journal::default()).await?;
    for share in &shares {
        let is_known = context.store.knows_share(share.id.as_str()).await?;
        let is_widened =
            is_known && share.include_sub_pages && !context.store.knows_share(&with_sub_pages(&share.id)).await?;
        if is_known && !is_widened {
            continue;
        }
        if is_first || (is_widened && is_first_of_sub_pages) {
            let page = share.page_id.as_str();
            know(context, &share.id, page, share.include_sub_pages, false).await?;
            continue;
        }
        let payload = json!({"share_id": share.id, "page_id": share.page_id, "share": share});
        let name = if is_widened {
            with_sub_pages(&share.id)
        } else {
            share.id.to_string()
        };
        let event = Requester::Wiki.named_event(&format!("share-{name}"), &payload);
        let event = event.map(|event| NewEvent {
            kind: EventKind::Created,
            items: vec![job_item(JobKey::Share(share.id.clone()))],
            ..event
        });
        request(context, event).await?;
    }
    if is_first_of_sub_pages {
        let now = Timestamp::now();
        context
            .store
            .know_share(FIRST_LOOK_AT_SUB_PAGES, "", now, false)
            .await?;
    }
    if is_first {
        context
            .store
            .know_share(FIRST_LOOK, "", Timestamp::now(), false)
            .await?;
        tracing::info!(
            shares = shares.len(),
            "the shares that exist are known; new ones are reported to the admin"
        );
    }
    Ok(())
}
