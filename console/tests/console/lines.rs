//! A history for the store, by hand.

use passerelle_model::event::{DeliveryKey, Disposition, EventKind, Item, NewEvent};
use passerelle_model::id::{EventId, JobKey, PageId, ProcessName, RowId, RowKey, Slot, SourceName, TableId, WebhookId};
use passerelle_model::ledger::{AttemptRecord, FailureClass, FailureRecord, LedgerEntry, LedgerRecord, Step, Verdict};
use passerelle_model::seq::Seq;
use passerelle_model::time::Timestamp;
use passerelle_store::{Link, LinkState, Store};

const START: i64 = 1_732_280_000_000;

pub(crate) fn seq(n: i64) -> Seq {
    Seq::from_stream_id(&format!("{}-0", START + n * 1000)).unwrap_or(Seq::ZERO)
}

pub(crate) fn at(n: i64) -> Timestamp {
    Timestamp::from_millis(START + n * 1000)
}

pub(crate) fn row(number: u64) -> anyhow::Result<RowKey> {
    Ok(RowKey {
        table: TableId::new(2)?,
        row: RowId::new(number)?,
    })
}

/// Row `number` of table 2 was changed.
pub(crate) fn changed(n: i64, event: &str, number: u64) -> anyhow::Result<LedgerRecord> {
    Ok(LedgerRecord::Accepted(NewEvent {
        key: DeliveryKey {
            webhook: Some(WebhookId::new(7)?),
            event: EventId::parse(event)?,
            batch: 0,
        },
        source: SourceName::parse("projet-changed")?,
        kind: EventKind::Updated,
        table: Some(TableId::new(2)?),
        received: at(n),
        trace: None,
        items: vec![Item {
            row: Some(RowId::new(number)?),
            disposition: Disposition::Sync,
        }],
        payload: b"{}".to_vec(),
    }))
}

pub(crate) fn attempted(n: i64, number: u64, covers: i64, verdict: Verdict) -> anyhow::Result<LedgerRecord> {
    Ok(LedgerRecord::Attempt(AttemptRecord {
        job: JobKey::Row(row(number)?),
        covers: seq(covers),
        attempt: 1,
        worker: ProcessName::parse("worker-1")?,
        started: at(n),
        ended: at(n),
        verdict,
        steps: vec![Step {
            name: "update_page".to_owned(),
            request: Some("POST docmost pages/update".to_owned()),
            status: Some(200),
            duration_ms: 101,
            at_ms: None,
            class: None,
            note: None,
        }],
    }))
}

pub(crate) fn buried(message: &str) -> Verdict {
    Verdict::Bury {
        reason: "permanent".to_owned(),
        failure: FailureRecord {
            class: FailureClass::Permanent,
            target: "docmost".to_owned(),
            message: message.to_owned(),
            status: Some(400),
            body: Some(message.to_owned()),
        },
    }
}

pub(crate) async fn remember(store: &Store, records: Vec<LedgerRecord>) -> anyhow::Result<()> {
    let entries: Vec<LedgerEntry> = (1_i64..)
        .zip(records)
        .map(|(n, record)| LedgerEntry {
            id: seq(n).stream_id(),
            seq: seq(n),
            answered: None,
            number: None,
            records: vec![Ok(record)],
        })
        .collect();
    store.record(&entries, None).await?;
    Ok(())
}

/// The page of a row.
pub(crate) async fn has_page(store: &Store, number: u64, page: &str, slug: &str) -> anyhow::Result<()> {
    let link = Link {
        row: row(number)?,
        slot: Slot::page(),
        page: PageId::parse(page)?,
        slug_id: slug.to_owned(),
        space: "projets".to_owned(),
        state: LinkState::Synced("00ff".to_owned()),
        written: at(1),
        as_of: None,
        version: 0,
    };
    store.save_link(&link).await?;
    Ok(())
}
