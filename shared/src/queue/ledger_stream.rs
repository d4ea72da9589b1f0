//! The ledger stream: how facts are written into it, and how the store takes them out.
//!
//! An entry holds the facts of one script call as pairs of a letter and bytes:
//! `a` an accepted delivery (length of its JSON in four bytes, the JSON, the body compressed by lz4), `d` a repeated one
//! (`received webhook batch event`), `j` any other fact as JSON. Short and flat, because a hot script writes them.

use std::cell::RefCell;

use lz4_flex::block::{CompressError, CompressTable, compress_into_with_table, get_maximum_output_size};
use redis::Value;

use super::{Queue, QueueError};
use crate::event::{DeliveryKey, NewEvent};
use crate::id::{EventId, WebhookId};
use crate::ledger::{AcceptedRecord, LedgerEntry, LedgerRecord, Seq, UnreadableRecord};
use crate::time::Timestamp;

/// No delivery is larger than this; a record that says so is damaged.
const LARGEST_PAYLOAD: usize = 64 << 20;

impl Queue {
    /// The oldest ledger entries after a stream id (or from the start).
    pub async fn read_ledger(&self, after: Option<&str>, count: usize) -> Result<Vec<LedgerEntry>, QueueError> {
        let from = after.map_or_else(|| "-".to_owned(), |id| format!("({id}"));
        let mut command = redis::cmd("XRANGE");
        command
            .arg(&self.inner.keys.ledger)
            .arg(from)
            .arg("+")
            .arg("COUNT")
            .arg(count);
        let entries: Vec<(String, Vec<Value>)> = self.inner.redis.query(&command).await?;
        entries
            .into_iter()
            .map(|(id, fields)| decode_entry(id, &fields))
            .collect()
    }

    /// Forgets ledger entries up to and with a stream id: the store has them.
    pub async fn trim_ledger(&self, up_to: &str) -> Result<(), QueueError> {
        let next = up_to
            .split_once('-')
            .and_then(|(millis, counter)| Some(format!("{millis}-{}", counter.parse::<u64>().ok()?.checked_add(1)?)))
            .ok_or_else(|| QueueError::Protocol(format!("{up_to:?} is not a stream entry id")))?;
        let mut command = redis::cmd("XTRIM");
        command.arg(&self.inner.keys.ledger).arg("MINID").arg("=").arg(next);
        self.inner.redis.query(&command).await
    }
}

fn decode_entry(id: String, fields: &[Value]) -> Result<LedgerEntry, QueueError> {
    let seq = Seq::from_stream_id(&id).map_err(|error| QueueError::Protocol(error.to_string()))?;
    let (pairs, _) = fields.as_chunks::<2>();
    Ok(LedgerEntry {
        id,
        seq,
        records: pairs.iter().map(|[kind, fact]| decode_fact(kind, fact)).collect(),
    })
}

fn decode_fact(kind: &Value, fact: &Value) -> Result<LedgerRecord, UnreadableRecord> {
    let bytes = bytes_of(fact);
    let decoded = match bytes_of(kind) {
        b"a" => decode_accepted(bytes),
        b"d" => decode_duplicate(bytes).ok_or_else(|| "not a repeated delivery".to_owned()),
        b"j" => serde_json::from_slice(bytes).map_err(|error| error.to_string()),
        other => Err(format!("unknown kind of fact {:?}", String::from_utf8_lossy(other))),
    };
    decoded.map_err(|error| UnreadableRecord {
        error,
        bytes: bytes.to_vec(),
    })
}

fn bytes_of(value: &Value) -> &[u8] {
    match value {
        Value::BulkString(bytes) => bytes,
        _ => &[],
    }
}

pub(super) fn encode_accepted(event: &NewEvent) -> Result<Vec<u8>, QueueError> {
    let record = AcceptedRecord {
        key: event.key.clone(),
        source: event.source.clone(),
        kind: event.kind,
        table: event.table,
        received: event.received,
        items: event.items.clone(),
        payload: Vec::new(),
    };
    let mut bytes = vec![0; 4];
    serde_json::to_writer(&mut bytes, &record).map_err(|error| QueueError::Protocol(error.to_string()))?;
    let length = u32::try_from(bytes.len() - 4).map_err(|error| QueueError::Protocol(error.to_string()))?;
    bytes[..4].copy_from_slice(&length.to_le_bytes());
    compress_onto(&mut bytes, &event.payload).map_err(|error| QueueError::Protocol(error.to_string()))?;
    Ok(bytes)
}

