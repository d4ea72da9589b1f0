//! Where deliveries wait while Redis is away: files on this machine, so that the caller can be
//! answered 200 all the same (spec C9).
//!
//! **Needs.** Baserow switches a webhook off after nine failed calls in a row, and what it calls
//! about meanwhile is lost: refusing is data loss. So a delivery that the queue does not take is
//! appended to a file and synced to the disk, and only then answered. When Redis is back, the files
//! are drained into the queue by the ordinary `accept`.
//!
//! **Order does not matter**, neither among the files nor against newer deliveries that go to the
//! queue directly: a delivery says "this row needs a look", never what to write, so whichever comes
//! last causes one more look at most.
//!
//! **No position is kept.** A file is removed when all of it has been accepted, and drained from
//! its beginning after a crash: the claim of each delivery makes the repetition a duplicate (for a
//! day; later, one more look). So draining cannot lose its place.
//!
//! **Several processes, one folder.** The holder of its lock owns a file: the writer while it
//! appends, then the process that drains it. The operating system releases the lock when its holder
//! dies, and the next ingress on this machine drains what was left. The folder must be on a local
//! disk that outlives the process.
//!
//! | file | decides |
//! |---|---|
//! | `format.rs` | records in a file: length and checksum; what a torn end looks like |
//! | `segment.rs` | one file: created under its lock, appended and synced, read back |
//! | `waiting.rs` | how many deliveries wait, and since when |
//! | `writer.rs` | the thread that appends: one sync for all that wait, the limit of the folder |
//! | `drain.rs` | from the files into the queue |
//!
//! **A delivery that cuts the connection** (a proxy's limit, a client-query-buffer-limit) must not
//! hold up those behind it. When Redis takes a write but not the group, the drain goes on one by
//! one; what fails twice by itself goes to the folder `quarantine`.
//!
//! **Failures.** A write that fails (disk full) costs the callers of that group a 503; the file is
//! not written to again, so a torn record is always the last one of its file. A torn end was never
//! answered 200 and is dropped; anything else that cannot be read is kept as `*.damaged`.

mod drain;
mod format;
mod segment;
mod waiting;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use passerelle_model::event::NewEvent;
use passerelle_model::time::Timestamp;
use passerelle_queue::AcceptStatus;
use tokio::sync::oneshot;
use tokio::time::timeout;

pub(crate) use drain::drain_for_ever;
use waiting::{Waiting, waiting};
use writer::Order;

use crate::metrics;

/// How long a delivery waits for the disk: with the two seconds that Redis was given at most, still
/// within the five seconds of the caller.
const PATIENCE: Duration = Duration::from_millis(2500);

/// Where the spool is, and how much it may hold.
#[derive(Debug, Clone)]
pub(crate) struct SpoolSettings {
    /// `INGRESS_SPOOL_DIR`: default `data/spool`.
    pub(crate) folder: PathBuf,
    /// `INGRESS_SPOOL_BYTES`: most that the folder may hold, default 512 MiB; 0 = no spool.
    pub(crate) most_bytes: u64,
}

/// Proof that a delivery is on the disk of this machine. Only [`Spool::keep`] makes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) struct Spooled {
    status: AcceptStatus,
}

impl Spooled {
    /// What will become of it, as far as it can be said: repetitions are found out when it is
    /// drained.
    pub(crate) fn status(self) -> AcceptStatus {
        self.status
    }
}

/// Why a delivery could not be spooled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotSpooled {
    /// It would be more than the folder may hold.
    #[error("the spool is full: {most_bytes} bytes (INGRESS_SPOOL_BYTES)")]
    Full { most_bytes: u64 },
    #[error("{place} cannot be written: {why}. Is the disk full, or the folder not writable (INGRESS_SPOOL_DIR)?")]
    Disk { place: String, why: String },
    /// The disk is too slow.
    #[error("the disk did not take the delivery within {PATIENCE:?}")]
    Slow,
}

/// The spool of this process.
#[derive(Debug)]
pub(crate) struct Spool {
    settings: SpoolSettings,
    orders: mpsc::Sender<Order>,
    state: Arc<State>,
}

/// What the writer, the drain and the health check know in common.
#[derive(Debug, Default)]
struct State {
    /// Bytes of all files in the folder, as last seen, with what was appended since.
    used: AtomicU64,
    /// Deliveries in the quarantine, as last seen.
    quarantined: AtomicU64,
    /// Deliveries in all files that are to be drained, as last counted, with those that were
    /// appended since.
    waiting: Mutex<Waiting>,
    /// This process has appended something that it has not drained.
    has_own: AtomicBool,
    /// Why the last append failed, if it did.
    trouble: Mutex<Option<NotSpooled>>,
}

impl State {
    /// Deliveries were appended.
    fn add(&self, deliveries: u64) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.deliveries += deliveries;
        waiting.since.get_or_insert_with(Timestamp::now);
        drop(waiting);
        self.measure();
    }

    /// They were counted.
    fn count(&self, counted: Waiting) {
        *self.waiting.lock().unwrap_or_else(PoisonError::into_inner) = counted;
        self.measure();
    }

    fn measure(&self) {
        let Waiting { deliveries, since } = *self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let age = since.map_or(Duration::ZERO, |since| Timestamp::now().since(since));
        let (used, quarantined) = (&self.used, &self.quarantined);
        metrics::spool(
            used.load(Ordering::Relaxed),
            deliveries,
            age,
            quarantined.load(Ordering::Relaxed),
        );
    }

    fn note(&self, trouble: Option<NotSpooled>) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }
}

