//! Reports a webhook that was switched off: to the ledger what was done about it, to the admin
//! once.

use passerelle_model::id::EventId;
use passerelle_model::time::Timestamp;
use serde_json::{Map, Value, json};

use crate::clients::baserow::Table;
use crate::content::notice::{NoticeKind, notice_values};
use crate::context::Context;
use crate::failure::Failure;

/// Who acts, in the ledger; also whose notice it is.
const WATCH: &str = "source-watch";

/// A webhook that was switched off.
#[derive(Debug, Clone)]
pub(super) struct SwitchedOff<'a> {
    pub(super) table: &'a Table,
    pub(super) webhook: u64,
    /// Failures in a row, as Baserow says.
    pub(super) failures: u32,
    /// When it was switched off, in Baserow's own spelling.
    pub(super) since: String,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Aftermath<'a> {
    /// It is on again.
    On,
    /// It was switched on so often that it is left alone until a moment.
    Rests { times: u32, until: Timestamp },
    /// Baserow does not let us; why.
    Refused(&'a str),
}

/// It was switched on: noted in the ledger and reported to the admin.
pub(super) async fn switched_on(context: &Context, off: &SwitchedOff<'_>) -> Result<(), Failure> {
    let on = format!("baserow/webhook-{}", off.webhook);
    let why = format!(
        "webhook {} of the table {} was switched off ({}); the rows of the gap are compared with their pages",
        off.webhook, off.table.name, off.since
    );
    context.queue.note_act(&on, "switched_on", WATCH, &why).await?;
    admin(context, off, Aftermath::On).await
}

/// One notice of a switch-off, whatever follows and however often it is looked at.
pub(super) async fn admin(context: &Context, off: &SwitchedOff<'_>, then: Aftermath<'_>) -> Result<(), Failure> {
    let moment: String = off.since.chars().filter(char::is_ascii_digit).collect();
    let event = EventId::parse(&format!("webhook-{}-off-{moment}", off.webhook));
    let (kind, values) = (NoticeKind::WebhookOff, in_words(off, then));
    context.outbox.notify_admin_of_own(kind, &values, WATCH, event).await?;
    Ok(())
}

fn in_words(off: &SwitchedOff<'_>, then: Aftermath<'_>) -> Map<String, Value> {
    let mut values = json!({"table": off.table.name, "webhook": off.webhook, "failures": off.failures});
    if let Some(since) = off.since.get(..19) {
        values["since"] = json!(format!("{} UTC", since.replace('T', " ")));
    }
    match then {
        Aftermath::On => {}
        Aftermath::Rests { times, until } => {
            values["times"] = json!(times);
            values["rests_until"] = json!(until.to_string());
        }
        Aftermath::Refused(why) => values["refused"] = json!(why),
    }
    notice_values(values)
}
