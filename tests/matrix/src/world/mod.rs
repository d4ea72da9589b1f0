//! A world: every process of a bridge and every server that it calls, started for one schedule and
//! killed at its end.

mod clock;
mod links;
mod operator;
mod place;
mod program;
mod redis;
mod sandbox;
mod settings;
mod sql;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::bail;
use serde_json::json;
use tempfile::TempDir;
use test_support::free_port;
use tokio::sync::Mutex;

use crate::schedule::{Clock, INGRESSES, Line, Program, Schedule, WORKERS};
use clock::Clocks;
use links::{Ends, Links};
pub(crate) use operator::Operator;
use place::Place;
use program::{Process, Recipe};
pub(crate) use redis::Redis;
pub(crate) use sandbox::Sandbox;
use sandbox::{Doors, SECRET};
use settings::Servers;
pub(crate) use sql::Sql;

/// How long a world may take to start, step by step, on a busy machine.
const STARTS_WITHIN: Duration = Duration::from_mins(2);
/// How much faster than real Baserow repeats deliveries: nine failures in a row take about half a
/// minute.
const TEMPO: u32 = 8;
/// The tables whose rows are of interest, by their numbers in the sandbox.
pub(crate) const TABLES: [(&str, u64); 6] = [
    ("client", 1),
    ("projet", 2),
    ("formation", 3),
    ("bloc", 4),
    ("personne", 5),
    ("attribution", 6),
];

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    pub(crate) links: Links,
    pub(crate) clocks: Clocks,
    pub(crate) redis: Mutex<Redis>,
    pub(crate) sql: Mutex<Sql>,
    pub(crate) operator: Mutex<Operator>,
    /// Rows that nobody could read and live, by their job.
    pub(crate) poisoned: Mutex<BTreeSet<String>>,
    /// Servers whose place another one has taken; some of their connections may be alive.
    pub(crate) retired: Mutex<Vec<Redis>>,
    places: Vec<(Program, Mutex<Place>)>,
    ports: Vec<(Program, u16)>,
    _sandbox_process: Process,
    folder: TempDir,
}

