//! Drains the files into the queue as soon as Redis answers, also those of other processes.

use std::io;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::StreamExt as _;
use passerelle_model::event::NewEvent;
use passerelle_queue::{Accepted, Queue, QueueError, Redis};
use tokio::sync::Semaphore;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use super::format::{End, read, write};
use super::segment::{Held, folder_bytes, quarantined, ready_files, try_folder};
use super::waiting::waiting;
use super::{NotSpooled, Spool};
use crate::metrics::{self, ItemCounts};

/// How often to look whether Redis is back, and whether there is something of our own to drain.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How often to look for what other processes have left.
const LOOK_FOR_OTHERS_EVERY: Duration = Duration::from_secs(30);
/// Redis is back when it takes a write within this time; a slower one would cost every caller
/// seconds.
const SWIFT: Duration = Duration::from_millis(500);
/// Deliveries on their way into the queue at once: they share round trips, and leave room for
/// callers.
const AT_ONCE: usize = 32;
/// What these deliveries weigh together; a heavier one goes alone. On its way each is in memory
/// several times.
const BYTES_AT_ONCE: u32 = 1024 * 1024;
/// How often a delivery is tried by itself before it is set aside.
const TRIES_BY_ITSELF: usize = 3;
/// How long to leave alone what Redis or the disk has refused.
const AFTER_TROUBLE: Duration = Duration::from_mins(1);

/// Drains for as long as it is polled. While Redis is away, this is also what finds out that it is
/// back.
pub(crate) async fn drain_for_ever(spool: Arc<Spool>, queue: Queue, redis: Redis) {
    let mut drain = Drain {
        spool,
        // By a connection of its own: a delivery that cuts it harms no caller.
        queue: queue.on(redis.by_another_connection()),
        redis: redis.clone(),
        interrupted: None,
        not_before: Instant::now(),
        looked_for_others: None,
    };
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        if redis.is_up() && !drain.has_work().await {
            continue;
        }
        if !matches!(timeout(SWIFT, redis.check_write()).await, Ok(Ok(()))) {
            continue;
        }
        match drain.all().await {
            Ok(0) => {}
            Ok(deliveries) => tracing::info!(deliveries, "deliveries from the spool are in the queue"),
            Err(Stopped::Queue(error)) => tracing::debug!(%error, "the spool waits for Redis"),
            Err(error @ (Stopped::Disk(_) | Stopped::Spool(_))) => {
                drain.not_before = Instant::now() + AFTER_TROUBLE;
                tracing::error!(%error, "the spool cannot be drained; its files stay, and it is tried again");
            }
        }
    }
}

