//! What a test leaves behind when it drops its system. Whatever it did not say that it leaves makes
//! it fail: a dead letter, a job or an event without an end, a byte in the spool, an `error` line
//! in a log.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use passerelle_model::config::StoreSettings;
use passerelle_queue::{Queue, QueueName, QueueStats};
use passerelle_store::Store;
use test_support::eventually;

use crate::System;
use crate::builder::open_redis;

/// What a test says that it leaves.
#[derive(Debug, Default)]
pub(crate) struct Expected(Mutex<Leavings>);

#[derive(Debug, Default, Clone)]
struct Leavings {
    dead: u64,
    open: u64,
    is_broken: bool,
    errors: Vec<String>,
}

impl Expected {
    /// Nobody minds what is left.
    pub(crate) fn anything() -> Self {
        Self(Mutex::new(Leavings {
            is_broken: true,
            errors: vec![String::new()],
            ..Leavings::default()
        }))
    }

    fn change(&self, change: impl FnOnce(&mut Leavings)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn read(&self) -> Leavings {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl System {
    /// So many jobs were given up and have dead letters in the end. How many letters a job has may
    /// be chance: two events may be one run or two.
    pub fn expect_dead(&self, count: u64) {
        self.expected.change(|leavings| leavings.dead = count);
        self.expect_errors("given up, kept as a dead letter");
    }

    /// This test leaves so many jobs that have not ended.
    pub fn expect_open(&self, count: u64) {
        self.expected.change(|leavings| leavings.open = count);
    }

    /// Lines of level `error` with these words may be logged.
    pub fn expect_errors(&self, words: &str) {
        self.expected.change(|leavings| leavings.errors.push(words.to_owned()));
    }

    /// This test ends while something is broken or half done: only its logs are looked at.
    pub fn expect_unfinished(&self) {
        self.expected.change(|leavings| leavings.is_broken = true);
    }

    /// Lines of level `error` and panics in the logs.
    pub(crate) fn logged_errors(&self) -> Vec<String> {
        errors(self.folder.path(), &[])
    }

    fn has_a_worker(&mut self) -> bool {
        self.workers.iter_mut().any(crate::Process::is_running)
    }
}

impl Drop for System {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let expected = self.expected.read();
        let mut left = errors(self.folder.path(), &expected.errors);
        if !expected.is_broken {
            let place = Place {
                environment: self.environment.clone(),
                has_a_worker: self.has_a_worker(),
            };
            left.extend(unfinished(place, expected));
            left.extend(spooled(&self.spool()));
        }
        assert!(left.is_empty(), "the test leaves behind:\n{}", left.join("\n"));
    }
}

/// Lines of level `error` and panics in the logs, except those with these words.
fn errors(folder: &Path, expected: &[String]) -> Vec<String> {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    let logs = files.filter(|file| file.path().extension().is_some_and(|extension| extension == "log"));
    let lines = logs.flat_map(|log| {
        let name = log.file_name().display().to_string();
        let text = fs::read(log.path()).unwrap_or_default();
        let lines = String::from_utf8_lossy(&text)
            .lines()
            .map(str::to_owned)
            .collect::<Vec<_>>();
        lines.into_iter().map(move |line| format!("{name}: {line}"))
    });
    let is_wrong = |line: &String| line.contains("\"level\":\"ERROR\"") || line.contains("panicked at");
    lines
        .filter(is_wrong)
        .filter(|line| !expected.iter().any(|words| line.contains(words)))
        .collect()
}

pub(crate) fn spooled(folder: &Path) -> Option<String> {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    let bytes: u64 = files
        .filter_map(|file| file.metadata().ok())
        .map(|data| data.len())
        .sum();
    (bytes > 0).then(|| format!("{bytes} bytes in the spool"))
}

struct Place {
    environment: BTreeMap<String, String>,
    /// Without one, no fact of the ledger reaches the store.
    has_a_worker: bool,
}

/// Dropping cannot wait for a future, and the test's own runtime may be the one that is blocked by
/// it: this has a thread and a runtime of its own.
fn unfinished(place: Place, expected: Leavings) -> Option<String> {
    let look = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(look(&place, &expected))
    };
    match std::thread::spawn(look).join() {
        Ok(Ok(())) => None,
        Ok(Err(wrong)) => Some(format!("{wrong:#}")),
        Err(panic) => Some(panic.downcast_ref::<String>().cloned().unwrap_or_default()),
    }
}

async fn look(place: &Place, expected: &Leavings) -> anyhow::Result<()> {
    let redis = open_redis(&place.environment)?;
    let queues = QueueName::ALL.map(|name| Queue::new(redis.clone(), name));
    let open = |stats: &QueueStats| stats.active + stats.running + stats.scheduled;
    eventually("everything has ended that the test does not leave open", async || {
        let mut jobs = 0;
        let mut facts = 0;
        for queue in &queues {
            let stats = queue.stats().await.map_err(|error| error.to_string())?;
            jobs += open(&stats);
            facts = stats.ledger_backlog;
        }
        let is_written = facts == 0 || !place.has_a_worker;
        if jobs == expected.open && is_written {
            Ok(())
        } else {
            Err(format!("{jobs} jobs are open, {facts} facts are not in the store"))
        }
    })
    .await;
    let mut dead = BTreeMap::new();
    for queue in &queues {
        for letter in queue.dead_letters(None, 10_000).await? {
            dead.insert(letter.job.to_string(), letter.failure.message);
        }
    }
    anyhow::ensure!(
        u64::try_from(dead.len())? == expected.dead,
        "{} jobs have dead letters, not {}: {dead:#?}",
        dead.len(),
        expected.dead
    );
    if place.has_a_worker && expected.open == 0 {
        let store = Store::open(&StoreSettings::at(place.environment["DATABASE_URL"].clone())).await?;
        let counts = store.counts().await?;
        anyhow::ensure!((counts.open, counts.missing()) == (0, 0), "{counts:?}");
    }
    Ok(())
}
