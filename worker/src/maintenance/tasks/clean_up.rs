//! Cleans up duplicate pages of one row (E4). Creates with an unknown outcome are remembered for a
//! day; so is every intent that no job has followed up. The task only looks; what it finds becomes
//! an event of the row. The row's own job then puts the duplicate into the trash and says so in its
//! steps. The linked page stays, whatever the duplicate holds.
//!
//! A copy that a person made is no duplicate: it has another author, and no label.

use std::time::Duration;

use passerelle_model::event::NewEvent;
use passerelle_model::time::{LongAgo, Timestamp};
use passerelle_store::{LinkState, UnconfirmedCreate};
use serde_json::json;

use crate::context::Context;
use crate::failure::Failure;
use crate::journal::Journal;
use crate::sync::apply::duplicate_pages;
use crate::sync::request::{Requester, request, row_item};

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
        .unconfirmed_creates(LongAgo::of_age(context.zombie_window, now), AT_ONCE)
        .await?
    {
        requested += usize::from(look_after(context, &create).await?);
        if now.since(create.since) > LOOKED_AFTER {
            context.store.forget_unconfirmed_create(&create).await?;
        }
    }
    let stale = LongAgo::of_age(FORGOTTEN_AFTER, now);
    for intent in context.store.stale_intents(stale, AT_ONCE).await? {
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
    // The version of the link is the moment: pages that come back are a new finding.
    let why = format!("duplicate pages beside version {}: {}", link.version, names.join(", "));
    request_sync(context, create, &why).await?;
    Ok(true)
}

/// The same finding is the same event.
async fn request_sync(context: &Context, create: &UnconfirmedCreate, why: &str) -> Result<(), Failure> {
    let payload = json!({"row": create.row.to_string(), "slot": create.slot, "since": create.since, "why": why});
    let event = Requester::CleanUp.event(&payload.to_string(), &payload);
    let event = event.map(|event| NewEvent {
        table: Some(create.row.table),
        items: vec![row_item(create.row.row)],
        ..event
    });
    request(context, event).await
}