/// Why draining stopped before its end. Nothing is lost by it.
#[derive(Debug, thiserror::Error)]
enum Stopped {
    #[error(transparent)]
    Queue(#[from] QueueError),
    #[error(transparent)]
    Disk(#[from] io::Error),
    #[error("a delivery that Redis refused could not be kept: {0}")]
    Spool(#[from] NotSpooled),
}

/// One pass over one file.
struct Pass {
    /// Records that need not be sent again.
    accepted: usize,
    is_readable: bool,
}

struct Drain {
    spool: Arc<Spool>,
    queue: Queue,
    redis: Redis,
    /// The file in which the last pass was interrupted, and how many of its records were accepted:
    /// they need not be sent again.
    interrupted: Option<(PathBuf, usize)>,
    not_before: Instant,
    looked_for_others: Option<Instant>,
}

impl Drain {
    /// Whether this process has appended something, or (looked at now and then) another one has
    /// left something, or the folder was in trouble.
    async fn has_work(&mut self) -> bool {
        if self.spool.state.has_own.load(Ordering::Relaxed) && Instant::now() >= self.not_before {
            return true;
        }
        if self
            .looked_for_others
            .is_some_and(|looked| looked.elapsed() < LOOK_FOR_OTHERS_EVERY)
        {
            return false;
        }
        self.looked_for_others = Some(Instant::now());
        let folder = self.spool.folder().to_owned();
        let looked = blocking(move || Ok((ready_files(&folder)?.is_empty(), quarantined(&folder)?))).await;
        let Ok((is_empty, quarantined)) = looked else {
            return self.spool.status().trouble.is_some();
        };
        self.spool.state.quarantined.store(quarantined, Ordering::Relaxed);
        if is_empty && self.spool.status().used > 0 {
            // What a killed process had begun to make was counted at the start, and is gone.
            self.measure().await;
        }
        !is_empty || self.spool.status().trouble.is_some()
    }

    /// Everything that is in no other hands. Returns how many deliveries were new or known to the
    /// queue.
    async fn all(&mut self) -> Result<usize, Stopped> {
        self.spool.state.has_own.store(false, Ordering::Relaxed);
        let drained = self.files().await;
        if drained.is_err() {
            self.spool.state.has_own.store(true, Ordering::Relaxed);
        }
        self.measure().await;
        drained
    }

    async fn files(&mut self) -> Result<usize, Stopped> {
        self.spool.seal().await;
        let mut deliveries = 0;
        let folder = self.spool.folder().to_owned();
        for path in blocking(move || ready_files(&folder)).await? {
            let Some(held) = blocking(move || Held::take(&path)).await? else {
                continue;
            };
            deliveries += self.file(held).await?;
        }
        Ok(deliveries)
    }

    async fn file(&mut self, held: Held) -> Result<usize, Stopped> {
        let contents = read(held.bytes());
        let done = match &self.interrupted {
            Some((path, done)) if path == held.path() => *done,
            _ => 0,
        };
        let mut pass = Pass {
            accepted: 0,
            is_readable: contents.end != End::Damaged,
        };
        let records = contents.records.get(done..).unwrap_or_default();
        let mut drained = self.records(records, &mut pass).await;
        if matches!(drained, Err(Stopped::Queue(_))) && self.redis_answers().await {
            let rest = records.get(pass.accepted..).unwrap_or_default();
            drained = self.one_by_one(&held, rest, &mut pass).await;
        }
        if let Err(stopped) = drained {
            self.interrupted = Some((held.path().to_owned(), done + pass.accepted));
            return Err(stopped);
        }
        self.interrupted = None;
        blocking(move || finish(&held, pass.is_readable)).await?;
        Ok(pass.accepted)
    }

    async fn records(&mut self, records: &[&[u8]], pass: &mut Pass) -> Result<(), Stopped> {
        let (queue, room) = (self.queue.clone(), Semaphore::new(BYTES_AT_ONCE as usize));
        let offered =
            (0..records.len()).map(|index| accept(&queue, &room, records.get(index).copied().unwrap_or_default()));
        let mut answers = pin!(futures::stream::iter(offered).buffered(AT_ONCE));
        for record in records {
            let Some(answer) = answers.next().await else { break };
            match answer {
                Ok(()) => {}
                Err(NotAccepted::Queue(error @ QueueError::Unavailable(_))) => return Err(error.into()),
                Err(NotAccepted::Queue(error)) => {
                    tracing::error!(%error, "Redis refused a delivery from the spool; it is kept, and tried again later");
                    self.not_before = Instant::now() + AFTER_TROUBLE;
                    self.spool.keep_record((*record).to_vec()).await?;
                }
                Err(NotAccepted::Unreadable(error)) => {
                    tracing::error!(
                        error,
                        "a delivery in the spool cannot be understood; was it written by a newer version?"
                    );
                    pass.is_readable = false;
                }
            }
            pass.accepted += 1;
        }
        Ok(())
    }

    /// A group was not taken although Redis answers: one of it may be the reason. Those behind it
    /// go on.
    async fn one_by_one(&mut self, held: &Held, records: &[&[u8]], pass: &mut Pass) -> Result<(), Stopped> {
        for record in records {
            let mut taken = self.records(std::slice::from_ref(record), pass).await;
            for _again in 1..TRIES_BY_ITSELF {
                if matches!(taken, Err(Stopped::Queue(_))) && self.redis_answers().await {
                    taken = self.records(std::slice::from_ref(record), pass).await;
                }
            }
            match taken {
                Err(Stopped::Queue(error)) if self.redis_answers().await => {
                    let mut framed = Vec::new();
                    write(record, &mut framed);
                    let aside = held.quarantine(&framed)?;
                    ::metrics::counter!("passerelle_ingress_spool_quarantined_total").increment(1);
                    tracing::error!(%error, file = %aside.display(), bytes = record.len(), "a delivery cuts the connection to Redis; it is set aside");
                    pass.accepted += 1;
                }
                other => other?,
            }
        }
        Ok(())
    }

    async fn redis_answers(&self) -> bool {
        matches!(timeout(SWIFT, self.redis.check_write()).await, Ok(Ok(())))
    }

    /// Looks at the folder as a whole, and whether it has been mended if it was in trouble.
    async fn measure(&self) {
        let folder = self.spool.folder().to_owned();
        let had_trouble = self.spool.status().trouble.is_some();
        let looked = blocking(move || {
            if had_trouble {
                try_folder(&folder)?;
            }
            Ok((folder_bytes(&folder)?, quarantined(&folder)?, waiting(&folder)?))
        });
        if let Ok((used, quarantined, counted)) = looked.await {
            self.spool.state.quarantined.store(quarantined, Ordering::Relaxed);
            self.spool.state.used.store(used, Ordering::Relaxed);
            self.spool.state.count(counted);
            if had_trouble {
                self.spool.state.note(None);
            }
        }
    }
}

/// The file goes; if something in it could not be read, it stays beside the others under another
/// name.
fn finish(held: &Held, is_readable: bool) -> io::Result<()> {
    if is_readable {
        return held.remove();
    }
    let aside = held.set_aside()?;
    ::metrics::counter!("passerelle_ingress_spool_damaged_total").increment(1);
    tracing::error!(file = %aside.display(), "a part of this file of the spool cannot be read; what can be read of it is in the queue");
    Ok(())
}

/// Why a record did not get into the queue.
enum NotAccepted {
    Unreadable(String),
    Queue(QueueError),
}

async fn accept(queue: &Queue, room: &Semaphore, record: &[u8]) -> Result<(), NotAccepted> {
    let bytes = u32::try_from(record.len()).unwrap_or(u32::MAX);
    let _room = room.acquire_many(bytes.min(BYTES_AT_ONCE)).await;
    let event = NewEvent::decode(record).map_err(NotAccepted::Unreadable)?;
    let items = ItemCounts::of(&event.items);
    let accepted: Accepted = queue.accept_patiently(event).await.map_err(NotAccepted::Queue)?;
    metrics::drained(accepted.status(), &items);
    Ok(())
}

/// Files block; the server's threads must not.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}
