//! How a system is started: with which settings, and in which order.

mod settings;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use passerelle_model::config::{Reader, RedisSettings};
use passerelle_queue::{Queue, QueueName, Redis};
use test_support::TestRedis;

use crate::earlier_build;
use crate::leftovers::Expected;
use crate::people::People;
use crate::{Baserow, Docmost, Process, System};
use settings::Ports;

const BASEROW_TOKEN: &str = "sandbox-database-token";
const DOCMOST_EMAIL: &str = "bridge@example.org";
const DOCMOST_PASSWORD: &str = "bridge-password";

/// Gates as in production, but a minute is a few seconds.
const QUICK_GATES: [(&str, &str); 4] = [
    ("GATE_PROBE_SECONDS", "0.5"),
    ("GATE_PROBE_LONGEST_SECONDS", "2"),
    ("GATE_STEP_SECONDS", "0.2"),
    ("GATE_TICK_SECONDS", "0.2"),
];

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
    playground: Option<Playground>,
    purpose: Purpose,
}

/// What a system is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// A test of the product.
    Test,
    /// Somebody tries rules.
    Play,
}

/// The sandbox's page for people.
#[derive(Debug, Clone)]
struct Playground {
    port: u16,
    console_url: String,
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
            playground: None,
            purpose: Purpose::Test,
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

    /// With gates that open again within seconds.
    #[must_use]
    pub fn quick_gates(self) -> Self {
        QUICK_GATES
            .into_iter()
            .fold(self, |builder, (name, value)| builder.variable(name, value))
    }

    /// For somebody who tries rules: calls of every table are taken, whatever the bridge file says of
    /// callers, and nobody minds what is left in the end.
    #[must_use]
    pub fn for_play(self) -> Self {
        let purpose = Purpose::Play;
        Self { purpose, ..self }
    }

    /// With the sandbox's page for people on a port, which leads to the console at an address.
    #[must_use]
    pub fn playground(self, port: u16, console_url: &str) -> Self {
        let console_url = console_url.to_owned();
        Self {
            playground: Some(Playground { port, console_url }),
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
        let ports = Ports::free()?;
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
        let ingress = start_ingress(&self.ingress_environment(&environment, folder.path())?, folder.path())?;

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
            expected: if self.purpose == Purpose::Play {
                Expected::anything()
            } else {
                Expected::default()
            },
        };
        self.make_ready(&mut system).await?;
        Ok(system)
    }

    /// The ingress of a play takes calls that its bridge file may not name.
    fn ingress_environment(
        &self,
        environment: &BTreeMap<String, String>,
        folder: &Path,
    ) -> anyhow::Result<BTreeMap<String, String>> {
        let mut environment = environment.clone();
        if self.purpose == Purpose::Play {
            let callers = settings::open_to_all_tables(&self.bridge_file, folder)?;
            environment.insert("BRIDGE_FILE".to_owned(), callers);
        }
        Ok(environment)
    }

    /// Waits for what was started, and starts the workers.
    async fn make_ready(&self, system: &mut System) -> anyhow::Result<()> {
        let mut first = vec![
            format!("{}/api/_health/", system.baserow.url),
            format!("{}/api/health", system.docmost.url),
        ];
        let playground = self.playground.as_ref();
        first.extend(playground.map(|playground| format!("http://127.0.0.1:{}", playground.port)));
        for url in first {
            has_answered(system, &url).await?;
        }
        // Beside the ingress, which may take its time.
        for _ in 0..self.workers {
            system.start_worker()?;
        }
        let ingress = format!("{}/readyz", system.ingress_url);
        has_answered(system, &ingress).await?;
        // A worker makes the database, which the operator's program only reads.
        if self.database_url.is_some() || self.earlier_build.is_some() {
            return Ok(());
        }
        if self.workers == 0 {
            system.store().await?;
            return Ok(());
        }
        let line = "the worker takes jobs";
        system.has_come_up(line, async |system| system.has_logged(line)).await
    }
}

async fn has_answered(system: &mut System, url: &str) -> anyhow::Result<()> {
    let fact = format!("{url} answers");
    let answers = async |system: &System| system.answer(url).await;
    system.has_come_up(&fact, answers).await
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

/// A path that holds whatever the working folder of a process is.
pub(crate) fn absolute(path: &Path) -> anyhow::Result<PathBuf> {
    Ok(std::path::absolute(path)?)
}

/// The folder of the whole project.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
