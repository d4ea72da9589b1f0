//! A whole bridge that runs: its processes, its own Redis, its own store and the sandbox.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use passerelle_model::config::StoreSettings;
use passerelle_model::ledger::LedgerRecord;
use passerelle_queue::{Queue, QueueStats};
use passerelle_store::{Counts, Store};
use serde_json::{Value, json};
use tempfile::TempDir;
use test_support::{TestRedis, eventually};

use crate::leftovers::Expected;
use crate::webhook::delivery;
use crate::{Baserow, Caller, Docmost, People, Process, SystemBuilder};

/// The webhook secret of every test system.
pub const SECRET: &str = "a-secret-that-only-tests-use";
const PERSON_EMAIL: &str = "human@passerelle.test";
const PERSON_PASSWORD: &str = "sandbox-human";
/// How long a process may take to stop when asked.
pub const STOPS_WITHIN: Duration = Duration::from_mins(2);

/// A running bridge. Everything in it is stopped and removed when it is dropped; what the test
/// leaves without saying so makes it fail (`expect_dead`, `expect_open`, `expect_errors`).
#[derive(Debug)]
pub struct System {
    pub redis: TestRedis,
    /// Baserow, as a user.
    pub baserow: Baserow,
    /// Docmost, as a user.
    pub docmost: Docmost,
    /// The queue, as an operator's program sees it.
    pub queue: Queue,
    pub ingress: Process,
    pub workers: Vec<Process>,
    /// The sandbox with both products.
    pub sandbox: Process,
    /// The address of the ingress.
    pub ingress_url: String,
    /// What people got, by mail and Slack.
    pub people: People,
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) worker_environment: BTreeMap<String, String>,
    pub(crate) http: reqwest::Client,
    pub(crate) folder: TempDir,
    pub(crate) expected: Expected,
}

impl System {
    /// A system with one worker, whose projet table calls the ingress.
    pub fn builder() -> SystemBuilder {
        SystemBuilder::default()
    }

    /// A caller of the ingress that holds the secret.
    pub fn caller(&self) -> Caller {
        Caller::new(self.http.clone(), &self.ingress_url, "projet-changed", SECRET)
    }

    /// The same for another ingress, each time over a connection of its own.
    pub fn caller_of(&self, ingress_url: &str) -> Caller {
        Caller::new(reqwest::Client::default(), ingress_url, "projet-changed", SECRET)
    }

    /// A person who writes in the wiki beside the bridge.
    pub fn person(&self) -> Docmost {
        Docmost::new(self.http.clone(), &self.docmost.url, PERSON_EMAIL, PERSON_PASSWORD)
    }

    /// Makes every table call the ingress whenever anything happens in it, each under a source of
    /// its own.
    pub async fn watch_all_tables(&self) -> anyhow::Result<()> {
        for table in self.baserow.tables().await? {
            let url = format!(
                "{}/api/webhooks/baserow/table-{}-changed",
                self.ingress_url, table["id"]
            );
            let webhook = json!({"table": table["name"], "url": url, "sign_with": SECRET});
            self.baserow
                .control(reqwest::Method::POST, "/_sandbox/baserow/webhooks", Some(webhook))
                .await?;
        }
        Ok(())
    }

    /// Starts the ingress again, in the place of one that has ended.
    pub fn start_ingress(&mut self) -> anyhow::Result<()> {
        self.ingress = crate::builder::start_ingress(&self.environment, self.folder.path())?;
        Ok(())
    }

    /// The folder of the ingress's spool.
    pub fn spool(&self) -> PathBuf {
        self.folder.path().join("spool")
    }

    /// What a process answers to a `GET` of this path: status and body.
    pub async fn get(&self, url: &str) -> anyhow::Result<(u16, String)> {
        let response = self.http.get(url).send().await?;
        Ok((response.status().as_u16(), response.text().await?))
    }

    /// Starts one more worker.
    pub fn start_worker(&mut self) -> anyhow::Result<()> {
        let extra = self.worker_environment.clone();
        self.start_worker_with(&extra)
    }

