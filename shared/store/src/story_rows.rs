//! How the rows of a story read back.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::StoreError;
use super::column::{self, unreadable};
use super::story::{EventStory, ItemStory, OperatorAct};
use passerelle_model::event::DeliveryKey;
use passerelle_model::id::{EventId, JobKey, ProcessName, RowKey, SourceName, WebhookId};
use passerelle_model::ledger::AttemptRecord;
use passerelle_model::seq::Seq;
use passerelle_model::time::Timestamp;

pub(super) fn read_event(row: &AnyRow) -> Result<EventStory, StoreError> {
    let webhook: Option<i64> = row.try_get("webhook_id")?;
    let table: Option<i64> = row.try_get("table_id")?;
    let read_webhook = |number: i64| {
        WebhookId::new(number.cast_unsigned()).map_err(|_| unreadable("events.webhook_id", &number.to_string()))
    };
    Ok(EventStory {
        seq: Seq::from_i64(row.try_get("seq")?),
        place: row.try_get("place")?,
        key: DeliveryKey {
            webhook: webhook.map(read_webhook).transpose()?,
            event: column::parsed("events.event_id", row.try_get("event_id")?, EventId::parse)?,
            batch: row.try_get::<i64, _>("batch")?.cast_unsigned(),
        },
        source: column::parsed("events.source", row.try_get("source")?, SourceName::parse)?,
        kind: column::kind(row.try_get("kind")?)?,
        table: table.map(column::table).transpose()?,
        received: Timestamp::from_millis(row.try_get("received")?),
        duplicates: row.try_get("duplicates")?,
        last_duplicate: row
            .try_get::<Option<i64>, _>("last_duplicate")?
            .map(Timestamp::from_millis),
        trace: row
            .try_get::<Option<&str>, _>("trace")?
            .map(column::trace)
            .transpose()?
            .map(Into::into),
        asked: None,
        items: Vec::new(),
        notices: Vec::new(),
    })
}

/// The item, and the entry of the attempt that closed it.
pub(super) fn read_item(row: &AnyRow) -> Result<(ItemStory, Option<Seq>), StoreError> {
    let (table, row_id): (Option<i64>, Option<i64>) = (row.try_get("table_id")?, row.try_get("row_id")?);
    let key = match (table, row_id) {
        (Some(table), Some(row)) => Some(RowKey {
            table: column::table(table)?,
            row: column::row(row)?,
        }),
        _ => None,
    };
    let outcome: Option<String> = row.try_get("outcome")?;
    let reason: Option<String> = row.try_get("reason")?;
    let item = ItemStory {
        row: key,
        job: row
            .try_get::<Option<String>, _>("job")?
            .map(|job| column::parsed("items.job", &job, JobKey::parse))
            .transpose()?,
        outcome: outcome.map(|name| column::outcome(&name, reason)).transpose()?,
        closed: row.try_get::<Option<i64>, _>("closed_at")?.map(Timestamp::from_millis),
        attempts: Vec::new(),
        acts: Vec::new(),
    };
    Ok((item, row.try_get::<Option<i64>, _>("closed_seq")?.map(Seq::from_i64)))
}

pub(super) fn read_attempt(row: &AnyRow) -> Result<AttemptRecord, StoreError> {
    let json = |column: &'static str| move |error: serde_json::Error| unreadable(column, &error.to_string());
    let attempt: i64 = row.try_get("attempt")?;
    Ok(AttemptRecord {
        job: column::parsed("attempts.job", row.try_get("job")?, JobKey::parse)?,
        covers: Seq::from_i64(row.try_get("covers")?),
        attempt: u32::try_from(attempt).map_err(|_| unreadable("attempts.attempt", &attempt.to_string()))?,
        worker: column::parsed("attempts.worker", row.try_get("worker")?, ProcessName::parse)?,
        started: Timestamp::from_millis(row.try_get("started")?),
        ended: Timestamp::from_millis(row.try_get("ended")?),
        verdict: serde_json::from_str(row.try_get("verdict")?).map_err(json("attempts.verdict"))?,
        steps: serde_json::from_str(row.try_get("steps")?).map_err(json("attempts.steps"))?,
    })
}

pub(super) fn read_act(row: &AnyRow) -> Result<OperatorAct, StoreError> {
    Ok(OperatorAct {
        act: row.try_get("act")?,
        letter: row.try_get("letter")?,
        event: row.try_get("delivery_key")?,
        by: row.try_get("operator")?,
        why: row.try_get("why")?,
        at: Timestamp::from_millis(row.try_get("at")?),
    })
}
