//! What came in: one proven delivery, and what it asks for each row that it names.
//!
//! A *delivery* is one HTTP call that was proven and understood. Baserow repeats calls and shares
//! one `event_id` over webhooks and pages, so the delivery's identity is [`DeliveryKey`]; the
//! [`EventId`] is what people search for. An *item* is one row of a delivery. Each item ends in
//! exactly one [`Outcome`]; a delivery without rows has exactly one item.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::{EventId, InvalidId, JobKey, RowId, SourceName, TableId, WebhookId};
use crate::outcome::Outcome;
use crate::time::Timestamp;
use crate::trace_context::TraceContext;

/// What happened to the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// `rows.created`; also a restore from the trash.
    Created,
    /// `rows.updated`; also a change of a linked row.
    Updated,
    /// `rows.deleted`.
    Deleted,
    /// An operator or the reconciliation asked for this row.
    Forced,
    /// Anything else: accepted, counted, ignored.
    Other,
}

impl EventKind {
    /// The stored word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Deleted => "deleted",
            Self::Forced => "forced",
            Self::Other => "other",
        }
    }
}

/// The identity of a delivery: the same triple again is the same delivery again. Prints as
/// `7-<event id>-0`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DeliveryKey {
    /// The webhook that called; `None` for test calls and for our own forced events.
    pub webhook: Option<WebhookId>,
    /// The sender's event id.
    pub event: EventId,
    /// The page of a large event; 0 where there is only one.
    pub batch: u64,
}

impl fmt::Display for DeliveryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let webhook = self.webhook.map_or(0, WebhookId::get);
        write!(f, "{webhook}-{}-{}", self.event, self.batch)
    }
}

/// What the ingress decided about one row of a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Disposition {
    /// Make the page equal to the row: becomes (or joins) the row's job.
    Sync,
    /// Becomes (or joins) this job, which is about something else than a row: a wiki page, a share,
    /// a whole table.
    Job(JobKey),
    /// Already ended, e.g. as an echo; recorded, never queued.
    Closed(Outcome),
}

impl Disposition {
    /// Whether a job will see to it.
    pub fn is_work(&self) -> bool {
        !matches!(self, Self::Closed(_))
    }
}

/// One row of a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// The row; `None` for a delivery that names none.
    pub row: Option<RowId>,
    /// What is to be done for it.
    pub disposition: Disposition,
}

/// One proven and understood delivery, ready to be made durable; the ledger keeps it so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewEvent {
    /// Its identity.
    pub key: DeliveryKey,
    /// The path it came in by (`operator` for forced events).
    pub source: SourceName,
    /// What happened.
    pub kind: EventKind,
    /// The table of the rows. `None` only where the sender named none (then no item has a row).
    pub table: Option<TableId>,
    /// When the request arrived.
    pub received: Timestamp,
    /// The trace that it belongs to, if any. Versions without traces leave it out, and pass over it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<TraceContext>,
    /// One per row, at least one.
    pub items: Vec<Item>,
    /// The raw body, as received. Not part of the JSON: it follows it.
    #[serde(skip)]
    pub payload: Vec<u8>,
}

/// What distinguishes an event that no sender sent: the bridge itself, or its operator, asks for
/// something.
#[derive(Debug)]
pub struct OwnEvent<'a> {
    /// Who asks: `operator`, `reconcile`, ….
    pub source: &'a str,
    /// Its name; the same name again is the same event again. The id is this in a namespace that no
    /// sender can use.
    pub name: &'a str,
    /// What happened; `Forced` where nothing did.
    pub kind: EventKind,
    /// Why, as JSON for people.
    pub payload: Vec<u8>,
}

impl OwnEvent<'_> {
    /// The event that asks for these jobs. Rows are to be of one table.
    pub fn asking_for(self, jobs: impl IntoIterator<Item = JobKey>) -> Result<NewEvent, InvalidId> {
        let jobs: Vec<JobKey> = jobs.into_iter().collect();
        let table = jobs.iter().find_map(|job| job.row().map(|row| row.table));
        let item = |job: JobKey| match &job {
            JobKey::Row(row) if Some(row.table) == table => Item {
                row: Some(row.row),
                disposition: Disposition::Sync,
            },
            _ => Item {
                row: None,
                disposition: Disposition::Job(job),
            },
        };
        Ok(NewEvent {
            key: DeliveryKey {
                webhook: None,
                event: EventId::own(self.name)?,
                batch: 0,
            },
            source: SourceName::parse(self.source)?,
            kind: self.kind,
            table,
            received: Timestamp::now(),
            trace: None,
            items: jobs.into_iter().map(item).collect(),
            payload: self.payload,
        })
    }
}

impl NewEvent {
    /// As bytes, for the spool and for the ledger: the length of its description (four bytes, the
    /// smallest first), the description as JSON, the body as received.
    pub fn encode(&self) -> serde_json::Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(256 + self.payload.len());
        bytes.extend([0; 4]);
        serde_json::to_writer(&mut bytes, self)?;
        let length = u32::try_from(bytes.len() - 4).map_err(serde::ser::Error::custom)?;
        bytes[..4].copy_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(&self.payload);
        Ok(bytes)
    }

    /// Reads it back; the error says what is wrong.
    pub fn decode(bytes: &[u8]) -> Result<Self, String> {
        let (description, payload) = split_prefixed(bytes).ok_or("its length is wrong")?;
        let mut event: Self = serde_json::from_slice(description).map_err(|error| error.to_string())?;
        event.payload = payload.to_vec();
        Ok(event)
    }
}

/// What the length in the first four bytes encloses, and what follows it.
pub fn split_prefixed(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_delivery_reads_back_as_it_was_written(payload: Vec<u8>, webhook in 0_u64..9, rows in 1_u64..5) {
            let item = |row| Item {
                row: RowId::new(row).ok(),
                disposition: if row % 2 == 0 { Disposition::Sync } else { Disposition::Closed(Outcome::Echo) },
            };
            let event = NewEvent {
                key: DeliveryKey {
                    webhook: WebhookId::new(webhook).ok(),
                    event: EventId::parse("3e0c-x").unwrap(),
                    batch: 3,
                },
                source: SourceName::parse("projet-changed").unwrap(),
                kind: EventKind::Created,
                table: TableId::new(12).ok(),
                received: Timestamp::from_millis(1_732_280_000_120),
                trace: None,
                items: (1..=rows).map(item).collect(),
                payload,
            };
            prop_assert_eq!(NewEvent::decode(&event.encode().unwrap()), Ok(event));
        }

        #[test]
        fn no_bytes_make_the_reader_panic(record: Vec<u8>) {
            let _ = NewEvent::decode(&record);
        }
    }
}
