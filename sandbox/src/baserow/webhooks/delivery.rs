//! When calls are made: the export workers, the queue of each webhook, retries, and the
//! deactivation of a webhook that keeps failing.
//!
//! All calls wait in one queue for a worker. A worker puts a call aside if its webhook is being
//! called already; when that call ends, one call put aside goes to the end of the queue. With one
//! worker nothing is put aside, and the order is kept. Real servers have several workers, which
//! race for the calls put aside: here one is chosen at random.
//!
//! A failed call is retried after 1, 2, 4 … 128 s, behind the calls that wait by then. It holds no
//! worker while it waits.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use serde::Serialize;

use super::super::{Baserow, State, tempo};
use super::call::Call;
use super::exchange::{NoAnswer, Outgoing, Received};
use super::hook::LoggedCall;

/// The most retries of a call.
const MOST_RETRIES: u32 = 8;
/// The most attempts that the log keeps.
const KEPT: usize = 20_000;

/// The calls to be made.
#[derive(Debug, Default)]
pub(crate) struct Deliveries {
    queue: VecDeque<Call>,
    /// The webhooks that are being called.
    busy: BTreeSet<u64>,
    /// Calls put aside because their webhook was busy.
    aside: BTreeMap<u64, VecDeque<Call>>,
    /// The number of calls that wait for their next attempt.
    resting: usize,
    next_log_id: u64,
    pub(crate) attempts: VecDeque<Attempt>,
}

/// One attempt of a delivery, as the control routes show it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Attempt {
    webhook_id: u64,
    event_id: String,
    event_type: &'static str,
    batch_id: Option<u64>,
    /// 1 for the first.
    #[serde(rename = "attempt")]
    number: u32,
    at_ms: i64,
    url: String,
    /// The status of the answer, if one came.
    status: Option<u16>,
    error: String,
    body: String,
}

impl Deliveries {
    pub(crate) fn add(&mut self, calls: Vec<Call>) {
        self.queue.extend(calls);
    }

    /// The numbers of calls that wait for a worker, that are being made, and that wait for their
    /// next attempt.
    pub(crate) fn counts(&self) -> (usize, usize, usize) {
        let aside: usize = self.aside.values().map(VecDeque::len).sum();
        (self.queue.len() + aside, self.busy.len(), self.resting)
    }

    /// How many attempts were made so far.
    pub(crate) fn made(&self) -> u64 {
        self.next_log_id
    }

    /// The next call that a worker can make.
    fn take(&mut self, workers: usize) -> Option<Call> {
        while self.busy.len() < workers {
            let call = self.queue.pop_front()?;
            if self.busy.insert(call.webhook) {
                return Some(call);
            }
            self.aside.entry(call.webhook).or_default().push_back(call);
        }
        None
    }

    /// Frees a webhook after a call.
    fn free(&mut self, webhook: u64, workers: usize) {
        self.busy.remove(&webhook);
        let aside = self.aside.entry(webhook).or_default();
        if !aside.is_empty() {
            let first = rand::random_range(0..workers.clamp(1, aside.len()));
            self.queue.extend(aside.remove(first));
        }
    }

    /// Drops the calls that wait for a deactivated webhook. Calls that rest between attempts stay:
    /// they are made if the webhook is active again by then.
    fn forget(&mut self, webhook: u64) {
        self.aside.remove(&webhook);
        self.queue.retain(|call| call.webhook != webhook);
    }
}

impl Baserow {
    /// Starts as many waiting calls as there are workers.
    pub(crate) fn deliver(&self) {
        let mut state = self.lock();
        let workers = state.settings.export_workers;
        while let Some(call) = state.deliveries.take(workers) {
            let baserow = self.clone();
            self.runtime().spawn(async move { baserow.make(call).await });
        }
    }

    /// Makes one attempt, then queues what follows from it.
    async fn make(self, mut call: Call) {
        let (epoch, prepared) = {
            let state = self.lock();
            let is_on = state.hooks.get(&call.webhook).is_some_and(|hook| hook.active);
            let prepared = is_on.then(|| (call.body(&state.store), state.settings.request_timeout()));
            (state.epoch, prepared)
        };
        let mut again = false;
        if let Some((body, patience)) = prepared {
            let outgoing = call.outgoing(&body);
            let result = outgoing.clone().send(patience).await;
            call.report();
            let mut state = self.lock();
            // A call from before a reset belongs to a state that is gone.
            if state.epoch != epoch {
                return;
            }
            again = state.settle(&call, Made { outgoing, body, result });
        }
        let webhook = call.webhook;
        if again {
            self.rest(call);
        }
        {
            let mut state = self.lock();
            let workers = state.settings.export_workers;
            state.deliveries.free(webhook, workers);
        }
        self.deliver();
    }

    /// Brings a failed call back after its pause.
    fn rest(&self, mut call: Call) {
        let baserow = self.clone();
        let pause = Duration::from_secs(1 << call.failures);
        call.failures += 1;
        let epoch = {
            let mut state = self.lock();
            state.deliveries.resting += 1;
            state.epoch
        };
        self.runtime().spawn(async move {
            baserow.tempo().wait(pause).await;
            {
                let mut state = baserow.lock();
                if state.epoch != epoch {
                    return;
                }
                state.deliveries.resting -= 1;
                state.deliveries.add(vec![call]);
            }
            baserow.deliver();
        });
    }
}

/// An attempt that was just made.
struct Made {
    outgoing: Outgoing,
    body: String,
    result: Result<Received, NoAnswer>,
}

impl State {
    /// Records an attempt. True if the call must be retried.
    fn settle(&mut self, call: &Call, made: Made) -> bool {
        let (response, status, error) = match &made.result {
            Ok(received) => (received.logged(), Some(received.status), String::new()),
            Err(NoAnswer::Failed(words)) => (String::new(), None, words.clone()),
            Err(NoAnswer::Crashed) => return false,
        };
        self.note(call, made.body, status, &error);
        let succeeded = made.result.is_ok_and(|received| received.is_success());
        let log_id = self.deliveries.next_log_id + 1;
        self.deliveries.next_log_id = log_id;
        let Some(hook) = self.hooks.get_mut(&call.webhook) else {
            return false;
        };
        hook.log(LoggedCall {
            id: log_id,
            event_id: call.event_id.clone(),
            batch: call.batch(),
            event: call.event,
            called_on: tempo::now(),
            url: call.url.clone(),
            request: made.outgoing.logged(),
            response,
            status,
            error,
        });
        if hook.count(succeeded) {
            self.deliveries.forget(call.webhook);
        }
        if succeeded {
            self.deliveries.add(call.next().into_iter().collect());
        }
        !succeeded && call.failures < MOST_RETRIES
    }

    fn note(&mut self, call: &Call, body: String, status: Option<u16>, error: &str) {
        let attempts = &mut self.deliveries.attempts;
        if attempts.len() == KEPT {
            attempts.pop_front();
        }
        attempts.push_back(Attempt {
            webhook_id: call.webhook,
            event_id: call.event_id.clone(),
            event_type: call.event,
            batch_id: call.batch(),
            number: call.failures + 1,
            at_ms: tempo::now().as_millisecond(),
            url: call.url.clone(),
            status,
            error: error.to_owned(),
            body,
        });
    }
}