/// How the spool is, for `/readyz`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SpoolStatus {
    /// Bytes in the folder.
    pub(crate) used: u64,
    /// Most that it may hold.
    pub(crate) most_bytes: u64,
    /// Deliveries that wait for Redis, and since when the oldest.
    pub(crate) waiting: u64,
    pub(crate) since: Option<Timestamp>,
    /// Deliveries that were set aside, and where.
    pub(crate) quarantined: (u64, PathBuf),
    /// Why a delivery could not be kept now, if that is known.
    pub(crate) trouble: Option<NotSpooled>,
}

impl SpoolStatus {
    /// Whether a delivery could be kept, as far as is known.
    pub(crate) fn takes_more(&self) -> bool {
        self.used < self.most_bytes && self.trouble.is_none()
    }

    /// What an operator should see to; a delivery may wait for `longest`.
    pub(crate) fn warnings(&self, longest: Duration) -> Vec<String> {
        let age = self.since.map_or(Duration::ZERO, |since| Timestamp::now().since(since));
        let is_old = (age > longest).then(|| {
            format!(
                "the oldest of {} deliveries in the spool waits for {} s: Redis is away, or refuses them; the log says why",
                self.waiting,
                age.as_secs()
            )
        });
        let (count, folder) = &self.quarantined;
        let set_aside = (*count > 0).then(|| {
            format!(
                "{count} deliveries are set aside in {}: Redis, or a proxy before it, cuts the connection for them; \
                 raise its limit and move the files back into the spool",
                folder.display()
            )
        });
        self.warning().into_iter().chain(is_old).chain(set_aside).collect()
    }

    fn warning(&self) -> Option<String> {
        let Self { used, most_bytes, .. } = *self;
        match &self.trouble {
            Some(trouble) => Some(format!("while Redis is away deliveries are refused: {trouble}")),
            None if used > most_bytes / 2 && used > 0 => Some(format!("the spool holds {used} of {most_bytes} bytes")),
            None => None,
        }
    }
}

impl Spool {
    /// Prepares the folder and starts the writer. A folder that cannot be used is no reason not to
    /// start, as long as Redis answers: it is logged, reported by `/readyz`, and retried by every
    /// delivery that needs it.
    pub(crate) fn open(settings: SpoolSettings) -> std::io::Result<Self> {
        let state = Arc::new(State::default());
        let (orders, received) = mpsc::channel();
        let spool = Self {
            settings,
            orders,
            state,
        };
        if spool.is_on() {
            spool.try_folder();
            writer::start(spool.settings.clone(), Arc::clone(&spool.state), received)?;
        }
        spool.measure();
        Ok(spool)
    }

    /// Whether there is a spool at all.
    pub(crate) fn is_on(&self) -> bool {
        self.settings.most_bytes > 0
    }

    /// Writes a delivery down, together with all that wait for the disk at the same time.
    pub(crate) async fn keep(&self, event: &NewEvent) -> Result<Spooled, NotSpooled> {
        // One that could not be written (there is none) would be empty, and an empty record is
        // refused when it is drained.
        self.keep_record(event.encode().unwrap_or_default()).await?;
        let has_work = event.items.iter().any(|item| item.disposition.is_work());
        Ok(Spooled {
            status: if has_work {
                AcceptStatus::Queued
            } else {
                AcceptStatus::Ignored
            },
        })
    }

    async fn keep_record(&self, record: Vec<u8>) -> Result<(), NotSpooled> {
        let (kept, answer) = oneshot::channel();
        // Without a writer the answer never comes, and that is an answer too.
        let _ = self.orders.send(Order::Keep { record, kept });
        match timeout(PATIENCE, answer).await {
            Ok(Ok(kept)) => kept,
            Ok(Err(_)) => Err(self.on_disk("its writer has ended")),
            Err(_) => Err(NotSpooled::Slow),
        }
    }

    /// Ends the file that is being appended to, so that it can be drained.
    pub(crate) async fn seal(&self) {
        let (sealed, answer) = oneshot::channel();
        if self.orders.send(Order::Seal(sealed)).is_ok() {
            let _ = answer.await;
        }
    }

    /// Shows at `/metrics` what it holds, and how old the oldest is by now.
    pub(crate) fn measure(&self) {
        self.state.measure();
    }

    pub(crate) fn status(&self) -> SpoolStatus {
        let trouble = self.state.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        let Waiting { deliveries, since } = *self.state.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        SpoolStatus {
            waiting: deliveries,
            since,
            used: self.state.used.load(Ordering::Relaxed),
            most_bytes: self.settings.most_bytes,
            quarantined: (
                self.state.quarantined.load(Ordering::Relaxed),
                self.folder().join(segment::QUARANTINE),
            ),
            trouble: trouble.clone(),
        }
    }

    fn folder(&self) -> &Path {
        &self.settings.folder
    }

    fn try_folder(&self) {
        if let Ok(count) = segment::quarantined(self.folder()) {
            self.state.quarantined.store(count, Ordering::Relaxed);
        }
        let tried = segment::try_folder(self.folder()).and_then(|()| segment::folder_bytes(self.folder()));
        match tried {
            Ok(used) => {
                self.state.used.store(used, Ordering::Relaxed);
                self.state.count(waiting(self.folder()).unwrap_or_default());
            }
            Err(error) => {
                let trouble = self.on_disk(&error.to_string());
                tracing::error!("while Redis is away deliveries would be refused: {trouble}");
                self.state.note(Some(trouble));
            }
        }
    }

    fn on_disk(&self, why: &str) -> NotSpooled {
        NotSpooled::Disk {
            place: self.folder().display().to_string(),
            why: why.to_owned(),
        }
    }
}
