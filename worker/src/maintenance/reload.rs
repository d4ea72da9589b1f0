//! New rules while the worker runs: at SIGHUP, or when an operator asks all workers. They are read
//! and checked as at a start; if anything is wrong, the earlier ones stay. New jobs follow the new
//! ones, jobs in hand finish with those that they began with.

use std::path::PathBuf;
use std::time::Duration;

use passerelle_model::config::Locale;
use passerelle_model::time::Timestamp;
use passerelle_queue::{Queue, RulesInUse};
use tokio::signal::unix::Signal;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::context::CurrentContext;
use crate::rule_files::{self, Loaded};
use crate::settings::Settings;

/// How often to look whether an operator asks.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What a reload needs.
#[derive(Debug)]
pub struct Reload {
    path: PathBuf,
    /// For whom the templates write: a setting, which a reload does not change.
    locale: Locale,
    queue: Queue,
    /// What the heartbeat says.
    in_use: watch::Sender<RulesInUse>,
}

impl Reload {
    /// From what was read at the start.
    pub fn new(settings: &Settings, queue: Queue) -> Self {
        let loaded = &settings.loaded;
        Self {
            path: settings.bridge_file.clone(),
            locale: loaded.rules.locale().clone(),
            queue,
            in_use: watch::Sender::new(RulesInUse::at_start(loaded.hash.clone())),
        }
    }

    /// By which rules the worker works.
    pub fn in_use(&self) -> watch::Receiver<RulesInUse> {
        self.in_use.subscribe()
    }

    /// Takes new rules whenever it is asked to, until `stop`.
    pub async fn run(self, current: CurrentContext, mut hangup: Signal, stop: CancellationToken) {
        let mut looks = tokio::time::interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                Some(()) = hangup.recv() => {
                    let answered = self.in_use.borrow().answered;
                    self.reload(&current, answered).await;
                }
                _ = looks.tick() => {
                    let answered = self.in_use.borrow().answered;
                    // While Redis is away nobody can ask.
                    let asked = self.queue.last_reload_request().await.unwrap_or(answered);
                    if asked != answered {
                        self.reload(&current, asked).await;
                    }
                }
            }
        }
    }

    async fn reload(&self, current: &CurrentContext, request: u64) {
        let first_probe = current.get().gates.policy().first_probe;
        let (path, locale) = (self.path.clone(), self.locale.clone());
        let read = tokio::task::spawn_blocking(move || rule_files::load(&path, &locale)).await;
        let refused = match read {
            Ok(Ok(loaded)) => {
                self.take(current, loaded);
                None
            }
            Ok(Err(problems)) => Some(problems.to_string()),
            Err(died) => Some(died.to_string()),
        };
        if let Some(problems) = &refused {
            tracing::error!("the rules were read again and are not taken, the earlier ones stay: {problems}");
        } else if let Err(error) = self.queue.probe_held_tables(first_probe).await {
            tracing::warn!(%error, "tables whose rule was broken wait for their next probe");
        }
        self.in_use.send_modify(|in_use| {
            in_use.answered = request;
            in_use.refused = refused;
        });
    }

    fn take(&self, current: &CurrentContext, loaded: Loaded) {
        let hash = loaded.hash.clone();
        if self.in_use.borrow().hash == hash {
            tracing::info!(
                rules = RulesInUse::short(&hash),
                "the rules were read again: nothing has changed"
            );
            return;
        }
        current.take(loaded);
        tracing::info!(
            rules = RulesInUse::short(&hash),
            "the new rules are taken: new jobs follow them, jobs in hand finish with the earlier ones"
        );
        self.in_use.send_modify(|in_use| {
            in_use.hash = hash;
            in_use.since = Timestamp::now();
        });
    }
}
