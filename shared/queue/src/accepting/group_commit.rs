//! Natural batching: while one call is in flight, what arrives gathers; the next call takes it all.
//!
//! No timer and no added latency when idle: a lone item is sent at once. Under load a round trip is
//! shared by up to a hundred items. What has gathered is sent before those who have their answers
//! are woken: so Redis works on the next group while this thread sees to the last one, and neither
//! waits for the other. A caller that goes away (a dropped request) changes nothing: what was
//! submitted is carried out.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use futures::poll;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

/// What is done with a group.
pub(crate) trait Commit: Send + Sync + 'static {
    /// One thing to be done.
    type Item: Send + Sync + 'static;
    /// Its result.
    type Answer: Send + 'static;
    /// The most that one call takes, in the sum of the weights; an item that is heavier by itself
    /// travels alone.
    const MOST: usize;
    /// What an item counts.
    fn weight(item: &Self::Item) -> usize;
    /// Carries out a group: one answer per item, in order. Never called twice at once.
    fn commit(&self, group: &[Self::Item]) -> impl Future<Output = Vec<Self::Answer>> + Send;
}

struct Waiting<C: Commit> {
    item: C::Item,
    answer: oneshot::Sender<C::Answer>,
}

/// The place where items gather.
pub(crate) struct GroupCommit<C: Commit> {
    commit: Arc<C>,
    sender: Mutex<Option<UnboundedSender<Waiting<C>>>>,
}

impl<C: Commit> GroupCommit<C> {
    /// Nothing is carried yet.
    pub(crate) fn new(commit: C) -> Self {
        Self {
            commit: Arc::new(commit),
            sender: Mutex::new(None),
        }
    }

    /// Submits an item. The answer never comes if the runtime that carries the groups ends first.
    ///
    /// They are carried by a task of the runtime of the first caller; should that runtime end, the
    /// next caller's takes over.
    pub(crate) fn submit(&self, item: C::Item) -> oneshot::Receiver<C::Answer> {
        let (answer, receiver) = oneshot::channel();
        let mut waiting = Waiting { item, answer };
        let mut carrier = self.sender.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = carrier.as_ref() {
            match sender.send(waiting) {
                Ok(()) => return receiver,
                Err(refused) => waiting = refused.0,
            }
        }
        // Outside of a runtime nobody can carry it: then the receiver says so.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let (sender, arrivals) = unbounded_channel();
            runtime.spawn(carry(Arc::clone(&self.commit), arrivals));
            let _ = sender.send(waiting);
            *carrier = Some(sender);
        }
        receiver
    }
}

/// Answers that nobody has been told yet.
struct Answered<C: Commit> {
    callers: Vec<oneshot::Sender<C::Answer>>,
    answers: Vec<C::Answer>,
}

impl<C: Commit> Answered<C> {
    fn nobody() -> Self {
        Self {
            callers: Vec::new(),
            answers: Vec::new(),
        }
    }

    fn send(&mut self) {
        for (caller, answer) in self.callers.drain(..).zip(self.answers.drain(..)) {
            // A caller that has gone away needs no answer.
            let _ = caller.send(answer);
        }
    }
}

/// What has arrived and is in no group yet.
struct Arrivals<C: Commit> {
    arrivals: UnboundedReceiver<Waiting<C>>,
    carried_over: Option<Waiting<C>>,
}

impl<C: Commit> Arrivals<C> {
    fn at_hand(&mut self) -> Option<Waiting<C>> {
        self.carried_over.take().or_else(|| self.arrivals.try_recv().ok())
    }

    /// Waits for one; `None` at the end. Whoever is ready at the same moment comes along: else a
    /// burst would begin with a group of one.
    async fn wait(&mut self) -> Option<Waiting<C>> {
        let first = self.arrivals.recv().await;
        tokio::task::yield_now().await;
        first
    }

    /// Closes a group that begins with this one.
    fn group(&mut self, first: Waiting<C>) -> (Vec<C::Item>, Vec<oneshot::Sender<C::Answer>>) {
        let mut weight = C::weight(&first.item);
        let (mut items, mut callers) = (vec![first.item], vec![first.answer]);
        while let Ok(next) = self.arrivals.try_recv() {
            weight += C::weight(&next.item);
            if weight > C::MOST {
                self.carried_over = Some(next);
                break;
            }
            items.push(next.item);
            callers.push(next.answer);
        }
        (items, callers)
    }
}

async fn carry<C: Commit>(commit: Arc<C>, arrivals: UnboundedReceiver<Waiting<C>>) {
    let mut arrivals: Arrivals<C> = Arrivals {
        arrivals,
        carried_over: None,
    };
    let mut answered = Answered::<C>::nobody();
    loop {
        let first = if let Some(first) = arrivals.at_hand() {
            first
        } else {
            answered.send();
            let Some(first) = arrivals.wait().await else { return };
            first
        };
        let (items, callers) = arrivals.group(first);
        let mut committing = pin!(commit.commit(&items));
        // The first poll puts it on its way.
        let begun = poll!(committing.as_mut());
        answered.send();
        let answers = match begun {
            Poll::Ready(answers) => answers,
            Poll::Pending => committing.await,
        };
        answered = Answered { callers, answers };
    }
}
