//! What waits in the folder, counted from the files: how many deliveries, and since when the
//! oldest.

use std::fs::File;
use std::io::{self, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use passerelle_model::time::Timestamp;

use super::format::{HEADER, PREFIX};
use super::segment::ready_files;

/// What waits in a folder.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) deliveries: u64,
    /// When the oldest file was begun.
    pub(super) since: Option<Timestamp>,
}

/// Counts the deliveries of all files that are to be drained, also of those that are being appended
/// to.
pub(super) fn waiting(folder: &Path) -> io::Result<Waiting> {
    let mut waiting = Waiting::default();
    for path in ready_files(folder)? {
        // One that is gone has been drained meanwhile.
        let deliveries = deliveries(&path).unwrap_or(0);
        waiting.deliveries += deliveries;
        if deliveries > 0 && waiting.since.is_none() {
            waiting.since = begun(&path);
        }
    }
    Ok(waiting)
}

/// Files are named after the moment at which they were begun.
fn begun(path: &Path) -> Option<Timestamp> {
    let name = ulid::Ulid::from_string(path.file_stem()?.to_str()?).ok()?;
    Some(Timestamp::from_millis(i64::try_from(name.timestamp_ms()).ok()?))
}

/// Hops from record to record; a torn end counts for nothing.
fn deliveries(path: &Path) -> io::Result<u64> {
    let mut file = BufReader::new(File::open(path)?);
    let end = file.get_ref().metadata()?.len();
    let mut at = file.seek(SeekFrom::Start(u64::try_from(HEADER.len()).unwrap_or(0)))?;
    let mut deliveries = 0;
    let mut prefix = [0; PREFIX];
    while file.read_exact(&mut prefix).is_ok() {
        let [a, b, c, d, ..] = prefix;
        let length = u32::from_le_bytes([a, b, c, d]);
        at += u64::try_from(PREFIX).unwrap_or(0) + u64::from(length);
        if length == 0 || at > end {
            break;
        }
        deliveries += 1;
        file.seek_relative(i64::from(length))?;
    }
    Ok(deliveries)
}

#[cfg(test)]
mod tests {
    use super::super::format::write;
    use super::super::segment::Segment;
    use super::*;

    #[test]
    fn the_deliveries_of_all_files_are_counted_and_a_torn_end_is_not() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(waiting(folder.path()).unwrap(), Waiting::default());
        let before = Timestamp::now();
        for _file in 0..2 {
            let mut segment = Segment::create(folder.path()).unwrap();
            let mut framed = Vec::new();
            for text in ["one", "two", "three"] {
                write(text.as_bytes(), &mut framed);
            }
            segment.append(&framed).unwrap();
            segment.append(&framed[..9]).unwrap();
        }
        let found = waiting(folder.path()).unwrap();
        assert_eq!(found.deliveries, 6);
        assert!(
            found
                .since
                .is_some_and(|since| since >= before && since <= Timestamp::now()),
            "{found:?}"
        );
    }
}
