//! A worker's surroundings without its queue: jobs are made by hand and processed one by one.

mod jobs;
mod pages;
mod rows;

use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use passerelle_model::config::{Reader, RedisSettings};
use passerelle_model::id::ProcessName;
use passerelle_queue::Redis;
use passerelle_queue::gate::{GatePolicy, Gates};
use passerelle_sandbox::server::Running;
use passerelle_sandbox::{baserow, docmost};
use passerelle_store::Store;
use passerelle_worker::context::Context;
use passerelle_worker::settings::Settings;
use passerelle_worker::start;
use tempfile::TempDir;
use test_support::{ErrorLog, TestRedis};

pub(crate) use jobs::{attempt, probe};

pub(crate) struct World {
    pub(crate) context: Context,
    pub(crate) baserow: Running,
    pub(crate) docmost: Running,
    pub(crate) redis: TestRedis,
    pub(crate) errors: ErrorLog,
    http: reqwest::Client,
    folder: TempDir,
    bridge_file: String,
}

impl World {
    /// With the rules that are shipped.
    pub(crate) async fn start() -> anyhow::Result<Self> {
        Self::with_rules(concat!(env!("CARGO_MANIFEST_DIR"), "/../bridge.toml").as_ref()).await
    }

    /// With a rule for `projet` whose `[rules.page]` has these lines too, and this template.
    pub(crate) async fn with_page(lines: &str, template: &str) -> anyhow::Result<Self> {
        Self::with_page_of("projet", &titled(lines), template).await
    }

    /// With a rule for a table whose `[rules.page]` has these lines, its title among them, and this
    /// template.
    pub(crate) async fn with_page_of(table: &str, lines: &str, template: &str) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        write_rule(folder.path(), table, lines, template)?;
        Self::with_rules(&folder.path().join("bridge.toml")).await
    }

    /// With such a Docmost, and a rule for `projet` with these lines.
    pub(crate) async fn with_docmost(options: docmost::Options, lines: &str, template: &str) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        write_rule(folder.path(), "projet", &titled(lines), template)?;
        Self::with(&folder.path().join("bridge.toml"), options).await
    }

    /// With the rules of this file.
    pub(crate) async fn with_rules(path: &Path) -> anyhow::Result<Self> {
        Self::with(path, docmost::Options::default()).await
    }

    async fn with(path: &Path, options_of_docmost: docmost::Options) -> anyhow::Result<Self> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listen = || TcpListener::bind("127.0.0.1:0");
        let options = baserow::Options {
            baserow_token: "sandbox-token".to_owned(),
            baserow_email: "admin@example.com".to_owned(),
            baserow_password: "pass".to_owned(),
            webhook: Vec::new(),
            webhook_secret: None,
            time_scale: 1.0,
        };
        let baserow = baserow::start(listen()?, options)?;
        let docmost = docmost::start(listen()?, options_of_docmost)?;
        let (redis, folder) = (TestRedis::start()?, tempfile::tempdir()?);
        let bridge_file = path.to_str().context("the path is not UTF-8")?.to_owned();
        let mut world = Self {
            context: Surroundings {
                bridge_file: &bridge_file,
                folder: folder.path(),
                redis_url: redis.url(),
                baserow: &baserow,
                docmost: &docmost,
            }
            .context()
            .await?,
            baserow,
            docmost,
            redis,
            errors: ErrorLog::watch(),
            http: reqwest::Client::builder().build()?,
            folder,
            bridge_file,
        };
        // The rules were read; the surroundings of a second replica need the same file, so its
        // folder must live on.
        world.bridge_file = bridge_file_copy(&world)?;
        // A list is waited for, however busy the machine is.
        world.context.wait_for_lists(Duration::from_mins(1));
        Ok(world)
    }

    /// Another process with the same settings.
    pub(crate) async fn replica(&self) -> anyhow::Result<Context> {
        self.surroundings().context().await
    }

    /// Another process with the same store, and more settings.
    pub(crate) async fn replica_where(&self, settings: &[(&'static str, &str)]) -> anyhow::Result<Context> {
        let mut environment = self.surroundings().environment();
        environment.extend(settings.iter().map(|(name, value)| (*name, (*value).to_owned())));
        context(environment).await
    }

    /// Another process, which has this rule in place of the one so far.
    pub(crate) async fn replica_with(&self, lines: &str, template: &str) -> anyhow::Result<Context> {
        write_rule(self.folder.path(), "projet", &titled(lines), template)?;
        self.replica().await
    }

    /// Another process, which may wait long for Docmost and reaches Redis at this port.
    pub(crate) async fn patient_replica(&self, redis_port: u16) -> anyhow::Result<Context> {
        let mut environment = self.surroundings().environment();
        environment.extend([
            ("REDIS_URL", format!("redis://127.0.0.1:{redis_port}")),
            ("DOCMOST_TIMEOUT_SECONDS", "60".to_owned()),
        ]);
        context(environment).await
    }

    /// Another bridge with the same accounts: it has a store of its own.
    pub(crate) async fn other_bridge(&self) -> anyhow::Result<Context> {
        self.bridge_with(&[]).await
    }

    /// The same with more settings.
    pub(crate) async fn bridge_with(&self, settings: &[(&'static str, &str)]) -> anyhow::Result<Context> {
        let mut environment = self.surroundings().environment();
        let store = format!("sqlite://{}", self.folder.path().join("other.sqlite").display());
        environment.push(("DATABASE_URL", store));
        environment.extend(settings.iter().map(|(name, value)| (*name, (*value).to_owned())));
        context(environment).await
    }

    /// The gates, as a process sees them that is none of ours.
    pub(crate) fn other_gates(&self) -> anyhow::Result<Gates> {
        let reader = [("REDIS_URL", self.redis.url())];
        let settings = RedisSettings::read(&mut Reader::from_pairs(reader));
        let name = ProcessName::unique("other");
        Ok(Gates::new(Redis::open(&settings)?, name, GatePolicy::default()))
    }

    /// The settings of a worker process in this world.
    #[cfg(debug_assertions)]
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        self.surroundings().environment()
    }

    /// Where its store is.
    pub(crate) fn store_url(&self) -> String {
        self.surroundings().store_url()
    }

    fn surroundings(&self) -> Surroundings<'_> {
        Surroundings {
            bridge_file: &self.bridge_file,
            folder: self.folder.path(),
            redis_url: self.redis.url(),
            baserow: &self.baserow,
            docmost: &self.docmost,
        }
    }
}

/// What the settings of a worker name.
struct Surroundings<'a> {
    bridge_file: &'a str,
    folder: &'a Path,
    redis_url: String,
    baserow: &'a Running,
    docmost: &'a Running,
}

