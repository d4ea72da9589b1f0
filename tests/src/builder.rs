//! How a system is started: with which settings, and in which order.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use passerelle_model::config::{Reader, RedisSettings};
use passerelle_queue::{Queue, QueueName, Redis};
use test_support::{TestRedis, free_port};

use crate::earlier_build;
use crate::leftovers::Expected;
use crate::people::{self, People};
use crate::system::SECRET;
use crate::{Baserow, Docmost, Process, System};

const BASEROW_TOKEN: &str = "sandbox-database-token";
const DOCMOST_EMAIL: &str = "bridge@example.org";
const DOCMOST_PASSWORD: &str = "bridge-password";

/// How a system shall be started.
#[derive(Debug, Clone)]
pub struct SystemBuilder {
    workers: usize,
    webhook: bool,
    database_url: Option<String>,
    worker_environment: BTreeMap<String, String>,
    time_scale: u32,
    bridge_file: PathBuf,
    spaces: Vec<String>,
    webhook_tables: Vec<String>,
    has_mail: bool,
    has_slack: bool,
    environment: BTreeMap<String, String>,
    earlier_build: Option<PathBuf>,
    docmost_password: String,
}

impl Default for SystemBuilder {
    fn default() -> Self {
        Self {
            workers: 1,
            webhook: true,
            database_url: None,
            worker_environment: BTreeMap::new(),
            time_scale: 20,
            bridge_file: repository().join("bridge.toml"),
            spaces: Vec::new(),
            webhook_tables: vec!["projet".to_owned()],
            has_mail: false,
            has_slack: false,
            environment: BTreeMap::new(),
            earlier_build: None,
            docmost_password: DOCMOST_PASSWORD.to_owned(),
        }
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

    /// With another `bridge.toml` than the one that is shipped.
    #[must_use]
    pub fn bridge_file(self, path: &Path) -> Self {
        Self {
            bridge_file: path.to_owned(),
            ..self
        }
    }

    /// With these spaces in Docmost; none for those that it has by default.
    #[must_use]
    pub fn spaces(self, names: &[String]) -> Self {
        Self {
            spaces: names.to_vec(),
            ..self
        }
    }

    /// With webhooks of these tables instead of `projet` alone.
    #[must_use]
    pub fn webhooks_of(self, tables: &[&str]) -> Self {
        Self {
            webhook_tables: tables.iter().map(|table| (*table).to_owned()).collect(),
            ..self
        }
    }

    /// With a mail server.
    #[must_use]
    pub fn with_mail(self) -> Self {
        Self { has_mail: true, ..self }
    }

    #[must_use]
    pub fn with_slack(self) -> Self {
        Self {
            has_slack: true,
            ..self
        }
    }

    /// With an extra environment variable for every process of the bridge.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// With an extra environment variable for every worker.
    #[must_use]
    pub fn worker_variable(mut self, name: &str, value: &str) -> Self {
        self.worker_environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// With another password of the bridge's account in Docmost.
    #[must_use]
    pub fn docmost_password(self, password: &str) -> Self {
        Self {
            docmost_password: password.to_owned(),
            ..self
        }
    }

    /// On what another build left behind: a folder with `queue.aof` (commands for Redis) and
    /// `store.sql` (a SQLite dump).
    #[must_use]
    pub fn taking_over(self, folder: &Path) -> Self {
        Self {
            earlier_build: Some(folder.to_owned()),
            ..self
        }
    }

    /// Starts Redis, the sandbox, the ingress and the workers, in this order, and waits until each
    /// is ready.
    pub async fn start(self) -> anyhow::Result<System> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().timeout(Duration::from_secs(20)).build()?;
        let folder = tempfile::tempdir()?;
        let redis = TestRedis::start()?;
        let ports = Ports {
            baserow: free_port()?,
            docmost: free_port()?,
            ingress: free_port()?,
            smtp: free_port()?,
            smtp_control: free_port()?,
            slack: free_port()?,
        };
        let environment = self.environment(&redis, &ports, folder.path())?;
        if let Some(left) = &self.earlier_build {
            earlier_build::load_queue(&left.join("queue.aof"), &redis.url()).await?;
            earlier_build::load_store(&left.join("store.sql"), &environment["DATABASE_URL"]).await?;
        }

        let baserow_url = format!("http://127.0.0.1:{}", ports.baserow);
        let docmost_url = format!("http://127.0.0.1:{}", ports.docmost);
        let ingress_url = format!("http://127.0.0.1:{}", ports.ingress);
        let sandbox_log = folder.path().join("sandbox.log");
        let arguments = self.sandbox_arguments(&ports, &ingress_url);
        let sandbox = Process::start("passerelle-sandbox", &arguments, &BTreeMap::new(), &sandbox_log)?;
        let ingress = start_ingress(&environment, folder.path())?;

        let redis_connection = open_redis(&environment)?;
        let mut system = System {
            redis,
            baserow: Baserow::new(http.clone(), &baserow_url, BASEROW_TOKEN),
            docmost: Docmost::new(http.clone(), &docmost_url, DOCMOST_EMAIL, &self.docmost_password),
            queue: Queue::new(redis_connection, QueueName::Sync),
            ingress,
            workers: Vec::new(),
            sandbox,
            ingress_url,
            people: People::new(http.clone(), (ports.smtp_control, ports.slack)),
            environment,
            worker_environment: self.worker_environment.clone(),
            http,
            folder,
            expected: Expected::default(),
        };
        system.answers(&format!("{baserow_url}/api/_health/")).await;
        system.answers(&format!("{docmost_url}/api/health")).await;
        system.answers(&format!("{}/readyz", system.ingress_url)).await;
        for _ in 0..self.workers {
            system.start_worker()?;
        }
        // A worker makes the database, which the operator's program only reads.
        if self.database_url.is_none() && self.earlier_build.is_none() {
            if self.workers > 0 {
                system.wait_for_log("the worker takes jobs").await;
            } else {
                system.store().await?;
            }
        }
        Ok(system)
    }

    fn environment(&self, redis: &TestRedis, ports: &Ports, folder: &Path) -> anyhow::Result<BTreeMap<String, String>> {
        let folder = folder.to_str().context("the temporary folder's name is not UTF-8")?;
        let sqlite = format!("sqlite://{folder}/store.sqlite");
        let bridge_file = self
            .bridge_file
            .to_str()
            .context("the path of the bridge file is not UTF-8")?;
        let pairs = [
            ("REDIS_URL", redis.url()),
            ("DATABASE_URL", self.database_url.clone().unwrap_or(sqlite)),
            ("BRIDGE_FILE", bridge_file.to_owned()),
            ("BASEROW_WEBHOOK_SECRET", SECRET.to_owned()),
            ("BASEROW_URL", format!("http://127.0.0.1:{}", ports.baserow)),
            ("BASEROW_TOKEN", BASEROW_TOKEN.to_owned()),
            ("DOCMOST_URL", format!("http://127.0.0.1:{}", ports.docmost)),
            ("DOCMOST_EMAIL", DOCMOST_EMAIL.to_owned()),
            ("DOCMOST_PASSWORD", self.docmost_password.clone()),
            ("INGRESS_BIND", format!("127.0.0.1:{}", ports.ingress)),
            ("INGRESS_SPOOL_DIR", format!("{folder}/spool")),
            ("WORKER_HEALTH_BIND", "127.0.0.1:0".to_owned()),
            ("LOG_LEVEL", "info".to_owned()),
            ("PASSERELLE_ENV_FILE", "/dev/null".to_owned()),
        ];
        let pairs = pairs.into_iter().chain(self.notice_settings(ports));
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value));
        Ok(pairs.chain(self.environment.clone()).collect())
    }

    /// The settings of the ends of notices that the system has.
    fn notice_settings(&self, ports: &Ports) -> Vec<(&'static str, String)> {
        let mut settings = Vec::new();
        if self.has_mail {
            settings.extend([
                ("SMTP_URL", format!("smtp://127.0.0.1:{}", ports.smtp)),
                ("SMTP_TLS", "none".to_owned()),
                ("SMTP_TIMEOUT_SECONDS", "2".to_owned()),
                ("MAIL_FROM", "Passerelle <passerelle@example.org>".to_owned()),
                ("ADMIN_EMAIL", people::ADMIN.to_owned()),
            ]);
        }
        if self.has_slack {
            let webhook = "services/T00000001/B00000001/sandboxsandboxsandboxsan";
            let url = format!("http://127.0.0.1:{}/{webhook}", ports.slack);
            settings.push(("SLACK_WEBHOOK_URL", url));
        }
        settings
    }

    fn sandbox_arguments(&self, ports: &Ports, ingress_url: &str) -> Vec<String> {
        let mut arguments = vec![
            format!("--baserow-port={}", ports.baserow),
            format!("--docmost-port={}", ports.docmost),
            format!("--baserow-token={BASEROW_TOKEN}"),
            format!("--docmost-email={DOCMOST_EMAIL}"),
            format!("--docmost-password={}", self.docmost_password),
            format!("--time-scale={}", self.time_scale),
        ];
        if !self.spaces.is_empty() {
            arguments.push(format!("--docmost-spaces={}", self.spaces.join(",")));
        }
        if self.has_mail {
            arguments.push(format!("--smtp-port={}", ports.smtp));
            arguments.push(format!("--smtp-control-port={}", ports.smtp_control));
        }
        if self.has_slack {
            arguments.push(format!("--slack-port={}", ports.slack));
        }
        if self.webhook {
            for table in &self.webhook_tables {
                arguments.push(format!(
                    "--webhook={table}={ingress_url}/api/webhooks/baserow/{table}-changed"
                ));
            }
            arguments.push(format!("--webhook-secret={SECRET}"));
        }
        arguments
    }
}

/// Starts an ingress that logs behind whatever an earlier one has logged.
pub(crate) fn start_ingress(environment: &BTreeMap<String, String>, folder: &Path) -> anyhow::Result<Process> {
    Process::start("passerelle-ingress", &[], environment, &folder.join("ingress.log"))
}

/// A connection of a test's own, to where the settings say.
pub(crate) fn open_redis(environment: &BTreeMap<String, String>) -> anyhow::Result<Redis> {
    Ok(Redis::open(&RedisSettings::read(&mut Reader::from_pairs(
        environment.clone(),
    )))?)
}

/// The folder of the whole project.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[derive(Debug)]
struct Ports {
    baserow: u16,
    docmost: u16,
    ingress: u16,
    smtp: u16,
    smtp_control: u16,
    slack: u16,
}
