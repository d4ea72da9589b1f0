//! A row that goes in circles is left alone for a while (D5, C5): its job is held until the cool-down is over, and the admin is told.
//! Then the job runs as ever, and makes the page equal to the row as it is by then: what was different is late, never lost.

use passerelle_model::id::{EventId, RowKey};
use passerelle_model::ledger::FailureClass;
use passerelle_model::time::Timestamp;
use passerelle_queue::loops::Parked;
use serde_json::{Map, Value, json};

use crate::clients::baserow::Table;
use crate::context::Bridge;
use crate::failure::{Failure, Target};
use crate::outbox::Cause;
use crate::outbox::notice::NoticeKind;

/// The admin is told of one row at most once in so long, however often it is parked.
const TOLD_ONCE_IN_MS: i64 = 3_600_000;

/// Fails, without counting the attempt, if the row is parked.
pub async fn keep_out(bridge: &Bridge, table: &Table, row: RowKey) -> Result<(), Failure> {
    let parked = match bridge.loops.parked(row).await {
        Ok(parked) => parked,
        Err(error) => {
            tracing::warn!(%error, "whether the row goes in circles could not be looked up");
            None
        }
    };
    let Some(parked) = parked else { return Ok(()) };
    if let Err(failure) = alert(bridge, table, parked).await {
        tracing::warn!(%failure, "the loop alert could not be posted; the next attempt posts it");
    }
    let message = "the row changes again and again in the same way, so it is left alone for a while: find the automation that writes into it";
    let wait = parked.until.since(Timestamp::now());
    Err(Failure::new(FailureClass::Throttled, Target::Bridge, message).after(wait))
}

async fn alert(bridge: &Bridge, table: &Table, Parked { row, until }: Parked) -> Result<(), Failure> {
    let policy = bridge.loops.policy();
    let since = until.minus(policy.cool_down);
    let name = format!(
        "loop-t{}-r{}-{}",
        row.table,
        row.row,
        since.as_millis() / TOLD_ONCE_IN_MS
    );
    let event = EventId::parse(&name).map_err(|error| Failure::unmappable(error.to_string()))?;
    let context = json!({
        "row": format!("{}/{}", table.name, row.row),
        "events": policy.events + 1,
        "seconds": policy.window.as_secs(),
        "parked_minutes": policy.cool_down.as_secs().div_ceil(60),
        "row_url": bridge.baserow.row_address(table, row),
    });
    let context: Map<String, Value> = context.as_object().cloned().unwrap_or_default();
    let cause = Cause {
        rule: "loop",
        event: &event,
        row: Some(row),
        at: None,
    };
    bridge
        .outbox
        .tell_admin((NoticeKind::LoopAlert, &context), cause, &[])
        .await?;
    Ok(())
}
