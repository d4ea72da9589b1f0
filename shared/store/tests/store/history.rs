//! Facts as the queue writes them, built by hand.

use passerelle_model::event::{DeliveryKey, Disposition, EventKind, Item, NewEvent};
use passerelle_model::id::{EventId, JobKey, ProcessName, RowId, RowKey, SourceName, TableId, WebhookId};
use passerelle_model::ledger::{AttemptRecord, FailureClass, FailureRecord, LedgerEntry, LedgerRecord, Step, Verdict};
use passerelle_model::seq::Seq;
use passerelle_model::time::Timestamp;

/// The stream's clock at its first entry.
pub(crate) const START: i64 = 1_732_280_000_000;

/// Facts become entries: the n-th entry is stamped n milliseconds after [`START`].
pub(crate) fn entry(n: i64, records: Vec<LedgerRecord>) -> LedgerEntry {
    let id = format!("{}-0", START + n);
    LedgerEntry {
        seq: seq(n),
        id,
        answered: None,
        number: None,
        records: records.into_iter().map(Ok).collect(),
    }
}

/// The sequence of the n-th entry.
pub(crate) fn seq(n: i64) -> Seq {
    Seq::from_stream_id(&format!("{}-0", START + n)).unwrap_or(Seq::ZERO)
}

/// Milliseconds after [`START`].
pub(crate) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(START + millis)
}

/// Row `row` of table 2.
pub(crate) fn row(row: u64) -> anyhow::Result<RowKey> {
    Ok(RowKey {
        table: TableId::new(2)?,
        row: RowId::new(row)?,
    })
}

/// A delivery of webhook 7.
pub(crate) fn key(event: &str) -> anyhow::Result<DeliveryKey> {
    Ok(DeliveryKey {
        webhook: Some(WebhookId::new(7)?),
        event: EventId::parse(event)?,
        batch: 0,
    })
}

/// Rows of table 2 were created or updated.
pub(crate) fn accepted(n: i64, event: &str, rows: &[(u64, Disposition)]) -> anyhow::Result<LedgerRecord> {
    let items = rows
        .iter()
        .map(|(row, disposition)| {
            Ok(Item {
                row: Some(RowId::new(*row)?),
                disposition: disposition.clone(),
            })
        })
        .collect::<anyhow::Result<_>>()?;
    Ok(LedgerRecord::Accepted(NewEvent {
        key: key(event)?,
        source: SourceName::parse("projet-changed")?,
        kind: EventKind::Updated,
        table: Some(TableId::new(2)?),
        received: at(n),
        trace: None,
        items,
        payload: format!("{{\"event_id\":\"{event}\"}}").into_bytes(),
    }))
}

/// One attempt at a row's job.
pub(crate) fn attempt(n: i64, row: RowKey, covers: i64, verdict: Verdict) -> anyhow::Result<LedgerRecord> {
    Ok(LedgerRecord::Attempt(AttemptRecord {
        job: JobKey::Row(row),
        covers: seq(covers),
        attempt: 1,
        worker: ProcessName::parse("worker-1")?,
        started: at(n),
        ended: at(n + 1),
        verdict,
        steps: vec![Step {
            name: "read_row".to_owned(),
            request: Some("GET baserow row".to_owned()),
            status: Some(200),
            duration_ms: 12,
            at_ms: None,
            class: None,
            note: None,
        }],
    }))
}

/// A failure as Docmost produces it, with a NUL character, which PostgreSQL refuses in a text.
pub(crate) fn failure() -> FailureRecord {
    FailureRecord {
        class: FailureClass::Transient,
        target: "docmost".to_owned(),
        message: "Docmost answered 503\0".to_owned(),
        status: Some(503),
        body: None,
    }
}