    /// Starts one more worker with extra environment variables of its own.
    pub fn start_worker_with(&mut self, extra: &BTreeMap<String, String>) -> anyhow::Result<()> {
        let mut environment = self.environment.clone();
        environment.extend(extra.clone());
        let log = self
            .folder
            .path()
            .join(format!("worker-{}.log", self.workers.len() + 1));
        self.workers
            .push(Process::start("passerelle-worker", &[], &environment, &log)?);
        Ok(())
    }

    /// Starts the whole bridge in one process, with extra environment variables of its own.
    pub fn start_all_in_one(&mut self, extra: &BTreeMap<String, String>) -> anyhow::Result<()> {
        let mut environment = self.environment.clone();
        environment.extend(extra.clone());
        let log = self.folder.path().join("all.log");
        self.workers
            .push(Process::start("passerelle", &["all".to_owned()], &environment, &log)?);
        Ok(())
    }

    /// The settings of every process, as they would stand in `.env`.
    pub fn environment(&self) -> &BTreeMap<String, String> {
        &self.environment
    }

    /// Runs the operator's program and returns what it printed; fails if it did.
    pub async fn operator(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let program = crate::process::program_path("passerelle")?;
        let mut command = tokio::process::Command::new(program);
        let output = command
            .args(arguments)
            .env_clear()
            .envs(&self.environment)
            .kill_on_drop(true)
            .output()
            .await?;
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        let complaint = String::from_utf8_lossy(&output.stderr);
        anyhow::ensure!(
            output.status.success(),
            "passerelle {arguments:?} failed:\n{printed}{complaint}"
        );
        Ok(printed)
    }

    /// The closing sentences that `trace` tells of an event or a row, one for each row of each
    /// event.
    pub async fn why(&self, subject: &str) -> anyhow::Result<Vec<String>> {
        let story = self.operator(&["trace", subject]).await?;
        let sentences = story.lines().filter_map(|line| line.trim().strip_prefix("Why: "));
        Ok(sentences.map(str::to_owned).collect())
    }

    /// Makes these the only faults of Docmost; none makes it whole again.
    pub async fn break_docmost(&self, faults: &[Value]) -> anyhow::Result<()> {
        self.docmost
            .control(reqwest::Method::PUT, "/_sandbox/faults", Some(json!(faults)))
            .await
            .map(|_| ())
    }

    /// Projects as somebody pastes them, and one delivery that tells of them; how long it takes until
    /// all have their pages.
    pub async fn paste_projects(&self, names: &[String], event: &str) -> anyhow::Result<Duration> {
        let rows: Vec<Value> = names.iter().map(|name| json!({ "Nom": name })).collect();
        let path = "/_sandbox/baserow/tables/projet/rows";
        let added = self
            .baserow
            .control(reqwest::Method::POST, path, Some(json!(rows)))
            .await?;
        let ids = added["ids"].as_array().context("no ids")?;
        let items: Vec<Value> = ids.iter().map(|id| json!({"id": id, "order": "1.00"})).collect();
        let table = self.baserow.table("projet").await?;
        let body = delivery("rows.created", table, event, &items);
        let began = Instant::now();
        let answer = self.caller().post(body.to_string()).await?;
        anyhow::ensure!(answer.status == 200, "{answer:?}");
        self.drain().await;
        Ok(began.elapsed())
    }

    /// Accepted items = the sum of the outcomes, and nothing is open; by the totals and by counting
    /// row by row.
    pub async fn every_item_has_one_outcome(&self) -> anyhow::Result<Counts> {
        let store = self.store().await?;
        let counts = store.counts().await?;
        anyhow::ensure!(
            counts.items > 0 && (counts.open, counts.missing()) == (0, 0),
            "{counts:?}\n{}",
            self.logs()
        );
        anyhow::ensure!(counts == store.recount().await?, "the totals are wrong: {counts:?}");
        Ok(counts)
    }