impl Surroundings<'_> {
    async fn context(&self) -> anyhow::Result<Context> {
        context(self.environment()).await
    }

    fn store_url(&self) -> String {
        format!("sqlite://{}", self.folder.join("ledger.sqlite").display())
    }

    fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("BRIDGE_FILE", self.bridge_file.to_owned()),
            ("REDIS_URL", self.redis_url.clone()),
            ("DATABASE_URL", self.store_url()),
            ("BASEROW_URL", self.baserow.url()),
            ("BASEROW_TOKEN", "sandbox-token".to_owned()),
            ("DOCMOST_URL", self.docmost.url()),
            ("DOCMOST_EMAIL", docmost::BRIDGE_EMAIL.to_owned()),
            ("DOCMOST_PASSWORD", docmost::BRIDGE_PASSWORD.to_owned()),
            ("DOCMOST_TIMEOUT_SECONDS", "2".to_owned()),
            ("WORKER_ZOMBIE_WINDOW_SECONDS", "1".to_owned()),
            ("WORKER_LEASE_SECONDS", "2".to_owned()),
            ("WORKER_REPEAT_SECONDS", "0".to_owned()),
            ("GATE_DECISION_SECONDS", "0.001".to_owned()),
            ("WORKER_HEALTH_BIND", "127.0.0.1:0".to_owned()),
        ]
    }
}

/// These lines with a title.
fn titled(lines: &str) -> String {
    format!("title = \"{{{{ row.Nom }}}}\"\n{lines}")
}

/// A rule for a table whose `[rules.page]` has these lines, and this template.
fn write_rule(folder: &Path, table: &str, lines: &str, template: &str) -> anyhow::Result<()> {
    std::fs::write(folder.join("page.md"), template)?;
    let rule = format!(
        "[sources]\n\"*\" = {{ proof = \"hmac\", secrets = \"S\" }}\n\n[[rules]]\nname = \"{table}\"\ntable = \"{table}\"\n\n\
         [rules.page]\nspace = \"agence\"\nbody = \"page.md\"\n{lines}\n"
    );
    Ok(std::fs::write(folder.join("bridge.toml"), rule)?)
}

async fn context(environment: Vec<(&'static str, String)>) -> anyhow::Result<Context> {
    let settings = Settings::read(Reader::from_pairs(environment))?;
    let redis = Redis::open(&settings.redis)?;
    let store = Store::open(&settings.store).await?;
    start::context(settings, redis, store)
}

/// Keeps the rules beside the store, for replicas that start later.
fn bridge_file_copy(world: &World) -> anyhow::Result<String> {
    let from = Path::new(&world.bridge_file);
    let to = world.folder.path().join("bridge.toml");
    std::fs::copy(from, &to)?;
    let folder = from.parent().context("no folder")?;
    for name in [
        "page.md",
        "templates/projet.md",
        "templates/formation.md",
        "templates/bloc.md",
    ] {
        if folder.join(name).is_file() {
            std::fs::create_dir_all(world.folder.path().join("templates"))?;
            std::fs::copy(folder.join(name), world.folder.path().join(name))?;
        }
    }
    Ok(to.display().to_string())
}
