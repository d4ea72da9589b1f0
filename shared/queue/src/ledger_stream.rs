//! The ledger stream: how facts are written into it, and how the store takes them out.
//!
//! An entry holds the facts of one call as pairs of a letter and bytes. `j` is a fact as JSON. A
//! group of deliveries takes two entries, made in one transaction: `g`, the deliveries one after
//! the other and compressed together by lz4, with the name of the call (`c`), and right behind it
//! `r`, its receipt, made by the script: one letter per delivery, `a` accepted, `d` repeated, `-`
//! neither, and beside it `n`, how many deliveries have been answered in this life of the data,
//! with these. The two make one entry of the ledger, by the id of the second. A group without its
//! receipt was refused.
//!
//! Every entry but a `g` ends with `e`, its own number in this life.
//!
//! Why two: a script pays for every byte that passes through it, and the deliveries are the most of
//! it.

use redis::Value;

use crate::{Queue, QueueError};
use passerelle_model::event::{NewEvent, split_prefixed};
use passerelle_model::ledger::{Answered, LedgerEntry, LedgerRecord, UnreadableRecord};
use passerelle_model::seq::Seq;
use passerelle_model::time::Timestamp;

/// No group is larger than this, in bytes (80 MiB). One that says so is damaged.
const LARGEST_GROUP: usize = 80 << 20;

impl Queue {
    /// The oldest ledger entries after a stream id (or from the start): at most `count`, and none
    /// only at the end.
    pub async fn read_ledger(&self, after: Option<&str>, count: usize) -> Result<Vec<LedgerEntry>, QueueError> {
        let (mut after, count) = (after.map(str::to_owned), count.max(1));
        loop {
            let mut entries = self.stream_entries(after.as_deref(), count + 1).await?;
            let is_last_page = entries.len() <= count;
            // One more than was asked for: it comes along if it is the receipt of the last of the
            // page.
            if let [.., (_, last), (_, next)] = &entries[..]
                && !is_last_page
                && !(group(last).is_some() && group(next).is_none())
            {
                entries.truncate(count);
            }
            let last = entries.last().map(|(id, _)| id.clone());
            let entries = decode_entries(entries)?;
            if is_last_page || !entries.is_empty() {
                return Ok(entries);
            }
            after = last;
        }
    }

    async fn stream_entries(&self, after: Option<&str>, count: usize) -> Result<Vec<StreamEntry>, QueueError> {
        let from = after.map_or_else(|| "-".to_owned(), |id| format!("({id}"));
        let mut command = redis::cmd("XRANGE");
        command
            .arg(&self.inner.keys.ledger)
            .arg(from)
            .arg("+")
            .arg("COUNT")
            .arg(count);
        self.inner.redis.query(&command).await
    }

