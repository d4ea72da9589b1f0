//! The bytes of a spool file: eight bytes that name the format, then records: length (u32,
//! little-endian), CRC-32C of the bytes (the same), bytes.
//!
//! A file is only ever appended to, and never after a failed append. So all that a crash or a power
//! cut can leave is a good beginning and a torn end, and what is torn had not been answered 200.

use crc::{CRC_32_ISCSI, Crc};

/// Names the format and its version.
pub(super) const HEADER: &[u8; 8] = b"PSPOOL1\n";

const CHECKSUM: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);

/// Bytes before each record.
pub(super) const PREFIX: usize = 8;

/// What a record will cost in the file.
pub(super) fn cost(record: &[u8]) -> u64 {
    u64::try_from(PREFIX + record.len()).unwrap_or(u64::MAX)
}

/// Adds a record. The ingress limits bodies far below 4 GiB; a longer record would be taken for a
/// damaged one.
pub(super) fn write(record: &[u8], file: &mut Vec<u8>) {
    file.extend(u32::try_from(record.len()).unwrap_or(0).to_le_bytes());
    file.extend(CHECKSUM.checksum(record).to_le_bytes());
    file.extend(record);
}

/// What was read of a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Contents<'f> {
    pub(super) records: Vec<&'f [u8]>,
    pub(super) end: End,
}

/// What comes after the last good record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Clean,
    /// The beginning of a record, or space that was never written: the last append did not come to
    /// its end.
    Torn,
    /// Something that no interrupted append leaves.
    Damaged,
}

/// Reads as far as it can be read.
pub(super) fn read(file: &[u8]) -> Contents<'_> {
    let Some(mut rest) = file.strip_prefix(HEADER) else {
        let end = if HEADER.starts_with(file) {
            End::Torn
        } else {
            End::Damaged
        };
        return Contents {
            records: Vec::new(),
            end,
        };
    };
    let mut records = Vec::new();
    while let Some((record, after)) = first_record(rest) {
        records.push(record);
        rest = after;
    }
    Contents {
        records,
        end: end(rest),
    }
}

fn first_record(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (record, after, checksum) = split(bytes)?;
    let is_good = !record.is_empty() && CHECKSUM.checksum(record) == checksum;
    is_good.then_some((record, after))
}

/// The bytes that claim to be a record, those after it, and the checksum that it should have.
fn split(bytes: &[u8]) -> Option<(&[u8], &[u8], u32)> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (checksum, rest) = rest.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    let (record, after) = rest.split_at_checked(length)?;
    Some((record, after, u32::from_le_bytes(*checksum)))
}

fn end(rest: &[u8]) -> End {
    if rest.is_empty() {
        End::Clean
    } else if split(rest).is_none() || rest.iter().all(|byte| *byte == 0) {
        End::Torn
    } else {
        End::Damaged
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn file_of(records: &[Vec<u8>]) -> Vec<u8> {
        let mut file = HEADER.to_vec();
        for record in records {
            write(record, &mut file);
        }
        file
    }

    fn any_records() -> impl Strategy<Value = Vec<Vec<u8>>> {
        prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..8)
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(records in any_records()) {
            let file = file_of(&records);
            let contents = read(&file);
            prop_assert_eq!(contents.end, End::Clean);
            prop_assert_eq!(contents.records, records);
        }

        #[test]
        fn a_file_that_was_cut_anywhere_gives_its_whole_records_and_no_other(records in any_records(), cut: prop::sample::Index) {
            let file = file_of(&records);
            let cut = cut.index(file.len() + 1);
            let contents = read(&file[..cut]);
            prop_assert!(contents.end != End::Damaged);
            let mut whole = HEADER.len();
            let before_cut = records.iter().take_while(|record| { whole += 8 + record.len(); whole <= cut }).count();
            prop_assert_eq!(contents.records, &records[..before_cut]);
        }

        #[test]
        fn a_changed_byte_never_gives_a_record_that_was_not_written(records in any_records(), at: prop::sample::Index, change in 1_u8..) {
            let mut file = file_of(&records);
            let at = at.index(file.len());
            file[at] ^= change;
            for record in read(&file).records {
                prop_assert!(records.iter().any(|written| written == record));
            }
        }

        #[test]
        fn space_that_was_never_written_is_a_torn_end(records in any_records(), zeros in 1_usize..100) {
            let mut file = file_of(&records);
            file.extend(std::iter::repeat_n(0, zeros));
            let contents = read(&file);
            prop_assert_eq!((contents.records.len(), contents.end), (records.len(), End::Torn));
        }
    }

    #[test]
    fn a_wrong_checksum_before_the_end_is_damage_and_no_tear() {
        let mut file = file_of(&[b"one".to_vec(), b"two".to_vec()]);
        file[HEADER.len() + 8] ^= 1;
        assert_eq!(read(&file).end, End::Damaged);
    }
}
