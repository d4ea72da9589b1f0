//! A worker's surroundings without its queue: jobs are made by hand and processed one by one.

use std::net::TcpListener;
use std::path::Path;

use anyhow::Context as _;
use passerelle_model::config::{Reader, RedisSettings};
use passerelle_model::event::{DeliveryKey, Disposition, EventKind, Item, NewEvent};
use passerelle_model::id::{EventId, JobKey, ProcessName, RowKey, SourceName};
use passerelle_model::job::{EventKinds, Job};
use passerelle_model::ledger::{LedgerRecord, Settlement, Verdict};
use passerelle_model::outcome::Outcome;
use passerelle_model::seq::Seq;
use passerelle_model::time::Timestamp;
use passerelle_queue::gate::{GatePolicy, Gates};
use passerelle_queue::{AcceptStatus, Queue, QueueName, Redis};
use passerelle_sandbox::faults::Fault;
use passerelle_sandbox::server::Running;
use passerelle_sandbox::{baserow, docmost};
use passerelle_store::Store;
use passerelle_worker::clients::guard::let_through;
use passerelle_worker::context::Context;
use passerelle_worker::process::process;
use passerelle_worker::settings::Settings;
use passerelle_worker::start;
use serde_json::{Value, json};
use tempfile::TempDir;
use test_support::{ErrorLog, TestRedis, eventually};

