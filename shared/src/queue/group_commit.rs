//! Natural batching: while one call is in flight, what arrives gathers; the next call takes it all.
//!
//! No timer and no added latency when idle: a lone item is sent at once. Under load a round trip is shared by up to a hundred items.
//! There are two lanes, taken in turn: with one alone this process would be idle while Redis works, and Redis while this process prepares.
//! A caller that goes away (a dropped request) changes nothing: what was submitted is carried out.

use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

/// What is done with a group.
pub(super) trait Commit: Send + Sync + 'static {
    /// One thing to be done.
    type Item: Send + Sync + 'static;
    /// Its result.
    type Answer: Send + 'static;
    /// The most that one call takes, in the sum of the weights; an item that is heavier by itself travels alone.
    const MOST: usize;
    /// What an item counts.
    fn weight(item: &Self::Item) -> usize;
    /// Carries out a group: one answer per item, in order. Never called twice at once: each lane has a commit of its own.
    fn commit(&self, group: &[Self::Item]) -> impl Future<Output = Vec<Self::Answer>> + Send;
}

struct Waiting<C: Commit> {
    item: C::Item,
    answer: oneshot::Sender<C::Answer>,
}

/// How many groups may be under way at once.
const LANES: usize = 2;

/// The place where items gather.
pub(super) struct GroupCommit<C: Commit> {
    lanes: [Lane<C>; LANES],
    turn: AtomicUsize,
}

struct Lane<C: Commit> {
    commit: Arc<C>,
    sender: Mutex<Option<UnboundedSender<Waiting<C>>>>,
}

impl<C: Commit> GroupCommit<C> {
    /// Made of one commit per lane.
    pub(super) fn new(commit: impl Fn() -> C) -> Self {
        Self {
            lanes: std::array::from_fn(|_| Lane {
                commit: Arc::new(commit()),
                sender: Mutex::new(None),
            }),
            turn: AtomicUsize::new(0),
        }
    }

    /// Lets this runtime carry the lanes, rather than that of whoever comes first.
    pub(super) fn carry_here(&self) {
        for lane in &self.lanes {
            let mut sender = lane.sender.lock().unwrap_or_else(PoisonError::into_inner);
            *sender = lane.open().or(sender.take());
        }
    }

    /// Submits an item. The answer never comes if the runtime that carries the lane ends first.
    ///
    /// The lane is carried by a task of the runtime of the first caller; should that runtime end, the next caller's takes over.
    pub(super) fn submit(&self, item: C::Item) -> oneshot::Receiver<C::Answer> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % LANES;
        let (answer, receiver) = oneshot::channel();
        if let Some(lane) = self.lanes.get(turn) {
            lane.submit(Waiting { item, answer });
        }
        receiver
    }
}

impl<C: Commit> Lane<C> {
    fn submit(&self, mut waiting: Waiting<C>) {
        let mut lane = self.sender.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = lane.as_ref() {
            match sender.send(waiting) {
                Ok(()) => return,
                Err(refused) => waiting = refused.0,
            }
        }
        if let Some(sender) = self.open() {
            let _ = sender.send(waiting);
            *lane = Some(sender);
        }
    }

    /// Begins to carry on this runtime; `None` outside of one.
    fn open(&self) -> Option<UnboundedSender<Waiting<C>>> {
        let runtime = tokio::runtime::Handle::try_current().ok()?;
        let (sender, arrivals) = unbounded_channel();
        runtime.spawn(carry(Arc::clone(&self.commit), arrivals));
        Some(sender)
    }
}

async fn carry<C: Commit>(commit: Arc<C>, mut arrivals: UnboundedReceiver<Waiting<C>>) {
    let mut carried_over = None;
    loop {
        let first = match carried_over.take() {
            Some(waiting) => waiting,
            None => match arrivals.recv().await {
                Some(waiting) => waiting,
                None => return,
            },
        };
        // Whoever is ready at this moment comes along: without it a burst would begin with a group of one.
        tokio::task::yield_now().await;
        let mut weight = C::weight(&first.item);
        let (mut items, mut callers) = (vec![first.item], vec![first.answer]);
        while let Ok(next) = arrivals.try_recv() {
            weight += C::weight(&next.item);
            if weight > C::MOST {
                carried_over = Some(next);
                break;
            }
            items.push(next.item);
            callers.push(next.answer);
        }
        let answers = commit.commit(&items).await;
        for (caller, answer) in callers.into_iter().zip(answers) {
            // A caller that has gone away needs no answer.
            let _ = caller.send(answer);
        }
    }
}
