//! Looks through the shares of the wiki: stock Docmost tells nobody of them. What is new becomes an ordinary event of the share's job, with all
//! that the list said of it, so that the ledger keeps it whatever happens to the share.
//!
//! The first look only learns what is there: shares that existed before the bridge came are no news.

use passerelle_model::event::EventKind;
use passerelle_model::id::JobKey;
use passerelle_model::time::Timestamp;
use serde_json::json;

use super::wiki::event;
use crate::context::Context;
use crate::failure::Failure;
use crate::journal::Journal;

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
            context.store.know_share(id, page, (Timestamp::now(), false)).await?;
            continue;
        }
        let payload = json!({"share_id": share.id, "page_id": share.page_id, "share": share});
        let name = format!("share-{}", share.id);
        let event = event(
            (&name, EventKind::Created),
            JobKey::Share(share.id.clone()),
            payload.to_string(),
        );
        let event = event.map_err(|error| Failure::unmappable(error.to_string()))?;
        let _durable = context.queue.accept(event).await?;
    }
    if is_first {
        let made = (Timestamp::now(), false);
        context.store.know_share(FIRST_LOOK, "", made).await?;
        tracing::info!(
            shares = shares.len(),
            "the shares that exist are known; the admin is told of new ones"
        );
    }
    Ok(())
}
