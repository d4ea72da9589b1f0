//! A row in a loop is parked (D5, C5): its job is held until the cool-down is over, and the admin
//! is notified. Then the job runs as usual and makes the page equal to the row as it is by then:
//! the change is late, never lost.

use passerelle_model::id::{EventId, RowKey};
use passerelle_model::ledger::FailureClass;
use passerelle_queue::loops::Parked;
use serde_json::json;

use crate::clients::baserow::Table;
use crate::content::notice::{NoticeKind, notice_values};
use crate::context::Context;
use crate::failure::{Failure, Target};
use crate::outbox::Cause;

/// The admin gets one notice per row in so long, however often the row is parked.
const NOTIFIED_ONCE_IN_MS: i64 = 3_600_000;

/// Fails, without counting the attempt, if the row is parked.
pub async fn keep_out(context: &Context, table: &Table, row: RowKey) -> Result<(), Failure> {
    let parked = match context.loops.parked(row).await {
        Ok(parked) => parked,
        Err(error) => {
            tracing::warn!(%error, "whether the row is in a loop could not be looked up");
            None
        }
    };
    let Some(parked) = parked else { return Ok(()) };
    if let Err(failure) = alert(context, table, parked).await {
        tracing::warn!(%failure, "the loop alert could not be posted; the next attempt posts it");
    }
    let message = "the row changes again and again in the same way, so it is left alone for a while: find the automation that writes into it";
    Err(Failure::new(FailureClass::Throttled, Target::Bridge, message).after(parked.left))
}

async fn alert(context: &Context, table: &Table, Parked { row, until, .. }: Parked) -> Result<(), Failure> {
    let policy = context.loops.policy();
    let since = until.minus(policy.cool_down);
    let name = format!(
        "loop-t{}-r{}-{}",
        row.table,
        row.row,
        since.as_millis() / NOTIFIED_ONCE_IN_MS
    );
    let event = EventId::parse(&name).map_err(|error| Failure::unmappable(error.to_string()))?;
    let values = notice_values(json!({
        "row": format!("{}/{}", table.name, row.row),
        "events": policy.events + 1,
        "seconds": policy.window.as_secs(),
        "parked_minutes": policy.cool_down.as_secs().div_ceil(60),
        "row_url": context.baserow.row_address(table, row),
    }));
    let cause = Cause {
        rule: "loop",
        event: &event,
        row: Some(row),
        at: None,
    };
    context
        .outbox
        .notify_admin(NoticeKind::LoopAlert, &values, cause)
        .await?;
    Ok(())
}
