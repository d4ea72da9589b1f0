//! The worker's settings: its own group and those that it shares with other processes. All problems are reported at once.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use passerelle_shared::config::{
    BaserowSettings, BridgeFile, BridgeFileSettings, DeadLetterSettings, DocmostSettings, Problems, Reader,
    RedisSettings, StoreSettings,
};

use passerelle_shared::gate::GatePolicy;

use crate::rounds::RoundSettings;
use crate::rules::{RuleSources, Rules};
use crate::runner::RunnerSettings;

/// Everything that a worker needs to start.
#[derive(Debug)]
pub struct Settings {
    /// `WORKER_CONCURRENCY`: most jobs at once.
    pub concurrency: usize,
    /// `WORKER_GRACE_SECONDS`: how long running jobs may take to end after SIGTERM.
    pub grace: Duration,
    /// `WORKER_LEASE_SECONDS`: how long a job stays with a worker that says nothing.
    pub lease: Duration,
    /// `WORKER_HEALTH_BIND`: where `/healthz`, `/readyz` and `/metrics` answer.
    pub health_bind: SocketAddr,
    /// `WORKER_ZOMBIE_WINDOW_SECONDS`: how long after an unknown outcome a page may still come to exist.
    pub zombie_window: Duration,
    /// `LOG_LEVEL`.
    pub log_level: String,
    /// The queue.
    pub redis: RedisSettings,
    /// The ledger, links and intents.
    pub store: StoreSettings,
    /// The source of the rows.
    pub baserow: BaserowSettings,
    /// The wiki.
    pub docmost: DocmostSettings,
    /// `GATE_…`: when to spare a target that is down.
    pub gates: GatePolicy,
    /// What is done from time to time.
    pub rounds: RoundSettings,
    /// `DEAD_LETTERS_BUDGET_BYTES`.
    pub dead_letters: DeadLetterSettings,
    /// What to do for which table.
    pub rules: Rules,
}

impl Settings {
    /// Reads everything, or reports everything that is wrong.
    pub fn read(mut reader: Reader) -> Result<Self, Problems> {
        let path = BridgeFileSettings::read(&reader).path;
        let rules = read_rule_sources(&path).and_then(|sources| Rules::compile(&sources));
        if let Err(problems) = &rules {
            reader.add(problems.clone());
        }
        let concurrency = reader.parsed("WORKER_CONCURRENCY", 16_usize).clamp(1, 1024);
        let grace = reader.seconds("WORKER_GRACE_SECONDS", 20);
        let lease = reader.seconds("WORKER_LEASE_SECONDS", 30);
        let health_bind = reader.parsed("WORKER_HEALTH_BIND", SocketAddr::from(([127, 0, 0, 1], 8081)));
        let zombie_window = reader.seconds("WORKER_ZOMBIE_WINDOW_SECONDS", 15);
        let log_level = reader.text("LOG_LEVEL", "info");
        let redis = RedisSettings::read(&mut reader);
        let store = StoreSettings::read(&mut reader);
        let baserow = BaserowSettings::read(&mut reader);
        let docmost = DocmostSettings::read(&mut reader);
        let gates = GatePolicy::read(&mut reader);
        let rounds = RoundSettings::read(&mut reader);
        let dead_letters = DeadLetterSettings::read(&mut reader);
        reader.finish(())?;
        Ok(Self {
            concurrency,
            grace,
            lease,
            health_bind,
            zombie_window,
            log_level,
            redis,
            store,
            baserow,
            docmost,
            gates,
            rounds,
            dead_letters,
            rules: rules?,
        })
    }
}

impl Settings {
    /// The group of the runner.
    pub fn runner(&self) -> RunnerSettings {
        RunnerSettings {
            concurrency: self.concurrency,
            grace: self.grace,
            lease: self.lease,
        }
    }
}

/// Reads `bridge.toml` and the templates that its rules name. A template that cannot be read is a problem of its rule, reported with the others.
pub fn read_rule_sources(path: &Path) -> Result<RuleSources, Problems> {
    let place = path.display().to_string();
    let text = BridgeFile::read_text(path)?;
    let file = BridgeFile::parse(&text, &place)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let paths = file
        .rules
        .iter()
        .flat_map(|rule| rule.get_ref().bodies().map(str::to_owned));
    let templates: BTreeMap<_, _> = paths
        .map(|template| {
            let text = std::fs::read_to_string(folder.join(&template)).map_err(|error| error.to_string());
            (template, text)
        })
        .collect();
    Ok(RuleSources {
        place,
        text,
        file,
        templates,
    })
}
