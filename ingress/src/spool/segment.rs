//! One file of the spool. The holder of its lock owns it; the operating system releases the lock
//! when the holder dies.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::format::HEADER;

/// A file that may be drained.
const READY: &str = "spool";
/// A file in the making: no other process may take it before its maker has the lock.
const NEW: &str = "new";
/// The folder, in that of the spool, of deliveries for which Redis, or something before it, cuts
/// the connection.
pub(super) const QUARANTINE: &str = "quarantine";
/// A file of which something could not be read; kept for people.
const DAMAGED: &str = "damaged";

/// A file that is being appended to. Closed by dropping it.
#[derive(Debug)]
pub(super) struct Segment {
    file: File,
    length: u64,
}

impl Segment {
    /// Makes a file. It gets its final name only once it is locked, so no drain of another process
    /// can take it as abandoned.
    pub(super) fn create(folder: &Path) -> io::Result<Self> {
        make_folder(folder)?;
        let name = ulid::Ulid::generate().to_string();
        let new = folder.join(&name).with_extension(NEW);
        let mut file = new_file().create_new(true).open(&new)?;
        file.try_lock()?;
        file.write_all(HEADER)?;
        file.sync_all()?;
        std::fs::rename(&new, folder.join(&name).with_extension(READY))?;
        // The name, too, must survive a power cut.
        File::open(folder)?.sync_all()?;
        Ok(Self {
            file,
            length: u64::try_from(HEADER.len()).unwrap_or(0),
        })
    }

    /// Appends and waits until it is on the disk. After an error the file must not be appended to
    /// again: its end may be torn.
    pub(super) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.file.sync_data()?;
        self.length += u64::try_from(bytes.len()).unwrap_or(0);
        Ok(())
    }

    /// Its length in bytes.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    #[cfg(test)]
    pub(super) fn over(file: File) -> Self {
        Self { file, length: 0 }
    }
}

/// A file in the hands of the drain.
#[derive(Debug)]
pub(super) struct Held {
    _file: File,
    path: PathBuf,
    bytes: Vec<u8>,
}

impl Held {
    /// Takes a file and reads it; `None` if it is in other hands, or gone.
    pub(super) fn take(path: &Path) -> io::Result<Option<Self>> {
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(Some(Self {
            _file: file,
            path: path.to_owned(),
            bytes,
        }))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// All of it is in the queue.
    pub(super) fn remove(&self) -> io::Result<()> {
        std::fs::remove_file(&self.path)
    }

    /// Writes one record of it to a file of the same format in the quarantine, for people; moved
    /// back into the folder, it is drained again. The same record again replaces that file.
    pub(super) fn quarantine(&self, framed: &[u8]) -> io::Result<PathBuf> {
        let (folder, stem) = (quarantine_of(&self.path), self.path.file_stem().unwrap_or_default());
        make_folder(&folder)?;
        // A record begins with its length and its checksum.
        let checksum = hex::encode(framed.get(4..8).unwrap_or_default());
        let name = format!("{}-{checksum}", stem.to_string_lossy());
        let (new, aside) = (
            folder.join(&name).with_extension(NEW),
            folder.join(&name).with_extension(READY),
        );
        let mut file = new_file().create(true).truncate(true).open(&new)?;
        file.write_all(HEADER)?;
        file.write_all(framed)?;
        file.sync_all()?;
        std::fs::rename(&new, &aside)?;
        File::open(&folder)?.sync_all()?;
        Ok(aside)
    }

    /// All of it that could be read is in the queue; the rest is for people.
    pub(super) fn set_aside(&self) -> io::Result<PathBuf> {
        let aside = self.path.with_extension(DAMAGED);
        std::fs::rename(&self.path, &aside)?;
        Ok(aside)
    }
}

/// The files that may be drained, oldest first. Takes away on the way what a killed process has
/// left in the making: nothing in it was answered.
pub(super) fn ready_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut ready = Vec::new();
    for path in paths(folder)? {
        let extension = path.extension().and_then(|extension| extension.to_str());
        if extension == Some(READY) {
            ready.push(path);
        } else if extension == Some(NEW) && File::open(&path).is_ok_and(|file| file.try_lock().is_ok()) {
            let _ = std::fs::remove_file(&path);
        }
    }
    ready.sort();
    Ok(ready)
}

