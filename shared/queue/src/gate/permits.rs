//! A concurrency limit for the calls of a target, over all replicas.
//!
//! **What it needs.** The process's [`Gates`]: their Redis and the process's name. A call acquires
//! a [`Permit`] ([`Permits::acquire`]) and runs inside [`Permit::during`].
//!
//! **How many.** Between 1 and `most`, beginning with 4, as many as are useful: hill climbing on
//! the throughput, shared by all processes. More are kept only while calls end faster with them;
//! `scripts/limit.lua` has the rules and their source.
//!
//! **Properties.**
//! 1. At most `most` calls are under way at once, however many processes run; a process alone may use all permits.
//! 2. No process starves: one that has used a permit for [`SLICE`] leaves it to others that wait.
//! 3. The permits of a killed process expire after [`LEASE`].
//! 4. While Redis is away, each process makes four calls at once at most, beside those that were under way.
//! 5. A call costs one round trip to Redis, a last one two. That a call has ended is told with the next question.
//! 6. Where calls at once make the target slower or gain nothing, few are made; where all gain, as many as may be.
//!
//! **Races.** *A process was frozen and wakes*: its permits had expired, so these calls may exceed
//! the limit; its next ones wait. *Redis' clock jumps*: permits get one more lease; living calls
//! renew theirs, so none ends wrongly and none blocks for longer. *Processes with different limits*
//! (a rolling restart): each keeps to its own.
//!
//! **Decision.** Waiters poll every 10 ms, one per process. A permit passes from call to call
//! within a process and changes the process at most five times a second. So it idles for a few per
//! cent of the time, and no subscription is needed.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, interval_at, sleep};

use super::gates::rand_chance;
use super::policy::millis;
use super::{GateTarget, Gates, scripts};
use crate::{QueueError, Redis};

/// Most calls at once of a process while Redis is away: nobody knows how many are useful.
const ALONE: usize = 4;
/// How long a permit lasts that is not renewed; a call renews its own every third of it.
const LEASE: Duration = Duration::from_secs(3);
/// After so long a permit goes to another process, if one waits.
const SLICE: Duration = Duration::from_millis(200);
/// How often a waiter polls, give or take a half.
const POLL_EVERY: Duration = Duration::from_millis(10);
/// How long a process counts as waiting after it polled.
const WAITING: Duration = Duration::from_millis(500);

/// The permits of one target, as one process uses them. Cheap to clone; clones share them.
#[derive(Debug, Clone)]
pub struct Permits {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    redis: Redis,
    used: String,
    waiting: String,
    last_run: String,
    measured: String,
    target: GateTarget,
    process: String,
    most: usize,
    /// As many as there are idle slots.
    free: Semaphore,
    /// Calls without a permit, while Redis is away.
    alone: Semaphore,
    pool: Mutex<Pool>,
    /// One caller at a time polls Redis.
    polling: tokio::sync::Mutex<()>,
}

/// What a permit of this process can be: a name that no other process uses.
#[derive(Debug, Default)]
struct Slot {
    token: String,
    /// Since when it is a permit, as far as this process knows.
    since: Option<Instant>,
    /// Whether a call of it has ended that Redis was not told of.
    has_ended: bool,
}

#[derive(Debug)]
struct Pool {
    /// Slots that no call uses; those that are permits are taken first.
    idle: Vec<Slot>,
    /// How many callers wait for one.
    queued: usize,
}

impl Pool {
    /// Whether a caller of this process waits that would find no idle permit.
    fn wants_a_permit(&self) -> bool {
        self.queued > self.idle.iter().filter(|slot| slot.since.is_some()).count()
    }

    fn put_back(&mut self, slot: Slot) {
        let at = if slot.since.is_some() { self.idle.len() } else { 0 };
        self.idle.insert(at, slot);
    }
}

/// What to do with a token: see the script.
#[derive(Debug, Clone, Copy)]
enum Wish {
    Take,
    Yield,
    Keep,
    Give,
}

impl Wish {
    fn as_str(self) -> &'static str {
        match self {
            Self::Take => "take",
            Self::Yield => "yield",
            Self::Keep => "keep",
            Self::Give => "give",
        }
    }
}

impl Permits {
    /// At most `most` calls at once towards `target`, over all processes with gates in the same
    /// Redis; at least 1.
    pub fn new(gates: &Gates, target: GateTarget, most: usize) -> Self {
        let process = gates.process().as_str();
        let most = most.max(1);
        let used = format!("{}:permits:{}", gates.inner.base, target.as_str());
        let slots = (0..most).map(|number| Slot {
            token: format!("{process}#{number}"),
            ..Slot::default()
        });
        Self {
            inner: Arc::new(Inner {
                redis: gates.inner.redis.clone(),
                waiting: format!("{used}:waiting"),
                last_run: format!("{used}:last-run"),
                measured: format!("{used}:limit"),
                used,
                target,
                process: process.to_owned(),
                most,
                free: Semaphore::new(most),
                alone: Semaphore::new(most.min(ALONE)),
                pool: Mutex::new(Pool {
                    idle: slots.collect(),
                    queued: 0,
                }),
                polling: tokio::sync::Mutex::new(()),
            }),
        }
    }

