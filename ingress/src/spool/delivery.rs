//! A delivery as the bytes of one record: the length of its description, the description (JSON as in the ledger stream), and the body as received.

use passerelle_shared::event::NewEvent;

/// Writes a delivery. One whose description cannot be written (there is none) would be empty, and empty is refused by [`decode`].
pub(super) fn encode(event: &NewEvent) -> Vec<u8> {
    let json = serde_json::to_vec(event).unwrap_or_default();
    let length = u32::try_from(json.len()).unwrap_or(0);
    let mut record = Vec::with_capacity(4 + json.len() + event.payload.len());
    record.extend(length.to_le_bytes());
    record.extend(json);
    record.extend(&event.payload);
    record
}

/// Reads a delivery back.
pub(super) fn decode(record: &[u8]) -> Result<NewEvent, String> {
    let (length, rest) = record.split_first_chunk::<4>().ok_or("too short")?;
    let length = usize::try_from(u32::from_le_bytes(*length)).map_err(|error| error.to_string())?;
    let (json, payload) = rest.split_at_checked(length).ok_or("its length is wrong")?;
    let mut event: NewEvent = serde_json::from_slice(json).map_err(|error| error.to_string())?;
    event.payload = payload.to_vec();
    Ok(event)
}

#[cfg(test)]
mod tests {
    use passerelle_shared::event::{DeliveryKey, Disposition, EventKind, Item};
    use passerelle_shared::id::{EventId, RowId, SourceName, TableId, WebhookId};
    use passerelle_shared::outcome::Outcome;
    use passerelle_shared::time::Timestamp;
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
                items: (1..=rows).map(item).collect(),
                payload,
            };
            prop_assert_eq!(decode(&encode(&event)), Ok(event));
        }

        #[test]
        fn no_bytes_make_the_reader_panic(record: Vec<u8>) {
            let _ = decode(&record);
        }
    }
}