/// What the folder holds, damaged files and the quarantine too.
pub(super) fn folder_bytes(folder: &Path) -> io::Result<u64> {
    let mut all = paths(folder)?;
    all.extend(paths(&folder.join(QUARANTINE))?);
    let files = all
        .into_iter()
        .filter_map(|path| path.metadata().ok().filter(std::fs::Metadata::is_file));
    Ok(files.map(|metadata| metadata.len()).sum())
}

/// How many deliveries are in the quarantine.
pub(super) fn quarantined(folder: &Path) -> io::Result<u64> {
    let files = paths(&folder.join(QUARANTINE))?;
    let ready = files
        .iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == READY));
    Ok(u64::try_from(ready.count()).unwrap_or(u64::MAX))
}

fn quarantine_of(file: &Path) -> PathBuf {
    file.parent().unwrap_or(Path::new("")).join(QUARANTINE)
}

/// Whether a file can be made in the folder.
pub(super) fn try_folder(folder: &Path) -> io::Result<()> {
    make_folder(folder)?;
    let probe = folder.join(ulid::Ulid::generate().to_string()).with_extension(NEW);
    let opened = new_file().create_new(true).open(&probe);
    let written = opened.and_then(|mut file| file.write_all(HEADER));
    let _ = std::fs::remove_file(&probe);
    written
}

/// Deliveries hold what people wrote: no other user of the machine may read them.
fn new_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).mode(0o600);
    options
}

fn make_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

fn paths(folder: &Path) -> io::Result<Vec<PathBuf>> {
    match std::fs::read_dir(folder) {
        Ok(entries) => entries.map(|entry| entry.map(|entry| entry.path())).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::super::format::{End, read, write};
    use super::*;

    fn record(text: &str) -> Vec<u8> {
        let mut framed = Vec::new();
        write(text.as_bytes(), &mut framed);
        framed
    }

    #[test]
    fn a_file_that_is_appended_to_cannot_be_drained_and_one_that_was_closed_can() {
        let folder = tempfile::tempdir().unwrap();
        let mut segment = Segment::create(folder.path()).unwrap();
        segment.append(&record("one")).unwrap();
        segment.append(&record("two")).unwrap();
        let [path] = ready_files(folder.path()).unwrap().try_into().unwrap();
        assert!(Held::take(&path).unwrap().is_none());
        drop(segment);
        let held = Held::take(&path).unwrap().unwrap();
        let contents = read(held.bytes());
        assert_eq!(contents.records, [b"one", b"two"]);
        assert_eq!(contents.end, End::Clean);
        assert!(Held::take(&path).unwrap().is_none(), "one drain at a time");
        held.remove().unwrap();
        assert_eq!(folder_bytes(folder.path()).unwrap(), 0);
    }

    #[test]
    fn no_other_user_can_read_the_files_or_the_folder() {
        use std::os::unix::fs::PermissionsExt as _;
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("spool");
        drop(Segment::create(&folder).unwrap());
        let [path] = ready_files(&folder).unwrap().try_into().unwrap();
        let held = Held::take(&path).unwrap().unwrap();
        let aside = held.quarantine(&record("one")).unwrap();
        for place in [&folder, &path, &aside, &folder.join(QUARANTINE)] {
            let mode = place.metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "{}: {mode:o}", place.display());
        }
    }

    #[test]
    fn what_a_killed_process_left_in_the_making_is_taken_away() {
        let folder = tempfile::tempdir().unwrap();
        let left = folder.path().join("01J").with_extension(NEW);
        std::fs::write(&left, b"PSP").unwrap();
        assert!(ready_files(folder.path()).unwrap().is_empty());
        assert!(!left.exists());
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_an_error() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(try_folder(&file.path().join("spool")).is_err());
        assert!(Segment::create(&file.path().join("spool")).is_err());
    }
}
