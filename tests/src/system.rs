//! Starts and stops a whole bridge with its own Redis, its own store and the sandbox.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use passerelle_shared::config::{Reader, RedisSettings, StoreSettings};
use passerelle_shared::queue::{Queue, QueueName, QueueStats, Redis};
use passerelle_shared::store::Store;
use secrecy::SecretString;
use tempfile::TempDir;
use test_support::{TestRedis, eventually, free_port};

use crate::{Baserow, Caller, Docmost, Process};

/// The webhook secret of every test system.
pub const SECRET: &str = "a-secret-that-only-tests-use";
const BASEROW_TOKEN: &str = "sandbox-database-token";
const DOCMOST_EMAIL: &str = "bridge@example.org";
const DOCMOST_PASSWORD: &str = "bridge-password";
/// How long a process may take to stop when asked.
pub const STOPS_WITHIN: Duration = Duration::from_secs(20);

/// How a system shall be started.
#[derive(Debug, Clone)]
pub struct SystemBuilder {
    workers: usize,
    webhook: bool,
    database_url: Option<String>,
    worker_environment: BTreeMap<String, String>,
    time_scale: u32,
}

/// A running bridge. Everything in it is stopped and removed when it is dropped.
#[derive(Debug)]
pub struct System {
    /// The queue's Redis.
    pub redis: TestRedis,
    /// Baserow, as a user.
    pub baserow: Baserow,
    /// Docmost, as a user.
    pub docmost: Docmost,
    /// The queue, as an operator's program sees it.
    pub queue: Queue,
    /// The ingress.
    pub ingress: Process,
    /// The workers.
    pub workers: Vec<Process>,
    /// The sandbox with both products.
    pub sandbox: Process,
    /// The address of the ingress.
    pub ingress_url: String,
    environment: BTreeMap<String, String>,
    worker_environment: BTreeMap<String, String>,
    http: reqwest::Client,
    folder: TempDir,
}

impl System {
    /// A system with one worker, whose projet table calls the ingress.
    pub fn builder() -> SystemBuilder {
        SystemBuilder {
            workers: 1,
            webhook: true,
            database_url: None,
            worker_environment: BTreeMap::new(),
            time_scale: 20,
        }
    }

