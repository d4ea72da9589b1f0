//! A new `bridge.toml` while the ingress runs: at SIGHUP, or when an operator asks all processes. It is
//! read and checked as at a start; if anything is wrong, the earlier one stays. A delivery is proven
//! and understood by one of them from its beginning to its end.
//!
//! What it works by, the ingress says in its heartbeat. While Redis is away nobody can ask, and
//! nobody hears it.

use std::sync::Arc;
use std::time::Duration;

use passerelle_model::id::ProcessName;
use passerelle_model::time::Timestamp;
use passerelle_queue::{IngressInfo, Queue, RulesInUse, WorkerInfo};
use tokio::signal::unix::Signal;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::bridge::{Bridge, Reading};

/// How often to look whether an operator asks.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long the last sign of a process that stops may take.
const LAST_SIGN: Duration = Duration::from_secs(1);

/// What new deliveries begin with.
#[derive(Debug, Clone)]
pub(crate) struct CurrentBridge(Arc<watch::Sender<Arc<Bridge>>>);

impl CurrentBridge {
    pub(crate) fn new(bridge: Bridge) -> Self {
        Self(Arc::new(watch::Sender::new(Arc::new(bridge))))
    }

    pub(crate) fn get(&self) -> Arc<Bridge> {
        Arc::clone(&self.0.borrow())
    }

    fn take(&self, bridge: Bridge) {
        self.0.send_replace(Arc::new(bridge));
    }
}

/// Takes a new file whenever it is asked to.
#[derive(Debug)]
pub(crate) struct Reload {
    reading: Arc<Reading>,
    current: CurrentBridge,
    queue: Queue,
    me: IngressInfo,
}

impl Reload {
    pub(crate) fn new(reading: Reading, current: CurrentBridge, queue: Queue) -> Self {
        let rules = RulesInUse::at_start(current.get().hash.clone());
        Self {
            reading: Arc::new(reading),
            current,
            queue,
            me: IngressInfo::of_this_process(rules),
        }
    }

    /// Never ends. Dropped, it is on the list of ingresses until its entry expires, or its name leaves.
    pub(crate) async fn run(mut self, mut hangup: Signal) {
        let (mut looks, mut beats) = (interval(LOOK_EVERY), interval(WorkerInfo::BEAT));
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = beats.tick() => {}
                Some(()) = hangup.recv() => self.reload(self.me.rules.answered).await,
                _ = looks.tick() => match self.asked().await {
                    Some(request) => self.reload(request).await,
                    None => continue,
                },
            }
            if let Err(error) = self.queue.beat_of_ingress(&self.me).await {
                tracing::debug!(%error, "the heartbeat could not be sent");
            }
        }
    }

    pub(crate) fn name(&self) -> ProcessName {
        self.me.name.clone()
    }

    /// The request that is not answered yet. While Redis is away nobody can ask.
    async fn asked(&self) -> Option<u64> {
        let last = self.queue.last_reload_request().await.ok()?;
        (last != self.me.rules.answered).then_some(last)
    }

    async fn reload(&mut self, request: u64) {
        let reading = Arc::clone(&self.reading);
        let read = tokio::task::spawn_blocking(move || reading.again()).await;
        let refused = match read {
            Ok(Ok(bridge)) => {
                self.take(bridge);
                None
            }
            Ok(Err(problems)) => Some(problems.to_string()),
            Err(died) => Some(died.to_string()),
        };
        if let Some(problems) = &refused {
            tracing::error!("the bridge file was read again and is not taken, the earlier one stays: {problems}");
        }
        (self.me.rules.answered, self.me.rules.refused) = (request, refused);
    }

    fn take(&mut self, bridge: Bridge) {
        let (rules, hash) = (&mut self.me.rules, bridge.hash.clone());
        let short = RulesInUse::short(&hash);
        if rules.hash == hash {
            tracing::info!(
                rules = short,
                "the bridge file was read again: its callers and fields are the same"
            );
        } else {
            tracing::info!(
                rules = short,
                "the new callers and fields are taken: new deliveries are judged by them"
            );
            rules.since = Timestamp::now();
        }
        rules.hash = hash;
        // Also where nothing has changed: a secret may have.
        self.current.take(bridge);
    }
}

/// The last sign of a process that stops.
pub(crate) async fn leave(queue: &Queue, name: &ProcessName) {
    let left = timeout(LAST_SIGN, queue.ingress_leaves(name)).await;
    if !matches!(left, Ok(Ok(()))) {
        tracing::debug!("the process could not be removed from the list of ingresses; its entry expires");
    }
}
