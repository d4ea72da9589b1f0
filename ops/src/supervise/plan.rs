//! How the parts are started: programs, addresses and settings.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use passerelle_model::config::{Reader, RedisSettings};

use super::folders::Folders;
use super::part::Part;
use crate::trouble::Trouble;

/// What a part may take to end beyond the worker's grace time.
const BEYOND_GRACE: Duration = Duration::from_secs(15);

/// How the parts of a bridge are started, with the settings of now.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) folders: Folders,
    pub(crate) ingress: SocketAddr,
    /// Where the ingress says how it is.
    pub(crate) health: SocketAddr,
    console: SocketAddr,
    first_worker: SocketAddr,
    own_redis_port: u16,
    /// Whether a Redis of our own belongs to it: none is named.
    pub(crate) has_redis: bool,
    pub(crate) redis: RedisSettings,
    /// How long a part may take to end when it is asked.
    pub(crate) patience: Duration,
    /// Where the programs are: beside this one.
    programs: PathBuf,
    /// What every part gets besides the environment of this process.
    environment: BTreeMap<String, String>,
}

impl Plan {
    /// Reads the settings. The workers' addresses follow each other, so the last has to exist.
    pub(crate) fn read(mut reader: Reader, folders: &Folders, workers: u16) -> Result<Self, Trouble> {
        let mut environment = BTreeMap::new();
        if let Some(file) = reader.optional("PASSERELLE_ENV_FILE") {
            environment.insert("PASSERELLE_ENV_FILE".to_owned(), file);
        }
        let own_redis_port = reader.parsed("OWN_REDIS_PORT", 6399);
        let has_redis = reader.optional("REDIS_URL").is_none();
        if has_redis {
            let url = format!("redis://127.0.0.1:{own_redis_port}/0");
            reader = reader.with("REDIS_URL", &url);
            environment.insert("REDIS_URL".to_owned(), url);
        }
        let here = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let ingress = reader.parsed("INGRESS_BIND", here(8080));
        let first_worker = reader.parsed("WORKER_HEALTH_BIND", here(8081));
        if first_worker.port().checked_add(workers).is_none() {
            let hint = "give a port behind which there is room for all workers";
            reader.problem("WORKER_HEALTH_BIND", "leaves too few ports", hint);
        }
        let programs = std::env::current_exe()
            .ok()
            .and_then(|path| Some(path.parent()?.to_owned()));
        let plan = Self {
            folders: folders.clone(),
            ingress,
            health: reader.parsed("INGRESS_HEALTH_BIND", ingress),
            console: reader.parsed("CONSOLE_BIND", here(8090)),
            first_worker,
            own_redis_port,
            has_redis,
            redis: RedisSettings::read(&mut reader),
            patience: patience(&reader),
            programs: programs.unwrap_or_default(),
            environment,
        };
        Ok(reader.finish(plan)?)
    }

    /// Where a part listens. Each worker has the port after its predecessor's.
    pub(crate) fn address(&self, part: Part) -> SocketAddr {
        match part {
            Part::Redis => SocketAddr::from(([127, 0, 0, 1], self.own_redis_port)),
            Part::Ingress => self.ingress,
            Part::Console => self.console,
            Part::Worker(number) => {
                let first = self.first_worker;
                SocketAddr::new(first.ip(), first.port().saturating_add(number - 1))
            }
        }
    }

    /// The address of its Redis, where it is our own.
    pub(crate) fn own_redis_url(&self) -> Option<&str> {
        self.environment.get("REDIS_URL").map(String::as_str)
    }

    /// The command that starts a part, in the background of any terminal and with its log.
    pub(crate) fn command(&self, part: Part) -> std::io::Result<Command> {
        use std::os::unix::process::CommandExt as _;
        let mut command = match part {
            Part::Redis => self.redis_server(),
            Part::Ingress => Command::new(self.programs.join("passerelle-ingress")),
            Part::Console => {
                let mut command = Command::new(self.programs.join("passerelle"));
                command.arg("console");
                command
            }
            Part::Worker(_) => {
                let mut command = Command::new(self.programs.join("passerelle-worker"));
                command.env("WORKER_HEALTH_BIND", self.address(part).to_string());
                command
            }
        };
        let log = self.folders.log(&part.to_string());
        let log = OpenOptions::new().create(true).append(true).open(log)?;
        command
            .envs(&self.environment)
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        Ok(command)
    }

    /// Append-only file on, each write on the disk before it is answered, nothing evicted.
    fn redis_server(&self) -> Command {
        let mut command = Command::new("redis-server");
        let options = "--bind 127.0.0.1 --appendonly yes --appendfsync always --maxmemory-policy noeviction --port";
        command
            .args(options.split(' '))
            .arg(self.own_redis_port.to_string())
            .arg("--dir")
            .arg(self.folders.data_folder.join("redis"));
        command
    }
}

/// How long a part may take to end. What is wrong with the setting keeps nobody from stopping.
pub(crate) fn patience(reader: &Reader) -> Duration {
    reader.afresh().seconds("WORKER_GRACE_SECONDS", 20) + BEYOND_GRACE
}

/// Where an address answers from here.
pub(crate) fn from_here(address: SocketAddr) -> SocketAddr {
    let here: IpAddr = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        other => other,
    };
    SocketAddr::new(here, address.port())
}