    /// A caller of the ingress that holds the secret.
    pub fn caller(&self) -> Caller {
        Caller::new(self.http.clone(), &self.ingress_url, "projet-changed", SECRET)
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

    /// Runs the operator's program and returns what it printed; fails if it did.
    pub async fn operator(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let program = crate::process::program_path("passerelle")?;
        let mut command = tokio::process::Command::new(program);
        let output = command
            .args(arguments)
            .env_clear()
            .envs(&self.environment)
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

    /// Waits until Baserow has delivered every webhook, no job is queued, running or scheduled, and every fact of the ledger is in the store.
    pub async fn drain(&self) -> QueueStats {
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
        eventually("the queue is drained", async || match self.queue.stats().await {
            Ok(stats) if stats.active + stats.running + stats.scheduled + stats.ledger_backlog == 0 => Ok(stats),
            other => Err(format!("{other:?}\n{}", self.logs())),
        })
        .await
    }

    /// The store, as an operator's program sees it.
    pub async fn store(&self) -> anyhow::Result<Store> {
        let url = self.environment["DATABASE_URL"].clone();
        Ok(Store::open(&StoreSettings {
            url: SecretString::from(url),
        })
        .await?)
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

impl SystemBuilder {
    /// How many workers to start (default 1).
    #[must_use]
    pub fn workers(self, workers: usize) -> Self {
        Self { workers, ..self }
    }

    /// Without webhooks in Baserow: the test posts deliveries itself.
    #[must_use]
    pub fn without_webhook(self) -> Self {
        Self { webhook: false, ..self }
    }

    /// With another database than a SQLite file of its own.
    #[must_use]
    pub fn database(self, url: &str) -> Self {
        Self {
            database_url: Some(url.to_owned()),
            ..self
        }
    }

    /// With an extra environment variable for every worker.
    #[must_use]
    pub fn worker_variable(mut self, name: &str, value: &str) -> Self {
        self.worker_environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Starts Redis, the sandbox, the ingress and the workers, in this order, and waits until each is ready.
    pub async fn start(self) -> anyhow::Result<System> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().timeout(Duration::from_secs(20)).build()?;
        let folder = tempfile::tempdir()?;
        let redis = TestRedis::start()?;
        let ports = Ports {
            baserow: free_port()?,
            docmost: free_port()?,
            ingress: free_port()?,
        };
        let environment = self.environment(&redis, &ports, &folder.path().join("store.sqlite"))?;

        let baserow_url = format!("http://127.0.0.1:{}", ports.baserow);
        let docmost_url = format!("http://127.0.0.1:{}", ports.docmost);
        let ingress_url = format!("http://127.0.0.1:{}", ports.ingress);
        let sandbox_log = folder.path().join("sandbox.log");
        let arguments = self.sandbox_arguments(&ports, &ingress_url);
        let sandbox = Process::start("passerelle-sandbox", &arguments, &BTreeMap::new(), &sandbox_log)?;
        let ingress = Process::start(
            "passerelle-ingress",
            &[],
            &environment,
            &folder.path().join("ingress.log"),
        )?;

        let redis_settings = RedisSettings {
            url: SecretString::from(redis.url()),
            ..RedisSettings::read(&mut Reader::from_pairs::<String, String>([]))
        };
        let mut system = System {
            redis,
            baserow: Baserow::new(http.clone(), &baserow_url, BASEROW_TOKEN),
            docmost: Docmost::new(http.clone(), &docmost_url, DOCMOST_EMAIL, DOCMOST_PASSWORD),
            queue: Queue::new(Redis::open(&redis_settings)?, QueueName::Sync),
            ingress,
            workers: Vec::new(),
            sandbox,
            ingress_url,
            environment,
            worker_environment: self.worker_environment.clone(),
            http,
            folder,
        };
        system.answers(&format!("{baserow_url}/api/_health/")).await;
        system.answers(&format!("{docmost_url}/api/health")).await;
        system.answers(&format!("{}/readyz", system.ingress_url)).await;
        for _ in 0..self.workers {
            system.start_worker()?;
        }
        Ok(system)
    }

    fn environment(&self, redis: &TestRedis, ports: &Ports, sqlite: &Path) -> anyhow::Result<BTreeMap<String, String>> {
        let sqlite = format!(
            "sqlite://{}",
            sqlite.to_str().context("the temporary folder's name is not UTF-8")?
        );
        let bridge_file = concat!(env!("CARGO_MANIFEST_DIR"), "/../bridge.toml");
        let pairs = [
            ("REDIS_URL", redis.url()),
            ("DATABASE_URL", self.database_url.clone().unwrap_or(sqlite)),
            ("BRIDGE_FILE", bridge_file.to_owned()),
            ("BASEROW_WEBHOOK_SECRET", SECRET.to_owned()),
            ("BASEROW_URL", format!("http://127.0.0.1:{}", ports.baserow)),
            ("BASEROW_TOKEN", BASEROW_TOKEN.to_owned()),
            ("DOCMOST_URL", format!("http://127.0.0.1:{}", ports.docmost)),
            ("DOCMOST_EMAIL", DOCMOST_EMAIL.to_owned()),
            ("DOCMOST_PASSWORD", DOCMOST_PASSWORD.to_owned()),
            ("INGRESS_BIND", format!("127.0.0.1:{}", ports.ingress)),
            ("WORKER_HEALTH_BIND", "127.0.0.1:0".to_owned()),
            ("LOG_LEVEL", "info".to_owned()),
        ];
        Ok(pairs
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect())
    }

    fn sandbox_arguments(&self, ports: &Ports, ingress_url: &str) -> Vec<String> {
        let mut arguments = vec![
            format!("--baserow-port={}", ports.baserow),
            format!("--docmost-port={}", ports.docmost),
            format!("--baserow-token={BASEROW_TOKEN}"),
            format!("--docmost-email={DOCMOST_EMAIL}"),
            format!("--docmost-password={DOCMOST_PASSWORD}"),
            format!("--time-scale={}", self.time_scale),
        ];
        if self.webhook {
            arguments.push(format!(
                "--webhook=projet={ingress_url}/api/webhooks/baserow/projet-changed"
            ));
            arguments.push(format!("--webhook-secret={SECRET}"));
        }
        arguments
    }
}

impl System {
    async fn answers(&self, url: &str) {
        eventually(&format!("{url} answers"), async || {
            match self.http.get(url).send().await {
                Ok(response) if response.status().is_success() => Ok(()),
                Ok(response) => Err(format!("{}\n{}", response.status(), self.logs())),
                Err(error) => Err(format!("{error}\n{}", self.logs())),
            }
        })
        .await;
    }
}

#[derive(Debug)]
struct Ports {
    baserow: u16,
    docmost: u16,
    ingress: u16,
}