    /// Waits for the right to make one call.
    pub async fn acquire(&self) -> Permit<'_> {
        let mut permit = self.inner.slot().await;
        let alone = self.inner.take(&mut permit.slot).await;
        permit.places.extend(alone);
        permit
    }
}

/// The right to make one call: a slot of the pool that Redis knows as a permit. If it is dropped
/// before the call's end, it expires in Redis.
#[derive(Debug)]
pub struct Permit<'a> {
    slot: Slot,
    inner: &'a Inner,
    is_put_back: bool,
    /// Its places among the calls of this process, free again when it is dropped.
    places: Vec<SemaphorePermit<'a>>,
}

impl Permit<'_> {
    /// Makes the call, and leaves the permit to the next one.
    pub async fn during<T>(mut self, call: impl Future<Output = T>) -> T {
        let result = self.inner.keep_during(&self.slot, call).await;
        self.slot.has_ended = true;
        self.leave().await;
        result
    }

    /// Makes no call.
    pub async fn give_back(mut self) {
        self.leave().await;
    }

    async fn leave(&mut self) {
        if !self.stays_for_the_next() {
            self.inner.give(&mut self.slot).await;
        }
    }

    /// Puts the slot back as a permit, if a caller of this process waits for one. One step, because
    /// two calls that end together must not both hand over to the same caller: the second permit
    /// would idle.
    fn stays_for_the_next(&mut self) -> bool {
        let mut pool = self.inner.pool();
        self.is_put_back = pool.wants_a_permit();
        if self.is_put_back {
            pool.put_back(std::mem::take(&mut self.slot));
        }
        self.is_put_back
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if !self.is_put_back {
            self.inner.pool().put_back(std::mem::take(&mut self.slot));
        }
    }
}

/// Counts a waiting caller for as long as it exists.
struct Queued<'a>(&'a Inner);

impl<'a> Queued<'a> {
    fn new(inner: &'a Inner) -> Self {
        inner.pool().queued += 1;
        Self(inner)
    }
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.0.pool().queued -= 1;
    }
}

impl Inner {
    /// A slot, as soon as one is idle here.
    async fn slot(&self) -> Permit<'_> {
        let queued = Queued::new(self);
        // It is never closed.
        let free = self.free.acquire().await.ok();
        drop(queued);
        Permit {
            // There is one: the semaphore counts them.
            slot: self.pool().idle.pop().unwrap_or_default(),
            inner: self,
            is_put_back: false,
            places: free.into_iter().collect(),
        }
    }

    /// Until the slot is a permit; if Redis is away, until this process alone may make a call.
    async fn take(&self, slot: &mut Slot) -> Option<SemaphorePermit<'_>> {
        let is_long = slot.since.is_some_and(|since| since.elapsed() >= SLICE);
        let mut wish = if is_long { Wish::Yield } else { Wish::Take };
        let mut polling = None;
        loop {
            let has_ended = std::mem::take(&mut slot.has_ended);
            match self.ask(slot, wish, has_ended).await {
                Ok(true) => {
                    slot.since.get_or_insert_with(Instant::now);
                    return None;
                }
                Ok(false) => slot.since = None,
                Err(error) => {
                    tracing::debug!(%error, "Redis is away: this process alone limits its calls for the moment");
                    slot.since = None;
                    drop(polling);
                    // It is never closed.
                    return self.alone.acquire().await.ok();
                }
            }
            wish = Wish::Take;
            // Who follows a caller that got a permit asks at once: there may be more.
            match polling {
                None => polling = Some(self.polling.lock().await),
                Some(_) => sleep(POLL_EVERY.mul_f64(0.5 + rand_chance())).await,
            }
        }
    }

    async fn keep_during<T>(&self, slot: &Slot, call: impl Future<Output = T>) -> T {
        let keep = async {
            let mut renewals = interval_at(Instant::now() + LEASE / 3, LEASE / 3);
            loop {
                renewals.tick().await;
                // Whatever it answers: the call is under way.
                let _: Result<bool, _> = self.ask(slot, Wish::Keep, false).await;
            }
        };
        tokio::select! {
            result = call => result,
            never = keep => never,
        }
    }

    /// Best effort: a permit that could not be given back expires.
    async fn give(&self, slot: &mut Slot) {
        slot.since = None;
        let has_ended = std::mem::take(&mut slot.has_ended);
        let _: Result<bool, _> = self.ask(slot, Wish::Give, has_ended).await;
    }

    async fn ask(&self, slot: &Slot, wish: Wish, has_ended: bool) -> Result<bool, QueueError> {
        let mut call = scripts::PERMIT.call(4);
        call.arg(&self.used)
            .arg(&self.waiting)
            .arg(&self.last_run)
            .arg(&self.measured);
        call.arg(&slot.token).arg(&self.process).arg(self.most);
        call.arg(millis(LEASE)).arg(millis(WAITING)).arg(wish.as_str());
        call.arg(u8::from(has_ended));
        let useful: u32 = call.send(&self.redis).await?;
        if useful > 0 {
            metrics::gauge!("passerelle_useful_calls", "target" => self.target.as_str()).set(f64::from(useful));
        }
        Ok(useful > 0)
    }

    fn pool(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
