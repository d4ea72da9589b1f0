//! The Redis of a world, its replica, and what is done to them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use redis::aio::MultiplexedConnection;
use test_support::free_port;

/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_mins(1);

/// One `redis-server`, as shipped: append-only file, synced at every write, nothing evicted.
#[derive(Debug)]
pub(crate) struct Redis {
    child: Option<Child>,
    pub(crate) port: u16,
    pub(crate) folder: PathBuf,
    environment: BTreeMap<String, String>,
}

impl Redis {
    /// Starts one in this folder on a free port.
    pub(crate) async fn start(folder: PathBuf, environment: BTreeMap<String, String>) -> anyhow::Result<Self> {
        std::fs::create_dir_all(&folder)?;
        let mut server = Self {
            child: None,
            port: free_port()?,
            folder,
            environment,
        };
        server.boot().await?;
        Ok(server)
    }

    /// Starts it again with the data that are there.
    pub(crate) async fn boot(&mut self) -> anyhow::Result<()> {
        let log = std::fs::File::create(self.folder.join("log"))?;
        let port = self.port.to_string();
        let child = Command::new("redis-server")
            .args([
                "--port",
                &port,
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--appendonly",
                "yes",
            ])
            .args(["--appendfsync", "always", "--maxmemory-policy", "noeviction"])
            .args(["--repl-diskless-sync-delay", "0", "--dir"])
            .arg(&self.folder)
            .envs(&self.environment)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("redis-server could not be started: run `make tools`")?;
        self.child = Some(child);
        self.answers().await
    }

    async fn answers(&self) -> anyhow::Result<()> {
        let mut ticks = tokio::time::interval(Duration::from_millis(20));
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            ticks.tick().await;
            let answer = self.ask(&["PING"]).await;
            match answer {
                Ok(_) => return Ok(()),
                Err(error) if tokio::time::Instant::now() > deadline => return Err(error),
                Err(_) => {}
            }
        }
    }

    /// SIGKILL; the data stay.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Stops it in order.
    pub(crate) async fn shut_down(&mut self) {
        // It ends without an answer.
        let _ = self.ask(&["SHUTDOWN"]).await;
        self.kill();
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, name: &str) -> anyhow::Result<()> {
        let child = self.child.as_ref().context("Redis does not run")?;
        test_support::signal(child.id(), name)
    }

    /// One command whose answer does not matter.
    pub(crate) async fn asked(&self, words: &[&str]) -> anyhow::Result<()> {
        self.ask(words).await.map(|_| ())
    }

    /// One command over a connection of its own.
    pub(crate) async fn ask(&self, words: &[&str]) -> anyhow::Result<redis::Value> {
        let asking = async {
            let mut connection = self.connect().await?;
            let mut command = redis::Cmd::new();
            for word in words {
                command.arg(*word);
            }
            Ok(command.query_async(&mut connection).await?)
        };
        match tokio::time::timeout(Duration::from_secs(20), asking).await {
            Ok(answer) => answer,
            Err(_) => bail!("Redis did not answer {words:?}"),
        }
    }

    async fn connect(&self) -> anyhow::Result<MultiplexedConnection> {
        let client = redis::Client::open(format!("redis://127.0.0.1:{}/0", self.port))?;
        // The limit of a command is set around it.
        let config = redis::AsyncConnectionConfig::new()
            .set_connection_timeout(None)
            .set_response_timeout(None);
        Ok(client.get_multiplexed_async_connection_with_config(&config).await?)
    }

    /// Waits until it is a replica that has everything.
    pub(crate) async fn follows(&self, master: u16) -> anyhow::Result<()> {
        self.ask(&["REPLICAOF", "127.0.0.1", &master.to_string()]).await?;
        let mut ticks = tokio::time::interval(Duration::from_millis(20));
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            ticks.tick().await;
            let info = format!("{:?}", self.ask(&["INFO", "replication"]).await?);
            if info.contains("master_link_status:up") {
                return Ok(());
            }
            if tokio::time::Instant::now() > deadline {
                bail!("the replica does not follow: {info}");
            }
        }
    }

    /// Whatever was done to it by commands is undone.
    pub(crate) async fn heal(&mut self) -> anyhow::Result<()> {
        if self.child.is_none() {
            self.boot().await?;
        }
        let _ = self.signal("CONT");
        self.ask(&["ACL", "SETUSER", "default", "+@all"]).await?;
        self.ask(&["CONFIG", "SET", "maxmemory", "0"]).await?;
        self.ask(&["REPLICAOF", "NO", "ONE"]).await?;
        Ok(())
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}