/// Appends the size of a body and the body compressed.
fn compress_onto(bytes: &mut Vec<u8>, body: &[u8]) -> Result<(), CompressError> {
    thread_local! {
        /// To make it anew for each body costs half as much as to compress one of the usual size.
        static TABLE: RefCell<CompressTable> = RefCell::default();
    }
    let Ok(size) = u16::try_from(body.len()) else {
        bytes.extend(lz4_flex::compress_prepend_size(body));
        return Ok(());
    };
    bytes.extend(u32::from(size).to_le_bytes());
    let start = bytes.len();
    bytes.resize(start + get_maximum_output_size(body.len()), 0);
    let written = TABLE.with_borrow_mut(|table| compress_into_with_table(body, &mut bytes[start..], table))?;
    bytes.truncate(start + written);
    Ok(())
}

fn decode_accepted(bytes: &[u8]) -> Result<LedgerRecord, String> {
    let (length, rest) = bytes.split_first_chunk::<4>().ok_or("too short")?;
    let length = usize::try_from(u32::from_le_bytes(*length)).map_err(|error| error.to_string())?;
    let (json, compressed) = rest.split_at_checked(length).ok_or("its length is wrong")?;
    let mut record: AcceptedRecord = serde_json::from_slice(json).map_err(|error| error.to_string())?;
    let (size, compressed) = lz4_flex::block::uncompressed_size(compressed).map_err(|error| error.to_string())?;
    if size > LARGEST_PAYLOAD {
        return Err(format!("its body claims to have {size} bytes"));
    }
    record.payload = lz4_flex::decompress(compressed, size).map_err(|error| error.to_string())?;
    Ok(LedgerRecord::Accepted(record))
}

pub(super) fn encode_duplicate(key: &DeliveryKey, received: Timestamp) -> String {
    let webhook = key.webhook.map_or(0, WebhookId::get);
    format!("{} {webhook} {} {}", received.as_millis(), key.batch, key.event)
}

fn decode_duplicate(bytes: &[u8]) -> Option<LedgerRecord> {
    let mut words = std::str::from_utf8(bytes).ok()?.splitn(4, ' ');
    let received = Timestamp::from_millis(words.next()?.parse().ok()?);
    let webhook = match words.next()?.parse().ok()? {
        0 => None,
        number => Some(WebhookId::new(number).ok()?),
    };
    let batch = words.next()?.parse().ok()?;
    let event = EventId::parse(words.next()?).ok()?;
    Some(LedgerRecord::Duplicate {
        key: DeliveryKey { webhook, event, batch },
        received,
    })
}

pub(super) fn encode_fact(record: &LedgerRecord) -> Result<Vec<u8>, QueueError> {
    serde_json::to_vec(record).map_err(|error| QueueError::Protocol(error.to_string()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::event::{Disposition, EventKind, Item};
    use crate::id::{RowId, SourceName, TableId};

    fn event(payload: Vec<u8>, webhook: u64, batch: u64) -> NewEvent {
        NewEvent {
            key: DeliveryKey {
                webhook: WebhookId::new(webhook).ok(),
                event: EventId::parse("3e0c-x").unwrap(),
                batch,
            },
            source: SourceName::parse("projet-changed").unwrap(),
            kind: EventKind::Created,
            table: TableId::new(12).ok(),
            received: Timestamp::from_millis(1_732_280_000_120),
            items: vec![Item {
                row: RowId::new(7).ok(),
                disposition: Disposition::Sync,
            }],
            payload,
        }
    }

    proptest! {
        #[test]
        fn an_accepted_delivery_reads_back_as_it_was_written(payload: Vec<u8>, webhook in 0_u64..9, batch in 0_u64..9) {
            let event = event(payload, webhook, batch);
            let Ok(LedgerRecord::Accepted(record)) = decode_accepted(&encode_accepted(&event).unwrap()) else { panic!("not accepted") };
            prop_assert_eq!(&record.payload, &event.payload);
            prop_assert_eq!(&record.items, &event.items);
            prop_assert_eq!(&record.key, &event.key);
            let repeated = decode_duplicate(encode_duplicate(&event.key, event.received).as_bytes());
            prop_assert_eq!(repeated, Some(LedgerRecord::Duplicate { key: event.key, received: event.received }));
        }

        #[test]
        fn no_bytes_make_the_reader_panic(kind in "[adjx]?", fact: Vec<u8>) {
            let _ = decode_fact(&Value::BulkString(kind.into_bytes()), &Value::BulkString(fact));
        }
    }

    #[test]
    fn a_body_that_claims_an_absurd_size_is_refused_before_memory_is_taken() {
        let mut bytes = encode_accepted(&event(Vec::new(), 1, 0)).unwrap();
        let size = bytes.len() - 5;
        bytes[size..size + 4].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(decode_accepted(&bytes).unwrap_err().contains("claims"));
    }
}
