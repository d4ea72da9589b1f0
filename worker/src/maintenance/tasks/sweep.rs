//! Looks after pages that may have a twin (E4): creates whose outcome was unknown are remembered for a day, and so is every intention that nobody
//! followed up. The wiki is asked; only what is found becomes an event of the row, and the row's own job puts the twin into the trash and says so
//! in its steps. The page that is linked stays, whatever its twin holds.
//!
//! A copy that a person made is no twin: it has another author, and no label.

use std::time::Duration;

use passerelle_model::event::{DeliveryKey, Disposition, EventKind, Item, NewEvent};
use passerelle_model::id::{EventId, InvalidId, SourceName};
use passerelle_model::time::Timestamp;
use passerelle_store::Doubt;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::context::Context;
use crate::failure::Failure;
use crate::journal::Journal;
use crate::sync::apply::{UNSWEPT, twins};

/// The source of the events, and the beginning of their ids.
const SOURCE: &str = "sweep";
/// Doubts that one round looks at; the others come next.
const AT_ONCE: u32 = 200;
/// How long a page is looked after. Abandoned calls were seen to run minutes later, when the wiki's own Redis came back.
const LOOKED_AFTER: Duration = Duration::from_hours(24);
/// An intention older than this has no job any more: its attempts are minutes apart at most.
const FORGOTTEN_AFTER: Duration = Duration::from_mins(30);

/// Looks once at everything that is in doubt; says how many rows were asked for.
pub async fn run(context: &Context) -> Result<usize, Failure> {
    let now = Timestamp::now();
    let mut asked = 0;
    for doubt in context.store.doubts(now.minus(context.zombie_window), AT_ONCE).await? {
        asked += usize::from(look_after(context, &doubt).await?);
        if now.since(doubt.since) > LOOKED_AFTER {
            context.store.end_doubt(&doubt).await?;
        }
    }
    for intent in context.store.stale_intents(now.minus(FORGOTTEN_AFTER), AT_ONCE).await? {
        ask(context, &intent, "an intention was never followed up").await?;
        asked += 1;
    }
    if asked > 0 {
        tracing::warn!(rows = asked, "rows may have second pages: they are looked at");
    }
    Ok(asked)
}

/// Asks for the row if its page has a twin.
async fn look_after(context: &Context, doubt: &Doubt) -> Result<bool, Failure> {
    let Some(link) = context.store.link(doubt.row, &doubt.slot).await? else {
        // Its job is still at it, or its intention is stale.
        return Ok(false);
    };
    let twins = twins(context, &link, &mut Journal::default()).await?;
    if twins.is_empty() {
        return Ok(false);
    }
    context.store.restate_link(&link, UNSWEPT).await?;
    let names: Vec<&str> = twins.iter().map(|page| page.id.as_str()).collect();
    ask(context, doubt, &format!("second pages: {}", names.join(", "))).await?;
    Ok(true)
}

async fn ask(context: &Context, doubt: &Doubt, why: &str) -> Result<(), Failure> {
    let event = event(doubt, why).map_err(|error| Failure::unmappable(error.to_string()))?;
    let _durable = context.queue.accept(event).await?;
    Ok(())
}

/// The same finding is the same event.
fn event(doubt: &Doubt, why: &str) -> Result<NewEvent, InvalidId> {
    let payload = json!({"row": doubt.row.to_string(), "slot": doubt.slot, "since": doubt.since, "why": why});
    let name = hex::encode(Sha256::digest(payload.to_string()));
    Ok(NewEvent {
        key: DeliveryKey {
            webhook: None,
            event: EventId::parse(&format!("{SOURCE}-{}", name.get(..32).unwrap_or_default()))?,
            batch: 0,
        },
        source: SourceName::parse(SOURCE)?,
        kind: EventKind::Forced,
        table: Some(doubt.row.table),
        received: Timestamp::now(),
        items: vec![Item {
            row: Some(doubt.row.row),
            disposition: Disposition::Sync,
        }],
        payload: payload.to_string().into_bytes(),
    })
}
