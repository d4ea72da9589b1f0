//! The thread that appends. A sync of the disk costs milliseconds, so one sync is shared by all
//! that wait for it: while one group is being written, the next one gathers. A thread and no task,
//! because nothing here can be waited for without blocking.

use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::{io, thread};

use tokio::sync::oneshot;

use super::segment::{Segment, folder_bytes};
use super::{NotSpooled, SpoolSettings, State, format};

/// Most bytes of one group.
const GROUP_BYTES: usize = 4 * 1024 * 1024;
/// A file is closed when it is longer: what has been drained is given back in pieces of this size,
/// and held in memory while it is drained.
const SEGMENT_BYTES: u64 = 8 * 1024 * 1024;

/// What the thread is asked to do.
#[derive(Debug)]
pub(super) enum Order {
    /// Write a record down and say when it is on the disk.
    Keep {
        record: Vec<u8>,
        kept: oneshot::Sender<Result<(), NotSpooled>>,
    },
    /// Close the file, so that it can be drained.
    Seal(oneshot::Sender<()>),
}

/// Starts the thread; it ends with the last sender of orders.
pub(super) fn start(settings: SpoolSettings, state: Arc<State>, orders: mpsc::Receiver<Order>) -> io::Result<()> {
    let mut writer = Writer {
        settings,
        state,
        segment: None,
    };
    let run = move || {
        while let Ok(first) = orders.recv() {
            writer.carry_out(first, &orders);
        }
    };
    thread::Builder::new().name("spool".to_owned()).spawn(run).map(drop)
}

struct Writer {
    settings: SpoolSettings,
    state: Arc<State>,
    segment: Option<Segment>,
}

/// Records that share one sync.
#[derive(Default)]
struct Group {
    bytes: Vec<u8>,
    callers: Vec<oneshot::Sender<Result<(), NotSpooled>>>,
}

impl Writer {
    fn carry_out(&mut self, first: Order, orders: &mpsc::Receiver<Order>) {
        let mut group = Group::default();
        let mut next = Some(first);
        while let Some(order) = next {
            match order {
                Order::Keep { record, kept } => self.admit(&record, kept, &mut group),
                Order::Seal(sealed) => {
                    self.write(std::mem::take(&mut group));
                    self.segment = None;
                    // The caller may have gone away.
                    let _ = sealed.send(());
                }
            }
            next = if group.bytes.len() < GROUP_BYTES {
                orders.try_recv().ok()
            } else {
                None
            };
        }
        self.write(group);
    }

    fn admit(&self, record: &[u8], caller: oneshot::Sender<Result<(), NotSpooled>>, group: &mut Group) {
        let most_bytes = self.settings.most_bytes;
        let used = self.state.used.load(Ordering::Relaxed);
        let waiting = u64::try_from(group.bytes.len()).unwrap_or(u64::MAX);
        if used.saturating_add(waiting).saturating_add(format::cost(record)) > most_bytes {
            let full = NotSpooled::Full { most_bytes };
            self.state.note(Some(full.clone()));
            let _ = caller.send(Err(full));
            return;
        }
        format::write(record, &mut group.bytes);
        group.callers.push(caller);
    }

    /// Writes a group and answers its callers.
    fn write(&mut self, group: Group) {
        if group.callers.is_empty() {
            return;
        }
        let written = self.append(&group.bytes).map_err(|error| NotSpooled::Disk {
            place: self.settings.folder.display().to_string(),
            why: error.to_string(),
        });
        match &written {
            Ok(()) => {
                self.state.has_own.store(true, Ordering::Relaxed);
                self.state.add(u64::try_from(group.callers.len()).unwrap_or(u64::MAX));
            }
            Err(trouble) => tracing::error!(deliveries = group.callers.len(), "deliveries are refused: {trouble}"),
        }
        self.state.note(written.as_ref().err().cloned());
        for caller in group.callers {
            // A caller that has hung up needs no answer; its delivery is safe all the same.
            let _ = caller.send(written.clone());
        }
    }

    /// After any failure the file is closed: its end may be torn, and a record after that could not
    /// be read.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let segment = self.segment.take().filter(|segment| segment.length() < SEGMENT_BYTES);
        let mut segment = match segment {
            Some(segment) => segment,
            None => self.next_segment()?,
        };
        segment.append(bytes)?;
        self.segment = Some(segment);
        let written = u64::try_from(bytes.len()).unwrap_or(0);
        self.state.used.fetch_add(written, Ordering::Relaxed);
        Ok(())
    }

    /// A new file is the moment to look at what other processes have in the folder.
    fn next_segment(&self) -> io::Result<Segment> {
        let segment = Segment::create(&self.settings.folder)?;
        let used = folder_bytes(&self.settings.folder)?;
        self.state.used.store(used, Ordering::Relaxed);
        Ok(segment)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;

    use super::super::format::{End, read};
    use super::super::segment::{Held, ready_files};
    use super::*;

    fn writer(folder: &std::path::Path, most_bytes: u64) -> Writer {
        Writer {
            settings: SpoolSettings {
                folder: folder.to_owned(),
                most_bytes,
            },
            state: Arc::new(State::default()),
            segment: None,
        }
    }

    fn keep(writer: &mut Writer, record: &[u8]) -> Result<(), NotSpooled> {
        let (kept, mut answer) = oneshot::channel();
        let (_none, orders) = mpsc::channel();
        let order = Order::Keep {
            record: record.to_vec(),
            kept,
        };
        writer.carry_out(order, &orders);
        answer.try_recv().unwrap()
    }

    #[test]
    fn a_full_disk_refuses_and_the_next_record_goes_into_another_file() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = writer(folder.path(), 1 << 20);
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        writer.segment = Some(Segment::over(full));
        let refused = keep(&mut writer, b"one").unwrap_err();
        assert!(refused.to_string().contains("Is the disk full"), "{refused}");
        assert_eq!(*writer.state.trouble.lock().unwrap(), Some(refused));

        keep(&mut writer, b"two").unwrap();
        assert_eq!(*writer.state.trouble.lock().unwrap(), None);
        writer.segment = None;
        let [path] = ready_files(folder.path()).unwrap().try_into().unwrap();
        let held = Held::take(&path).unwrap().unwrap();
        let contents = read(held.bytes());
        assert_eq!(contents.records, [b"two"]);
        assert_eq!(contents.end, End::Clean);
    }

    #[test]
    fn more_than_the_folder_may_hold_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = writer(folder.path(), 40);
        keep(&mut writer, b"one").unwrap();
        let full = NotSpooled::Full { most_bytes: 40 };
        assert_eq!(keep(&mut writer, &[7; 40]), Err(full));
        keep(&mut writer, b"two").unwrap();
    }

    #[test]
    fn everything_that_waits_is_written_together() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = writer(folder.path(), 1 << 20);
        let (sender, orders) = mpsc::channel();
        let mut answers = Vec::new();
        for number in 0..100_u8 {
            let (kept, answer) = oneshot::channel();
            let record = vec![number];
            sender.send(Order::Keep { record, kept }).unwrap();
            answers.push(answer);
        }
        let first = orders.recv().unwrap();
        writer.carry_out(first, &orders);
        for answer in &mut answers {
            answer.try_recv().unwrap().unwrap();
        }
        writer.segment = None;
        let [path] = ready_files(folder.path()).unwrap().try_into().unwrap();
        let held = Held::take(&path).unwrap().unwrap();
        assert_eq!(read(held.bytes()).records.len(), 100);
    }
}