    /// Waits until Baserow has delivered every webhook.
    pub async fn drained_webhooks(&self) {
        eventually("Baserow has delivered every webhook", async || {
            let state = self
                .baserow
                .control(reqwest::Method::GET, "/_sandbox/baserow/state", None)
                .await;
            match state {
                Ok(state) if state["idle"] == true => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .await;
    }

    /// How often each event is in the ledger of Redis, as long as no worker has read it.
    pub async fn accepted(&self) -> anyhow::Result<BTreeMap<String, usize>> {
        let (mut accepted, mut after) = (BTreeMap::new(), None);
        loop {
            let entries = self.queue.read_ledger(after.as_deref(), 500).await?;
            let Some(last) = entries.last() else {
                return Ok(accepted);
            };
            after = Some(last.id.clone());
            for record in entries.into_iter().flat_map(|entry| entry.records).flatten() {
                if let LedgerRecord::Accepted(record) = record {
                    *accepted.entry(record.key.event.as_str().to_owned()).or_insert(0) += 1;
                }
            }
        }
    }

    /// Waits until Baserow has delivered every webhook, no job is queued, running or scheduled, and
    /// every fact of the ledger is in the store.
    pub async fn drain(&self) -> QueueStats {
        self.drained_webhooks().await;
        eventually("the queue is drained", async || match self.queue.stats().await {
            Ok(stats) if stats.active + stats.running + stats.scheduled + stats.ledger_backlog == 0 => Ok(stats),
            other => Err(format!("{other:?}\n{}", self.logs())),
        })
        .await
    }

    /// Waits until a worker has logged something.
    pub async fn wait_for_log(&self, line: &str) {
        eventually(line, async || self.has_logged(line)).await;
    }

    /// The store, as an operator's program sees it.
    pub async fn store(&self) -> anyhow::Result<Store> {
        let url = self.environment["DATABASE_URL"].clone();
        Ok(Store::open(&StoreSettings::at(url)).await?)
    }

    /// What every process printed, for the message of a failing test.
    pub fn logs(&self) -> String {
        let processes = [&self.sandbox, &self.ingress].into_iter().chain(&self.workers);
        let tail = |text: String| {
            text.lines()
                .rev()
                .take(40)
                .collect::<Vec<_>>()
                .into_iter()
                .rev()
                .collect::<Vec<_>>()
                .join("\n")
        };
        processes
            .map(|process| tail(process.output()))
            .collect::<Vec<_>>()
            .join("\n---\n")
    }
}

impl System {
    /// What a process said that has ended, though nobody has asked it to.
    pub(crate) fn ended(&mut self) -> Option<String> {
        let processes = [&mut self.sandbox, &mut self.ingress].into_iter();
        let mut processes = processes.chain(&mut self.workers);
        let ended = processes.find_map(|process| (!process.is_running()).then(|| process.output()));
        ended.map(|said| format!("a process has ended:\n{said}"))
    }

    /// Waits until a process answers.
    pub(crate) async fn answers(&self, url: &str) {
        eventually(&format!("{url} answers"), async || {
            let answer = self.answer(url).await;
            answer.map_err(|seen| format!("{seen}\n{}", self.logs()))
        })
        .await;
    }

    pub(crate) async fn answer(&self, url: &str) -> Result<(), String> {
        match self.http.get(url).send().await {
            Ok(response) if response.status().is_success() => Ok(()),
            Ok(response) => Err(response.status().to_string()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Waits for a fact of the start, as long as no process ends.
    pub(crate) async fn has_come_up(
        &mut self,
        fact: &str,
        look: impl AsyncFn(&Self) -> Result<(), String>,
    ) -> anyhow::Result<()> {
        let up = eventually(fact, async || match (look(self).await, self.ended()) {
            (Ok(()), _) => Ok(Ok(())),
            (Err(_), Some(ended)) => Ok(Err(ended)),
            (Err(seen), None) => Err(format!("{seen}\n{}", self.logs())),
        });
        up.await.map_err(anyhow::Error::msg)
    }

    /// Whether a worker has logged something.
    pub(crate) fn has_logged(&self, line: &str) -> Result<(), String> {
        let logs: String = self.workers.iter().map(Process::output).collect();
        if logs.contains(line) { Ok(()) } else { Err(self.logs()) }
    }
}
