//! Cleans up duplicate pages of one row (E4). Creates with an unknown outcome are remembered for a
//! day; so is every intent that no job has followed up. The task only looks; what it finds becomes
//! an event of the row. The row's own job then puts the duplicate into the trash and says so in its
//! steps. The linked page stays, whatever the duplicate holds.
//!
//! A copy that a person made is no duplicate: it has another author, and no label.

use std::time::Duration;

use passerelle_model::event::{DeliveryKey, Disposition, EventKind, Item, NewEvent};
use passerelle_model::id::{EventId, InvalidId, SourceName};
use passerelle_model::time::Timestamp;
use passerelle_store::{LinkState, UnconfirmedCreate};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::context::Context;
use crate::failure::Failure;
use crate::journal::Journal;
use crate::sync::apply::duplicate_pages;

/// The source of the events, and the beginning of their ids.
const SOURCE: &str = "sweep";
/// Unconfirmed creates that one run looks at; the next run takes the others.
const AT_ONCE: u32 = 200;
/// How long a create is looked after. Abandoned calls were seen to run minutes later, when the
/// wiki's own Redis came back.
const LOOKED_AFTER: Duration = Duration::from_hours(24);
/// An older intent has no job any more: attempts are minutes apart at most.
const FORGOTTEN_AFTER: Duration = Duration::from_mins(30);

/// Looks once at all unconfirmed creates; returns how many rows it requested a sync of.
pub async fn run(context: &Context) -> Result<usize, Failure> {
    let now = Timestamp::now();
    let mut requested = 0;
    for create in context
        .store
        .unconfirmed_creates(now.minus(context.zombie_window), AT_ONCE)
        .await?
    {
        requested += usize::from(look_after(context, &create).await?);
        if now.since(create.since) > LOOKED_AFTER {
            context.store.forget_unconfirmed_create(&create).await?;
        }
    }
    for intent in context.store.stale_intents(now.minus(FORGOTTEN_AFTER), AT_ONCE).await? {
        request_sync(context, &intent, "an intent was never followed up").await?;
        requested += 1;
    }
    if requested > 0 {
        tracing::warn!(
            rows = requested,
            "rows may have duplicate pages; their sync is requested"
        );
    }
    Ok(requested)
}

/// Requests a sync of the row if its page has a duplicate.
async fn look_after(context: &Context, create: &UnconfirmedCreate) -> Result<bool, Failure> {
    let Some(link) = context.store.link(create.row, &create.slot).await? else {
        // Its job still runs, or its intent is stale.
        return Ok(false);
    };
    let duplicates = duplicate_pages(context, &link, &mut Journal::default()).await?;
    if duplicates.is_empty() {
        return Ok(false);
    }
    context.store.restate_link(&link, &LinkState::Unconfirmed).await?;
    let names: Vec<&str> = duplicates.iter().map(|page| page.id.as_str()).collect();
    request_sync(context, create, &format!("duplicate pages: {}", names.join(", "))).await?;
    Ok(true)
}

async fn request_sync(context: &Context, create: &UnconfirmedCreate, why: &str) -> Result<(), Failure> {
    let event = event(create, why).map_err(|error| Failure::unmappable(error.to_string()))?;
    let _durable = context.queue.accept(event).await?;
    Ok(())
}

/// The same finding is the same event.
fn event(create: &UnconfirmedCreate, why: &str) -> Result<NewEvent, InvalidId> {
    let payload = json!({"row": create.row.to_string(), "slot": create.slot, "since": create.since, "why": why});
    let name = hex::encode(Sha256::digest(payload.to_string()));
    Ok(NewEvent {
        key: DeliveryKey {
            webhook: None,
            event: EventId::parse(&format!("{SOURCE}-{}", name.get(..32).unwrap_or_default()))?,
            batch: 0,
        },
        source: SourceName::parse(SOURCE)?,
        kind: EventKind::Forced,
        table: Some(create.row.table),
        received: Timestamp::now(),
        items: vec![Item {
            row: Some(create.row.row),
            disposition: Disposition::Sync,
        }],
        payload: payload.to_string().into_bytes(),
    })
}