    /// What time it is by the clock of Redis, which stamps every ledger entry.
    pub async fn clock(&self) -> Result<Timestamp, QueueError> {
        self.inner.redis.clock().await
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

/// Its id and its pairs.
type StreamEntry = (String, Vec<Value>);

/// The deliveries that an entry holds, if it is a group.
fn group(fields: &[Value]) -> Option<&[u8]> {
    match fields {
        [kind, deliveries, ..] if bytes_of(kind) == b"g" => Some(bytes_of(deliveries)),
        _ => None,
    }
}

fn decode_entries(entries: Vec<StreamEntry>) -> Result<Vec<LedgerEntry>, QueueError> {
    let mut decoded = Vec::with_capacity(entries.len());
    let mut before: Option<Vec<Value>> = None;
    for (id, fields) in entries {
        if group(&fields).is_some() {
            before = Some(fields);
            continue;
        }
        let deliveries = before.take();
        let deliveries = deliveries.as_deref().and_then(group);
        let (pairs, _) = fields.as_chunks::<2>();
        decoded.push(LedgerEntry {
            seq: Seq::from_stream_id(&id).map_err(|error| QueueError::Protocol(error.to_string()))?,
            id,
            answered: pairs
                .first()
                .zip(pairs.get(1))
                .and_then(|(receipt, count)| counted(receipt, count)),
            number: pairs
                .last()
                .filter(|[kind, _]| bytes_of(kind) == b"e")
                .and_then(|[_, number]| number_of(number)),
            records: pairs
                .iter()
                .filter(|[kind, _]| !matches!(bytes_of(kind), b"n" | b"e"))
                .flat_map(|[kind, fact]| decode_facts(bytes_of(kind), bytes_of(fact), deliveries))
                .collect(),
        });
    }
    Ok(decoded)
}

/// What a receipt and the count beside it say.
fn counted(receipt: &[Value; 2], count: &[Value; 2]) -> Option<Answered> {
    let ([r, letters], [n, total]) = (receipt.each_ref().map(bytes_of), count);
    let total = number_of(total)?;
    let here = letters.iter().filter(|letter| matches!(letter, b'a' | b'd')).count();
    let before = total.checked_sub(u64::try_from(here).ok()?)?;
    (r == b"r" && bytes_of(n) == b"n").then_some(Answered { before, total })
}

fn number_of(value: &Value) -> Option<u64> {
    std::str::from_utf8(bytes_of(value)).ok()?.parse().ok()
}

type Decoded = Result<LedgerRecord, UnreadableRecord>;

fn unreadable(error: impl Into<String>, bytes: &[u8]) -> UnreadableRecord {
    UnreadableRecord {
        error: error.into(),
        bytes: bytes.to_vec(),
    }
}

fn decode_facts(kind: &[u8], fact: &[u8], deliveries: Option<&[u8]>) -> Vec<Decoded> {
    match (kind, deliveries) {
        (b"j", _) => vec![serde_json::from_slice(fact).map_err(|error| unreadable(error.to_string(), fact))],
        (b"r", Some(deliveries)) => decode_deliveries(deliveries, fact),
        (b"r", None) => vec![Err(unreadable("a receipt without its deliveries", fact))],
        (other, _) => {
            let error = format!("unknown kind of fact {:?}", String::from_utf8_lossy(other));
            vec![Err(unreadable(error, fact))]
        }
    }
}

/// What became of the deliveries of a group, by its receipt.
fn decode_deliveries(group: &[u8], receipt: &[u8]) -> Vec<Decoded> {
    let plain = match decode_group(group) {
        Ok(plain) => plain,
        Err(error) => return vec![Err(unreadable(error, group))],
    };
    let (mut rest, mut decoded) = (&plain[..], Vec::with_capacity(receipt.len()));
    for letter in receipt {
        let Some((delivery, others)) = split_prefixed(rest) else {
            decoded.push(Err(unreadable("the group is shorter than its receipt", rest)));
            break;
        };
        rest = others;
        let became: fn(NewEvent) -> LedgerRecord = match letter {
            b'a' => LedgerRecord::Accepted,
            b'd' => |NewEvent { key, received, .. }| LedgerRecord::Duplicate { key, received },
            _ => continue,
        };
        let event = NewEvent::decode(delivery);
        decoded.push(event.map(became).map_err(|error| unreadable(error, delivery)));
    }
    decoded
}

fn bytes_of(value: &Value) -> &[u8] {
    match value {
        Value::BulkString(bytes) => bytes,
        _ => &[],
    }
}

/// A group, each delivery behind its length in four bytes, compressed as one: neighbours are much
/// alike. Its size comes first.
pub(crate) fn encode_group<'d>(deliveries: impl Iterator<Item = &'d [u8]>) -> Result<Vec<u8>, QueueError> {
    let deliveries: Vec<&[u8]> = deliveries.collect();
    // Exactly as much as is needed: a long body must not be in memory once more than it has to be.
    let mut plain = Vec::with_capacity(deliveries.iter().map(|delivery| 4 + delivery.len()).sum());
    for delivery in deliveries {
        let length = u32::try_from(delivery.len()).map_err(|error| QueueError::Protocol(error.to_string()))?;
        plain.extend_from_slice(&length.to_le_bytes());
        plain.extend_from_slice(delivery);
    }
    if plain.len() > LARGEST_GROUP {
        let error = format!("a delivery of {} bytes is more than the ledger takes", plain.len());
        return Err(QueueError::Protocol(error));
    }
    Ok(lz4_flex::compress_prepend_size(&plain))
}

fn decode_group(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let (size, compressed) = lz4_flex::block::uncompressed_size(bytes).map_err(|error| error.to_string())?;
    if size > LARGEST_GROUP {
        return Err(format!("it claims to have {size} bytes"));
    }
    lz4_flex::decompress(compressed, size).map_err(|error| error.to_string())
}

pub(crate) fn encode_fact(record: &LedgerRecord) -> Result<Vec<u8>, QueueError> {
    serde_json::to_vec(record).map_err(|error| QueueError::Protocol(error.to_string()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use passerelle_model::event::{DeliveryKey, Disposition, EventKind, Item};
    use passerelle_model::id::{EventId, RowId, SourceName, TableId, WebhookId};
    use passerelle_model::time::Timestamp;

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
            trace: None,
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
            let delivery = event.encode().unwrap();
            let group = encode_group([&delivery[..]; 3].into_iter()).unwrap();
            let [Ok(LedgerRecord::Accepted(record)), Ok(repeated)] = &decode_deliveries(&group, b"a-d")[..] else { panic!("not accepted") };
            prop_assert_eq!(&record.payload, &event.payload);
            prop_assert_eq!(&record.items, &event.items);
            prop_assert_eq!(&record.key, &event.key);
            prop_assert_eq!(repeated, &LedgerRecord::Duplicate { key: event.key, received: event.received });
        }

        #[test]
        fn no_bytes_make_the_reader_panic(kind in "[rjx]?", fact: Vec<u8>, deliveries: Option<Vec<u8>>) {
            let _ = decode_facts(kind.as_bytes(), &fact, deliveries.as_deref());
            let _ = decode_deliveries(&deliveries.unwrap_or_default(), b"aaddaadd");
        }
    }

    fn stream_entry(number: u64, pairs: &[(&str, &[u8])]) -> StreamEntry {
        let bytes = |bytes: &[u8]| Value::BulkString(bytes.to_vec());
        let fields = pairs
            .iter()
            .flat_map(|(kind, fact)| [bytes(kind.as_bytes()), bytes(fact)]);
        (format!("1732280000120-{number}"), fields.collect())
    }

    #[test]
    fn a_group_counts_only_with_the_receipt_right_behind_it() {
        let group = encode_group([&event(Vec::new(), 1, 0).encode().unwrap()[..]].into_iter()).unwrap();
        let entries = vec![
            stream_entry(1, &[("g", &group)]),
            stream_entry(2, &[("g", &group)]),
            stream_entry(3, &[("r", b"a")]),
            stream_entry(4, &[("g", &group)]),
            stream_entry(5, &[("j", b"not JSON")]),
            stream_entry(6, &[("r", b"a")]),
            stream_entry(7, &[("g", &group)]),
        ];
        let decoded = decode_entries(entries).unwrap();
        let ids: Vec<&str> = decoded
            .iter()
            .map(|entry| entry.id.rsplit('-').next().unwrap())
            .collect();
        assert_eq!(ids, ["3", "5", "6"]);
        assert!(matches!(&decoded[0].records[..], [Ok(LedgerRecord::Accepted(_))]));
        for unreadable in &decoded[1..] {
            assert!(matches!(&unreadable.records[..], [Err(_)]), "{unreadable:?}");
        }
    }

    #[test]
    fn a_damaged_delivery_costs_no_other_one_of_its_group() {
        let whole = event(Vec::new(), 1, 0).encode().unwrap();
        let mut damaged = whole.clone();
        damaged[5] = b'?';
        let decoded = decode_deliveries(
            &encode_group([&whole[..], &damaged, &whole].into_iter()).unwrap(),
            b"aaaa",
        );
        let is_read: Vec<bool> = decoded.iter().map(Result::is_ok).collect();
        assert_eq!(is_read, [true, false, true, false]);
    }

    #[test]
    fn a_group_that_claims_an_absurd_size_is_refused_before_memory_is_taken() {
        let mut group = encode_group([&event(Vec::new(), 1, 0).encode().unwrap()[..]].into_iter()).unwrap();
        group[..4].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(decode_group(&group).unwrap_err().contains("claims"));
    }
}
