//! A Redis of the test's own.

use std::fs::File;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tempfile::TempDir;

use crate::{PATIENCE, TestCertificate, WrongClock, find_program, free_port, signal};

/// When Redis writes its append-only file to the disk (`appendfsync`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fsync {
    /// Once per second: a power cut loses what was written since.
    #[default]
    Everysec,
    Always,
}

impl Fsync {
    /// The value of `appendfsync`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Everysec => "everysec",
            Self::Always => "always",
        }
    }
}

/// How a server shall be started.
#[derive(Debug, Clone, Default)]
pub struct RedisOptions {
    /// When it writes its file to the disk.
    pub fsync: Fsync,
    /// A port for TLS beside the plain one, with this certificate. Replicas then copy by TLS.
    pub tls: Option<TestCertificate>,
    /// The port of the master that it copies.
    pub replica_of: Option<u16>,
    /// More variables of its environment.
    pub environment: Vec<(String, String)>,
}

/// A running `redis-server` (append-only file on, `noeviction`), killed and removed when dropped.
#[derive(Debug)]
pub struct TestRedis {
    child: Option<Child>,
    folder: TempDir,
    port: u16,
    tls_port: u16,
    options: RedisOptions,
    clock: Option<WrongClock>,
}

impl TestRedis {
    /// Starts one with `appendfsync everysec` on a free port, and waits until it answers.
    pub fn start() -> anyhow::Result<Self> {
        Self::start_with(Fsync::default())
    }

    /// Starts one with this `appendfsync` on a free port, and waits until it answers.
    pub fn start_with(fsync: Fsync) -> anyhow::Result<Self> {
        Self::start_as(RedisOptions {
            fsync,
            ..RedisOptions::default()
        })
    }

    /// Starts one in this way on a free port, and waits until it answers.
    pub fn start_as(options: RedisOptions) -> anyhow::Result<Self> {
        let mut server = Self {
            child: None,
            folder: tempfile::tempdir()?,
            port: free_port()?,
            tls_port: if options.tls.is_some() { free_port()? } else { 0 },
            options,
            clock: None,
        };
        server.boot()?;
        Ok(server)
    }

    /// Starts one whose clock can be set: see [`TestRedis::set_clock`].
    pub fn start_with_clock() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut server = Self {
            child: None,
            port: free_port()?,
            tls_port: 0,
            options: RedisOptions::default(),
            clock: Some(WrongClock::new(folder.path(), "redis")?),
            folder,
        };
        server.boot()?;
        Ok(server)
    }

    /// Makes its clock wrong by so many seconds from now on.
    ///
    /// # Errors
    /// It was started without such a clock.
    pub fn set_clock(&self, by: i64) -> anyhow::Result<()> {
        let clock = self.clock.as_ref().context("this Redis has the machine's clock")?;
        clock.set(by)
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its port for TLS.
    pub fn tls_port(&self) -> u16 {
        self.tls_port
    }

    /// One command, over a connection of its own.
    pub fn ask<T: redis::FromRedisValue>(&self, words: &[&str]) -> anyhow::Result<T> {
        let mut command = redis::Cmd::new();
        for word in words {
            command.arg(*word);
        }
        Ok(command.query(&mut redis::Client::open(self.url())?.get_connection()?)?)
    }

    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Stops it where it is: connections stay, answers do not come.
    pub fn freeze(&self) -> anyhow::Result<()> {
        signal(self.pid().context("Redis does not run")?, "STOP")
    }

    /// Lets it go on.
    pub fn thaw(&self) -> anyhow::Result<()> {
        signal(self.pid().context("Redis does not run")?, "CONT")
    }

    /// Kills it with SIGKILL, as a power cut would; the data stays.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// Starts it again on the same port with the same data.
    pub fn boot(&mut self) -> anyhow::Result<()> {
        let child = crate::bound_command(&program()?)
            .args(self.arguments())
            .envs(self.options.environment.iter().cloned())
            .envs(self.clock.iter().flat_map(WrongClock::environment))
            .stdin(Stdio::null())
            .stdout(File::create(self.log())?)
            .stderr(Stdio::null())
            .spawn()
            .context("redis-server could not be started")?;
        self.child = Some(child);
        self.wait_until_it_answers()
    }

    fn arguments(&self) -> Vec<String> {
        let folder = self.folder.path().display();
        let fsync = self.options.fsync.word();
        let tls = self.options.tls.as_ref();
        let tls = tls
            .map(|certificate| certificate.arguments(self.tls_port))
            .unwrap_or_default();
        let master = self.options.replica_of;
        let master = master
            .map(|port| format!(" --replicaof 127.0.0.1 {port}"))
            .unwrap_or_default();
        let line = format!(
            "--port {} --bind 127.0.0.1 --appendonly yes --appendfsync {fsync} --maxmemory-policy noeviction \
             --repl-diskless-sync-delay 0 --dir {folder}{tls}{master}",
            self.port
        );
        let words = line.split(' ').map(str::to_owned);
        words.chain(["--save".to_owned(), String::new()]).collect()
    }

    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    fn wait_until_it_answers(&mut self) -> anyhow::Result<()> {
        let client = redis::Client::open(self.url())?;
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(status) = self.child.as_mut().map(Child::try_wait).transpose()?.flatten() {
                let printed = std::fs::read_to_string(self.log()).unwrap_or_default();
                bail!("redis-server on port {} ended with {status}:\n{printed}", self.port);
            }
            let connects = TcpStream::connect(("127.0.0.1", self.port)).is_ok();
            if connects
                && client
                    .get_connection()
                    .is_ok_and(|mut connection| redis::cmd("PING").exec(&mut connection).is_ok())
            {
                return Ok(());
            }
            std::thread::park_timeout(Duration::from_millis(10));
        }
        bail!("redis-server on port {} did not answer within {PATIENCE:?}", self.port)
    }
}

impl Drop for TestRedis {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}

/// Where `redis-server` is; it is `redis-sentinel` too.
pub(crate) fn program() -> anyhow::Result<PathBuf> {
    find_program("redis-server", &[])
        .context("redis-server was not found: run `make tools`, or install the package redis-server")
}