/// Numbers of the stand-in's tables.
const CLIENT: u64 = 1;
const PROJET: u64 = 2;

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
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("bridge.toml");
        std::fs::write(folder.path().join("page.md"), template)?;
        std::fs::write(
            &path,
            format!(
                "[sources]\n\"*\" = {{ proof = \"hmac\", secrets = \"S\" }}\n\n[[rules]]\nname = \"projet\"\ntable = \"projet\"\n\n\
                 [rules.page]\nspace = \"agence\"\ntitle = \"{{{{ row.Nom }}}}\"\nbody = \"page.md\"\n{lines}\n"
            ),
        )?;
        Self::with_rules(&path).await
    }

    async fn with_rules(path: &Path) -> anyhow::Result<Self> {
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
        let docmost = docmost::start(listen()?, docmost::Options::default())?;
        let (redis, folder) = (TestRedis::start()?, tempfile::tempdir()?);
        let bridge_file = path.to_str().context("the path is not UTF-8")?.to_owned();
        let mut world = Self {
            context: context(&bridge_file, &redis, folder.path(), (&baserow, &docmost)).await?,
            baserow,
            docmost,
            redis,
            errors: ErrorLog::watch(),
            http: reqwest::Client::builder().build()?,
            folder,
            bridge_file,
        };
        // The rules were read; the surroundings of a second replica need the same file, so its folder must live on.
        world.bridge_file = bridge_file_copy(&world)?;
        Ok(world)
    }

    /// Another process with the same settings.
    pub(crate) async fn replica(&self) -> anyhow::Result<Context> {
        let products = (&self.baserow, &self.docmost);
        context(&self.bridge_file, &self.redis, self.folder.path(), products).await
    }

    /// Where its store is.
    pub(crate) fn store_url(&self) -> String {
        format!("sqlite://{}", self.folder.path().join("ledger.sqlite").display())
    }

    /// The gates, as a process sees them that is none of ours.
    pub(crate) fn other_gates(&self) -> anyhow::Result<Gates> {
        let reader = [("REDIS_URL", self.redis.url())];
        let settings = RedisSettings::read(&mut Reader::from_pairs(reader));
        let name = ProcessName::unique("other");
        Ok(Gates::new(Redis::open(&settings)?, name, GatePolicy::default()))
    }

    /// The settings of a worker process in this world.
    #[cfg(feature = "crash-points")]
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        let products = (&self.baserow, &self.docmost);
        environment(&self.bridge_file, &self.redis, self.folder.path(), products)
    }

    /// The queue of this world.
    pub(crate) fn queue(&self) -> anyhow::Result<Queue> {
        let reader = [("REDIS_URL", self.redis.url())];
        let settings = RedisSettings::read(&mut Reader::from_pairs(reader));
        Ok(Queue::new(Redis::open(&settings)?, QueueName::Sync))
    }

    /// An event of a row, as the ingress would accept it.
    pub(crate) async fn event(&self, queue: &Queue, row: RowKey, id: &str) -> anyhow::Result<()> {
        let event = NewEvent {
            key: DeliveryKey {
                webhook: None,
                event: EventId::parse(id)?,
                batch: 0,
            },
            source: SourceName::parse("test")?,
            kind: EventKind::Updated,
            table: Some(row.table),
            received: Timestamp::now(),
            items: vec![Item {
                row: Some(row.row),
                disposition: Disposition::Sync,
            }],
            payload: Vec::new(),
        };
        let accepted = queue.accept(event).await?;
        anyhow::ensure!(accepted.status() == AcceptStatus::Queued, "{accepted:?}");
        Ok(())
    }

    /// A client and a project of it, as a person enters them.
    pub(crate) async fn project(&self, name: &str) -> anyhow::Result<RowKey> {
        Ok(self.project_of_client(name).await?.0)
    }

    /// A project and its client.
    pub(crate) async fn project_of_client(&self, name: &str) -> anyhow::Result<(RowKey, RowKey)> {
        let client = self.create(CLIENT, json!({"Name": "Atelier Nord"})).await?;
        Ok((self.project_for(name, client).await?, client))
    }

    /// Another project of a client.
    pub(crate) async fn project_for(&self, name: &str, client: RowKey) -> anyhow::Result<RowKey> {
        let fields = json!({"Nom": name, "Statut": "En cours", "Client": [client.row.get()]});
        self.create(PROJET, fields).await
    }

    pub(crate) async fn create(&self, table: u64, fields: Value) -> anyhow::Result<RowKey> {
        let row = self
            .baserow_call(reqwest::Method::POST, &format!("{table}/"), Some(fields))
            .await?;
        Ok(format!("t{table}/r{}", row["id"]).parse()?)
    }

    pub(crate) async fn change(&self, row: RowKey, fields: Value) -> anyhow::Result<Value> {
        let path = format!("{}/{}/", row.table, row.row);
        self.baserow_call(reqwest::Method::PATCH, &path, Some(fields)).await
    }

    pub(crate) async fn row(&self, row: RowKey) -> anyhow::Result<Value> {
        let path = format!("{}/{}/", row.table, row.row);
        self.baserow_call(reqwest::Method::GET, &path, None).await
    }

    pub(crate) async fn delete(&self, row: RowKey) -> anyhow::Result<()> {
        let path = format!("{}/{}/", row.table, row.row);
        self.baserow_call(reqwest::Method::DELETE, &path, None)
            .await
            .map(|_| ())
    }

    async fn baserow_call(&self, method: reqwest::Method, path: &str, body: Option<Value>) -> anyhow::Result<Value> {
        let url = format!(
            "{}/api/database/rows/table/{path}?user_field_names=true",
            self.baserow.url()
        );
        let mut request = self
            .http
            .request(method, url)
            .header("Authorization", "Token sandbox-token");
        if let Some(body) = body {
            request = request.json(&body);
        }
        let text = request.send().await?.error_for_status()?.text().await?;
        Ok(serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    /// Calls one of Docmost's own switches.
    pub(crate) async fn docmost_control(&self, method: reqwest::Method, path: &str) -> anyhow::Result<Value> {
        let url = format!("{}/_sandbox/{path}", self.docmost.url());
        let answer = self.http.request(method, url).send().await?.error_for_status()?;
        Ok(answer.json().await.unwrap_or(Value::Null))
    }

    /// Every page of Docmost, trashed ones too, oldest first.
    pub(crate) async fn all_pages(&self) -> anyhow::Result<Vec<Value>> {
        let pages = self.docmost_control(reqwest::Method::GET, "pages").await?;
        Ok(pages.as_array().cloned().unwrap_or_default())
    }

    /// The pages that are not in the trash.
    pub(crate) async fn pages(&self) -> anyhow::Result<Vec<Value>> {
        let pages = self.all_pages().await?;
        Ok(pages.into_iter().filter(|page| page["deletedAt"].is_null()).collect())
    }

    /// One attempt at the row's job.
    pub(crate) async fn attempt(&self, row: RowKey) -> Settlement {
        attempt(&self.context, row).await
    }

    /// One attempt that must end with an outcome.
    pub(crate) async fn sync(&self, row: RowKey) -> anyhow::Result<Outcome> {
        outcome_of(self.attempt(row).await)
    }

    /// The same for an event of another kind and name.
    pub(crate) async fn sync_as(&self, row: RowKey, kind: EventKind, event: &str) -> anyhow::Result<Outcome> {
        let job = Job {
            kinds: EventKinds::of(kind),
            last_event: EventId::parse(event)?,
            ..job(row)
        };
        outcome_of(process(&self.context, &job, 0.5).await)
    }

    /// The rows whose sync was requested, in order.
    pub(crate) async fn requested_rows(&self) -> anyhow::Result<Vec<RowKey>> {
        let mut rows = Vec::new();
        for record in self.accepted().await? {
            let table = record.table.context("an event without a table")?;
            rows.extend(
                record
                    .items
                    .iter()
                    .filter_map(|item| item.row)
                    .map(|row| RowKey { table, row }),
            );
        }
        Ok(rows)
    }

    /// How many events the queue has accepted.
    pub(crate) async fn events_accepted(&self) -> anyhow::Result<usize> {
        Ok(self.accepted().await?.len())
    }

    async fn accepted(&self) -> anyhow::Result<Vec<NewEvent>> {
        let entries = self.queue()?.read_ledger(None, 1000).await?;
        let records = entries.into_iter().flat_map(|entry| entry.records);
        Ok(records
            .filter_map(|record| match record {
                Ok(LedgerRecord::Accepted(record)) => Some(record),
                _ => None,
            })
            .collect())
    }

    /// The titles of the pages that are not in the trash, oldest first.
    pub(crate) async fn titles(&self) -> anyhow::Result<Vec<String>> {
        let pages = self.pages().await?;
        let titles = pages.iter().map(|page| page["title"].as_str().unwrap_or_default());
        Ok(titles.map(str::to_owned).collect())
    }

    /// One attempt that must write something.
    pub(crate) async fn synced(&self, row: RowKey) -> anyhow::Result<()> {
        let outcome = self.sync(row).await?;
        anyhow::ensure!(outcome == Outcome::Synced, "nothing was written: {outcome}");
        Ok(())
    }

    /// Attempts until there is an outcome, without the waits between attempts.
    pub(crate) async fn sync_eventually(&self, row: RowKey) -> Outcome {
        eventually("the job is done", async || match self.attempt(row).await.verdict {
            Verdict::Done(outcome) => Ok(outcome),
            other => Err(other),
        })
        .await
    }

    /// Makes these the only faults of Docmost.
    pub(crate) fn docmost_fault(&self, fault: Fault) {
        self.docmost.faults.set(vec![fault]);
    }
}

/// One attempt by the given process.
pub(crate) async fn attempt(context: &Context, row: RowKey) -> Settlement {
    process(context, &job(row), 0.5).await
}

/// One attempt as the job that stopped gates let through, which had so many before.
pub(crate) async fn probe(context: &Context, row: RowKey, attempts: u32) -> Settlement {
    let job = Job { attempts, ..job(row) };
    let_through(process(context, &job, 0.5)).await
}

fn outcome_of(settlement: Settlement) -> anyhow::Result<Outcome> {
    match settlement {
        Settlement {
            verdict: Verdict::Done(outcome),
            ..
        } => Ok(outcome),
        other => anyhow::bail!("not done: {other:#?}"),
    }
}

#[expect(clippy::unwrap_used, reason = "the text is an event id")]
fn job(row: RowKey) -> Job {
    Job {
        key: JobKey::Row(row),
        attempts: 0,
        crashes: 0,
        covers: Seq::ZERO,
        kinds: EventKinds::of(EventKind::Updated),
        last_event: EventId::parse("test").unwrap(),
        waiting_since: Timestamp::now(),
        failing_since: None,
    }
}

type Products<'a> = (&'a Running, &'a Running);

fn environment(
    bridge_file: &str,
    redis: &TestRedis,
    folder: &Path,
    (baserow, docmost): Products<'_>,
) -> Vec<(&'static str, String)> {
    vec![
        ("BRIDGE_FILE", bridge_file.to_owned()),
        ("REDIS_URL", redis.url()),
        (
            "DATABASE_URL",
            format!("sqlite://{}", folder.join("ledger.sqlite").display()),
        ),
        ("BASEROW_URL", baserow.url()),
        ("BASEROW_TOKEN", "sandbox-token".to_owned()),
        ("DOCMOST_URL", docmost.url()),
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

async fn context(
    bridge_file: &str,
    redis: &TestRedis,
    folder: &Path,
    products: Products<'_>,
) -> anyhow::Result<Context> {
    let settings = Settings::read(Reader::from_pairs(environment(bridge_file, redis, folder, products)))?;
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
