//! Many letters at once: replayed at a steady rate after the first three have succeeded, or
//! discarded in groups. One run at a time, which can be cancelled between two letters.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use actix_web::web::Data;
use passerelle_model::id::EventId;
use passerelle_model::outcome::Outcome;
use passerelle_model::time::Timestamp;
use passerelle_queue::QueueName;

use crate::desk::Desk;
use crate::latest::Work;

/// How many letters go ahead.
const CANARY: usize = 3;
/// Letters per second after them.
pub(crate) const RATE: u32 = 5;
/// Letters of one call that discards.
const GROUP: usize = 50;
/// How often the end of those that went ahead is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(300);

/// What is done to each letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doing {
    Replay,
    Discard,
}

/// Why a run is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Over {
    Done,
    Cancelled,
    /// One of the letters that went ahead died again.
    DiedAgain(String),
    Failed(String),
}

/// Who acts, and why: the ledger keeps both with each letter.
#[derive(Debug, Clone)]
pub(crate) struct Who {
    pub(crate) by: String,
    pub(crate) why: String,
}

/// A run, as its page shows it.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) doing: Doing,
    pub(crate) queue: QueueName,
    pub(crate) ids: Vec<String>,
    pub(crate) who: Who,
    pub(crate) began: Timestamp,
    done: AtomicUsize,
    gone: AtomicUsize,
    is_waiting: AtomicBool,
    is_cancelled: AtomicBool,
    over: Mutex<Option<Over>>,
}

impl Work for Run {
    type Over = Over;

    fn end(&self) -> &Mutex<Option<Over>> {
        &self.over
    }

    fn failed(why: String) -> Over {
        Over::Failed(why)
    }
}

impl Run {
    pub(crate) fn new(doing: Doing, queue: QueueName, ids: Vec<String>, who: Who) -> Self {
        Self {
            doing,
            queue,
            ids,
            who,
            began: Timestamp::now(),
            done: AtomicUsize::new(0),
            gone: AtomicUsize::new(0),
            is_waiting: AtomicBool::new(false),
            is_cancelled: AtomicBool::new(false),
            over: Mutex::new(None),
        }
    }

    /// How many letters are done.
    pub(crate) fn done(&self) -> usize {
        self.done.load(Ordering::Relaxed)
    }

    /// How many letters were no longer there when their turn came.
    pub(crate) fn gone(&self) -> usize {
        self.gone.load(Ordering::Relaxed)
    }

    /// Counts the letters of one call, and those of them that were there.
    fn count(&self, letters: usize, there: u64) {
        let there = usize::try_from(there).unwrap_or(letters).min(letters);
        self.done.fetch_add(there, Ordering::Relaxed);
        self.gone.fetch_add(letters - there, Ordering::Relaxed);
    }

    /// Whether it waits for the letters that went ahead.
    pub(crate) fn is_waiting(&self) -> bool {
        self.is_waiting.load(Ordering::Relaxed)
    }

    /// Starts it, unless one goes on. Says whether it did.
    pub(crate) fn start(self, desk: &Data<Desk>) -> bool {
        let place = desk.clone();
        desk.runs.start(self, |run| async move {
            let over = run.all(&place).await;
            place.groups.forget().await;
            over
        })
    }

    pub(crate) fn cancel(&self) {
        self.is_cancelled.store(true, Ordering::Relaxed);
    }

    async fn all(&self, desk: &Desk) -> Over {
        match self.doing {
            Doing::Discard => self.discard(desk).await,
            Doing::Replay => self.replay(desk).await,
        }
    }

    async fn discard(&self, desk: &Desk) -> Over {
        let queue = desk.queue_of(self.queue);
        for group in self.ids.chunks(GROUP) {
            if self.is_cancelled.load(Ordering::Relaxed) {
                return Over::Cancelled;
            }
            match queue.discard(group, &self.who.by, &self.who.why).await {
                Ok(there) => self.count(group.len(), there),
                Err(error) => return Over::Failed(error.to_string()),
            }
        }
        Over::Done
    }

    async fn replay(&self, desk: &Desk) -> Over {
        let ahead = if self.ids.len() > CANARY { CANARY } else { 0 };
        let (ahead, others) = self.ids.split_at(ahead);
        if let Some(over) = self.at_rate(desk, ahead).await {
            return over;
        }
        self.is_waiting.store(true, Ordering::Relaxed);
        for id in ahead {
            if let Some(over) = self.ended(desk, id).await {
                return over;
            }
        }
        self.is_waiting.store(false, Ordering::Relaxed);
        self.at_rate(desk, others).await.unwrap_or(Over::Done)
    }

    async fn at_rate(&self, desk: &Desk, ids: &[String]) -> Option<Over> {
        let queue = desk.queue_of(self.queue);
        let mut ticks = tokio::time::interval(Duration::from_secs(1) / RATE);
        for id in ids {
            ticks.tick().await;
            if self.is_cancelled.load(Ordering::Relaxed) {
                return Some(Over::Cancelled);
            }
            match queue
                .replay(std::slice::from_ref(id), &self.who.by, &self.who.why)
                .await
            {
                Ok(there) => self.count(1, there),
                Err(error) => return Some(Over::Failed(error.to_string())),
            }
        }
        None
    }

    /// Waits for the end of a letter that went ahead.
    async fn ended(&self, desk: &Desk, id: &str) -> Option<Over> {
        let event = match EventId::own(&format!("replay-{id}")) {
            Ok(event) => event,
            Err(error) => return Some(Over::Failed(error.to_string())),
        };
        let (mut looks, mut is_gone) = (tokio::time::interval(LOOK_EVERY), false);
        loop {
            looks.tick().await;
            if self.is_cancelled.load(Ordering::Relaxed) {
                return Some(Over::Cancelled);
            }
            let stories = match desk.store.trace_event(&event).await {
                Ok(stories) => stories,
                Err(error) => return Some(Over::Failed(error.to_string())),
            };
            let item = stories.first().and_then(|story| story.items.first());
            match item.and_then(|item| item.outcome.as_ref()) {
                Some(Outcome::Dead(_) | Outcome::Rejected(_)) => {
                    let job = item.and_then(|item| item.row).map(|row| row.to_string());
                    return Some(Over::DiedAgain(job.unwrap_or_else(|| id.to_owned())));
                }
                Some(_) => return None,
                // Somebody else has discarded it meanwhile. The ledger may just have got it: it is
                // looked at once more.
                None if stories.is_empty() && is_gone => return None,
                None => is_gone = stories.is_empty() && !self.is_there(desk, id).await,
            }
        }
    }

    /// Whether the replay of a letter is still under way into the ledger.
    async fn is_there(&self, desk: &Desk, id: &str) -> bool {
        let stats = desk.queue.stats().await;
        let is_letter = matches!(desk.queue_of(self.queue).dead_letter(id).await, Ok(Some(_)));
        is_letter || stats.map_or(true, |stats| stats.ledger_backlog > 0)
    }
}
