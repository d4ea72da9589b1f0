//! The events that a row's job answers for, with what they said: for those who must look at each
//! event and not only at the row.

use sqlx::Row as _;

use super::column::{self, signed, unreadable};
use super::{EventPlace, Store, StoreError};
use passerelle_model::event::EventKind;
use passerelle_model::id::{EventId, RowKey};
use passerelle_model::job::EventKinds;
use passerelle_model::seq::Seq;

/// An event of a row that has no outcome yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingEvent {
    /// Its place in the ledger.
    pub at: EventPlace,
    /// Its id.
    pub id: EventId,
    /// What happened.
    pub kind: EventKind,
    /// The body of its delivery.
    pub payload: Vec<u8>,
}

impl Store {
    /// Whether the store has the ledger up to this entry.
    pub async fn has_ledger_up_to(&self, entry: Seq) -> Result<bool, StoreError> {
        let Some(position) = self.ledger_position().await? else {
            return Ok(entry == Seq::ZERO);
        };
        let position = Seq::from_stream_id(&position).map_err(|_| unreadable("ledger_position.position", &position))?;
        Ok(position >= entry)
    }

    /// The kinds of the events of a row that the ledger has from before one of them.
    pub async fn earlier_kinds(&self, row: RowKey, before: EventPlace) -> Result<Vec<EventKind>, StoreError> {
        let found = sqlx::query(
            "SELECT DISTINCT events.kind AS kind FROM events WHERE (events.seq, events.place) IN (SELECT items.seq, items.place FROM items \
             WHERE items.table_id = $1 AND items.row_id = $2 AND (items.seq < $3 OR (items.seq = $3 AND items.place < $4)))",
        )
        .bind(signed(row.table.get()))
        .bind(signed(row.row.get()))
        .bind(before.seq.as_i64())
        .bind(before.place)
        .fetch_all(&self.pool)
        .await?;
        found.iter().map(|event| column::kind(event.try_get("kind")?)).collect()
    }

    /// The kinds of the open events of a row up to one entry.
    pub async fn open_kinds(&self, row: RowKey, up_to: Seq) -> Result<EventKinds, StoreError> {
        let found = sqlx::query(
            "SELECT DISTINCT events.kind AS kind FROM events WHERE (events.seq, events.place) IN (SELECT items.seq, items.place FROM items \
             WHERE items.table_id = $1 AND items.row_id = $2 AND items.outcome IS NULL AND items.seq <= $3)",
        )
        .bind(signed(row.table.get()))
        .bind(signed(row.row.get()))
        .bind(up_to.as_i64())
        .fetch_all(&self.pool)
        .await?;
        found.iter().map(|event| column::kind(event.try_get("kind")?)).collect()
    }

    /// The open events of a row after one place and up to one entry, oldest first, at most `count`.
    pub async fn pending_events(
        &self,
        row: RowKey,
        after: Option<EventPlace>,
        up_to: Seq,
        count: u32,
    ) -> Result<Vec<PendingEvent>, StoreError> {
        let (after_seq, after_place) = after.map_or((-1, -1), |after| (after.seq.as_i64(), after.place));
        let found = sqlx::query(
            "SELECT events.seq AS seq, events.place AS place, events.event_id AS event_id, events.kind AS kind, events.payload AS payload \
             FROM events WHERE (events.seq, events.place) IN (SELECT items.seq, items.place FROM items \
             WHERE items.table_id = $1 AND items.row_id = $2 AND items.outcome IS NULL AND items.seq <= $3 \
             AND (items.seq > $4 OR (items.seq = $4 AND items.place > $5))) ORDER BY events.seq, events.place LIMIT $6",
        )
        .bind(signed(row.table.get()))
        .bind(signed(row.row.get()))
        .bind(up_to.as_i64())
        .bind(after_seq)
        .bind(after_place)
        .bind(i64::from(count))
        .fetch_all(&self.pool)
        .await?;
        let mut events = Vec::with_capacity(found.len());
        for event in &found {
            let payload: Vec<u8> = event.try_get("payload")?;
            events.push(PendingEvent {
                at: EventPlace {
                    seq: Seq::from_i64(event.try_get("seq")?),
                    place: event.try_get("place")?,
                },
                id: column::parsed("events.event_id", event.try_get("event_id")?, EventId::parse)?,
                kind: column::kind(event.try_get("kind")?)?,
                payload: lz4_flex::decompress_size_prepended(&payload)
                    .map_err(|error| unreadable("events.payload", &error.to_string()))?,
            });
        }
        Ok(events)
    }
}
