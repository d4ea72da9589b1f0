//! A master with a replica, watched by three Sentinels, all of the test's own.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use tempfile::TempDir;

use crate::redis_server::program;
use crate::{PATIENCE, RedisOptions, TestRedis, free_port, signal};

/// The name under which the master is watched.
const NAME: &str = "mymaster";
/// How many of the Sentinels must agree.
const QUORUM: usize = 2;
/// Who may ask the Sentinels, and with which password, where they are secured.
const WATCHER: (&str, &str) = ("watcher", "sentinel-passw0rd");

/// A master and a replica, and three Sentinels that put the replica in the master's place when it
/// does not answer for a second and a half. All are killed when it is dropped.
#[derive(Debug)]
pub struct TestSentinels {
    /// The server that was the master at first, and the one that was its replica.
    pub servers: [TestRedis; 2],
    sentinels: Vec<Sentinel>,
    options: RedisOptions,
    folder: TempDir,
}

#[derive(Debug)]
struct Sentinel {
    child: Child,
    port: u16,
}

impl TestSentinels {
    /// Starts all, and waits until the replica has everything and the Sentinels know each other.
    /// With TLS the Sentinels also ask for a user and a password.
    pub fn start(options: RedisOptions) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let master = TestRedis::start_as(options.clone())?;
        let replica = TestRedis::start_as(RedisOptions {
            replica_of: Some(watched_port(&master)),
            ..options.clone()
        })?;
        let mut all = Self {
            servers: [master, replica],
            sentinels: Vec::new(),
            options,
            folder,
        };
        for number in 0..3 {
            let sentinel = all.start_sentinel(&all.folder.path().join(format!("sentinel-{number}")))?;
            all.sentinels.push(sentinel);
        }
        all.wait("the replica follows", |all| {
            let info: String = all.servers[1].ask(&["INFO", "replication"])?;
            Ok(info.contains("master_link_status:up"))
        })?;
        all.wait("the Sentinels know each other and the replica", |all| {
            let knows = |sentinel: &Sentinel| {
                all.told(sentinel, "num-other-sentinels") == Some(2) && all.told(sentinel, "num-slaves") == Some(1)
            };
            Ok(all.sentinels.iter().all(knows))
        })?;
        Ok(all)
    }

    /// The URL for `REDIS_URL`, with the user of the Sentinels where they are secured; `user` is
    /// that of the server, `name:password@`, or empty.
    pub fn url(&self, user: &str) -> String {
        let hosts: Vec<String> = self
            .sentinels
            .iter()
            .map(|sentinel| format!("127.0.0.1:{}", sentinel.port))
            .collect();
        let hosts = hosts.join(",");
        if self.options.tls.is_none() {
            return format!("redis+sentinel://{user}{hosts}/{NAME}");
        }
        let (watcher, password) = WATCHER;
        format!("rediss+sentinel://{user}{hosts}/{NAME}/0?sentinel_user={watcher}&sentinel_password={password}")
    }

    /// Stops a Sentinel where it is: connections stay, answers do not come.
    pub fn freeze_sentinel(&self, number: usize) -> anyhow::Result<()> {
        signal(self.sentinels[number].child.id(), "STOP")
    }

    /// Asks the Sentinels to put the replica in the master's place, though the master is well: it
    /// becomes a replica.
    pub fn fail_over(&self) -> anyhow::Result<()> {
        let _: String = self.ask(&self.sentinels[0], &["SENTINEL", "FAILOVER", NAME])?;
        Ok(())
    }

    /// Waits until the second server is the master, and all Sentinels name it: only then the first
    /// may come back.
    pub fn wait_for_failover(&self) -> anyhow::Result<()> {
        let port = u64::from(watched_port(&self.servers[1]));
        self.wait("the replica is the master, and all Sentinels name it", |all| {
            let info: String = all.servers[1].ask(&["INFO", "replication"])?;
            let mut sentinels = all.sentinels.iter();
            let is_named = sentinels.all(|sentinel| all.told(sentinel, "port") == Some(port));
            Ok(is_named && info.contains("role:master"))
        })
    }

    fn start_sentinel(&self, folder: &Path) -> anyhow::Result<Sentinel> {
        std::fs::create_dir_all(folder)?;
        let (port, master) = (free_port()?, watched_port(&self.servers[0]));
        let (watcher, password) = WATCHER;
        let way_in = match &self.options.tls {
            None => format!("port {port}"),
            Some(certificate) => format!(
                "port 0{}\nuser {watcher} on >{password} allchannels +@all\nuser default off\n\
                 sentinel sentinel-user {watcher}\nsentinel sentinel-pass {password}",
                certificate.arguments(port).replace(" --", "\n")
            ),
        };
        let settings = format!(
            "bind 127.0.0.1\n{way_in}\nsentinel monitor {NAME} 127.0.0.1 {master} {QUORUM}\n\
             sentinel down-after-milliseconds {NAME} 1500\nsentinel failover-timeout {NAME} 6000\n"
        );
        let path = folder.join("sentinel.conf");
        std::fs::write(&path, settings)?;
        let child = Command::new(program()?)
            .arg(&path)
            .arg("--sentinel")
            .args(["--dir".as_ref(), folder.as_os_str()])
            .stdin(Stdio::null())
            .stdout(File::create(folder.join("log"))?)
            .stderr(Stdio::null())
            .spawn()
            .context("redis-server --sentinel could not be started")?;
        Ok(Sentinel { child, port })
    }

    /// A number that a Sentinel tells of the master.
    fn told(&self, sentinel: &Sentinel, name: &str) -> Option<u64> {
        let told: Vec<String> = self.ask(sentinel, &["SENTINEL", "MASTER", NAME]).ok()?;
        let at = told.iter().position(|word| word == name)?;
        told.get(at + 1)?.parse().ok()
    }

    fn ask<T: redis::FromRedisValue>(&self, sentinel: &Sentinel, words: &[&str]) -> anyhow::Result<T> {
        let mut command = redis::Cmd::new();
        for word in words {
            command.arg(*word);
        }
        let client = match &self.options.tls {
            None => redis::Client::open(format!("redis://127.0.0.1:{}", sentinel.port))?,
            Some(certificate) => {
                let _ = rustls::crypto::ring::default_provider().install_default();
                let (watcher, password) = WATCHER;
                let certificates = redis::TlsCertificates {
                    client_tls: None,
                    root_cert: Some(std::fs::read(certificate.path())?),
                };
                let url = format!("rediss://{watcher}:{password}@127.0.0.1:{}", sentinel.port);
                redis::Client::build_with_tls(url, certificates)?
            }
        };
        Ok(command.query(&mut client.get_connection_with_timeout(Duration::from_secs(1))?)?)
    }

    /// The end of a Sentinel's log.
    fn last_words(&self) -> String {
        let log = std::fs::read_to_string(self.folder.path().join("sentinel-0/log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }

    fn wait(&self, fact: &str, mut look: impl FnMut(&Self) -> anyhow::Result<bool>) -> anyhow::Result<()> {
        let deadline = std::time::Instant::now() + PATIENCE;
        while !look(self).unwrap_or(false) {
            if std::time::Instant::now() > deadline {
                bail!(
                    "waited {PATIENCE:?} for: {fact}; a Sentinel says:\n{}",
                    self.last_words()
                );
            }
            std::thread::park_timeout(Duration::from_millis(20));
        }
        Ok(())
    }
}

/// The port by which the Sentinels and replicas call a server.
fn watched_port(server: &TestRedis) -> u16 {
    if server.tls_port() == 0 {
        server.port()
    } else {
        server.tls_port()
    }
}

impl Drop for Sentinel {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