impl World {
    /// Starts everything and waits until it is ready.
    pub(crate) async fn start(schedule: &Schedule) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("fault-matrix-").tempdir()?;
        let path = folder.path().to_owned();
        let clocks = Clocks::of(schedule, &path)?;
        let sql = Sql::start(schedule.database, &path).await?;
        let redis = Redis::start(path.join("redis"), clocks.preload(Clock::OfRedis)).await?;
        let doors = Doors::free()?;
        let ingresses = [free_port()?, free_port()?];
        let ends = Ends {
            ingresses,
            redis: redis.port,
            database: sql.port(),
            doors,
        };
        let links = Links::open(&ends).await?;
        let servers = Servers {
            redis: redis.port,
            database_url: sql.url(),
            doors,
        };
        let sandbox_process = sandbox_recipe(doors, &links, &path).start(&[])?;
        let mut places = Vec::new();
        for (number, port) in ingresses.into_iter().enumerate() {
            let mut environment = settings::of_ingress(&path, &links, number, port);
            environment.extend(clocks.preload(Clock::Of(Program::Ingress(number))));
            places.push(Place::of(Program::Ingress(number), port, environment, &path));
        }
        for number in 0..WORKERS {
            let port = free_port()?;
            let mut environment = settings::of_worker(&path, &links, &servers, (number, port));
            environment.extend(clocks.preload(Clock::Of(Program::Worker(number))));
            places.push(Place::of(Program::Worker(number), port, environment, &path));
        }
        let world = Self {
            sandbox: Sandbox::new(doors)?,
            links,
            clocks,
            redis: Mutex::new(redis),
            sql: Mutex::new(sql),
            operator: Mutex::new(Operator {
                environment: settings::of_operator(&path, &servers),
            }),
            poisoned: Mutex::default(),
            retired: Mutex::default(),
            ports: places.iter().map(|place| (place.program, place.port)).collect(),
            places: places
                .into_iter()
                .map(|place| (place.program, Mutex::new(place)))
                .collect(),
            _sandbox_process: sandbox_process,
            folder,
        };
        world.get_ready().await?;
        Ok(world)
    }

    async fn get_ready(&self) -> anyhow::Result<()> {
        within("the sandbox is there", async || {
            self.sandbox.is_idle().await.map(|_| ())
        })
        .await?;
        self.sandbox.hurry(TEMPO).await?;
        let habits = json!({"request_timeout_ms": 2_000, "export_workers": 3});
        self.sandbox.set_habits(habits).await?;
        for (program, place) in &self.places {
            let mut place = place.lock().await;
            place.start()?;
            let port = place.port;
            drop(place);
            // One after the other: the first worker makes the database.
            within(&format!("{program} is ready"), async || {
                match self.sandbox.get(port, "/readyz").await? {
                    (200, _) => Ok(()),
                    other => bail!("{other:?}"),
                }
            })
            .await?;
        }
        Ok(())
    }

    /// A process of the bridge.
    pub(crate) fn place(&self, program: Program) -> &Mutex<Place> {
        let found = self.places.iter().find(|(known, _)| *known == program);
        // Every process that a schedule can name was started.
        found.map_or(&self.places[0].1, |(_, place)| place)
    }

    /// The ports at which the processes say how they are.
    pub(crate) fn ports(&self) -> &[(Program, u16)] {
        &self.ports
    }

    /// The port by which webhooks come in.
    pub(crate) fn entrance(&self) -> u16 {
        self.links.port(Line::Webhooks)
    }

    /// Mends everything: from now on the bridge has all that it needs.
    pub(crate) async fn heal(&self) -> anyhow::Result<()> {
        self.links.heal();
        self.clocks.heal()?;
        self.sandbox.set_faults(crate::schedule::Product::Baserow, &[]).await?;
        self.sandbox.set_faults(crate::schedule::Product::Docmost, &[]).await?;
        self.redis.lock().await.heal().await?;
        self.sql.lock().await.heal().await?;
        for (_, place) in &self.places {
            place.lock().await.revive()?;
        }
        Ok(())
    }

    /// The workers can write nothing to any file. A limit of what the database has now is not
    /// enough: it writes into the room of its log that it has used before.
    pub(crate) async fn fill_disk(&self) -> anyhow::Result<()> {
        self.limit_files("--fsize=0:").await
    }

    pub(crate) async fn empty_disk(&self) -> anyhow::Result<()> {
        self.limit_files("--fsize=unlimited:").await
    }

    async fn limit_files(&self, limit: &str) -> anyhow::Result<()> {
        let workers = self
            .places
            .iter()
            .filter(|(program, _)| matches!(program, Program::Worker(_)));
        for (_, place) in workers {
            place.lock().await.limit(limit)?;
        }
        Ok(())
    }

    /// The processes that have ended although no fault asked for it; they are started again, as a
    /// supervisor would.
    pub(crate) fn fallen(&self) -> anyhow::Result<Vec<String>> {
        let mut fallen = Vec::new();
        for (program, place) in &self.places {
            // One that a fault handles at present is not looked at.
            let Ok(mut place) = place.try_lock() else { continue };
            let ended = place.fell()?;
            if let Some(status) = ended {
                fallen.push(format!("{program} ended by itself ({status})"));
                place.revive()?;
            }
        }
        Ok(fallen)
    }

    /// Lines of the logs that say that a process panicked.
    pub(crate) fn panics(&self) -> Vec<String> {
        let mut panics = Vec::new();
        for entry in std::fs::read_dir(self.folder.path()).into_iter().flatten().flatten() {
            let text = std::fs::read_to_string(entry.path()).unwrap_or_default();
            let lines = text.lines().filter(|line| line.contains("panicked at"));
            panics.extend(lines.map(|line| format!("{}: {line}", entry.file_name().display())));
        }
        panics
    }

    /// Keeps the folder with all logs, and says where it is.
    pub(crate) fn keep(mut self) -> PathBuf {
        self.folder.disable_cleanup(true);
        self.folder.path().to_owned()
    }
}

/// The sandbox calls the ingresses by the line of the webhooks, for every table of interest.
fn sandbox_recipe(doors: Doors, links: &Links, folder: &std::path::Path) -> Recipe {
    let mut arguments = vec![
        format!("--baserow-port={}", doors.baserow),
        format!("--docmost-port={}", doors.docmost),
        format!("--smtp-port={}", doors.smtp),
        format!("--smtp-control-port={}", doors.smtp_control),
        format!("--baserow-token={}", settings::BASEROW_TOKEN),
        format!("--docmost-email={}", settings::DOCMOST_EMAIL),
        format!("--docmost-password={}", settings::DOCMOST_PASSWORD),
        format!("--webhook-secret={SECRET}"),
    ];
    let ingress = settings::http_url(links.port(Line::Webhooks));
    arguments
        .extend(TABLES.map(|(table, _)| format!("--webhook={table}={ingress}/api/webhooks/baserow/{table}-changed")));
    Recipe {
        name: "passerelle-sandbox",
        arguments,
        environment: std::collections::BTreeMap::new(),
        log: folder.join("sandbox.log"),
    }
}

/// Waits until something is as it should be; fails with what was seen last.
async fn within(fact: &str, mut look: impl AsyncFnMut() -> anyhow::Result<()>) -> anyhow::Result<()> {
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    let deadline = tokio::time::Instant::now() + STARTS_WITHIN;
    loop {
        ticks.tick().await;
        match look().await {
            Ok(()) => return Ok(()),
            Err(error) if tokio::time::Instant::now() > deadline => return Err(error.context(fact.to_owned())),
            Err(_) => {}
        }
    }
}

const _: () = assert!(INGRESSES == 2, "the ports of the ingresses are written out");
