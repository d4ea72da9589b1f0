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

/// In place of a share's id: the first look was made.
const FIRST_LOOK: &str = "first-look";

/// One look at all shares.
pub(super) async fn run(context: &Context) -> Result<(), Failure> {
    if context.rules.shared().next().is_none() {
        return Ok(());
    }
    let is_first = !context.store.knows_share(FIRST_LOOK).await?;
    let shares = context.docmost.shares(&mut Journal::default()).await?;
    for share in &shares {
        if context.store.knows_share(share.id.as_str()).await? {
            continue;
        }
        if is_first {
            let (id, page) = (share.id.as_str(), share.page_id.as_str());
            context.store.know_share(id, page, Timestamp::now(), false).await?;
            continue;
        }
        let payload = json!({"share_id": share.id, "page_id": share.page_id, "share": share});
        let event = Requester::Wiki.named_event(&format!("share-{}", share.id), &payload);
        let event = event.map(|event| NewEvent {
            kind: EventKind::Created,
            items: vec![job_item(JobKey::Share(share.id.clone()))],
            ..event
        });
        request(context, event).await?;
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
