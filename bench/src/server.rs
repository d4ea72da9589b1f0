//! The measured processes, apart from the load generator.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::Context as _;
use test_support::{Fsync, TestRedis};

/// A running process; killed when dropped.
pub(crate) struct Server(Child);

impl Server {
    /// Starts a program with exactly these environment variables.
    pub(crate) fn start(program: &Path, arguments: &[&str], environment: &[(&str, String)]) -> anyhow::Result<Self> {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env_clear()
            .envs(environment.iter().map(|(name, value)| (name, value)));
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        child
            .map(Self)
            .with_context(|| format!("{} could not be started", program.display()))
    }

    /// A worker process that settles this number of jobs, then ends.
    pub(crate) fn noop_worker(redis: &TestRedis, jobs: u64) -> anyhow::Result<Self> {
        let arguments = ["noop-worker", "--redis", &redis.url(), "--jobs", &jobs.to_string()];
        Self::start(&std::env::current_exe()?, &arguments, &[])
    }

    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }

    pub(crate) fn has_ended(&mut self) -> anyhow::Result<bool> {
        Ok(self.0.try_wait()?.is_some())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A Redis without automatic rewrites of its append-only file, which would distort a run.
pub(crate) fn quiet_redis(fsync: Fsync) -> anyhow::Result<TestRedis> {
    let redis = TestRedis::start_with(fsync)?;
    let mut connection = redis::Client::open(redis.url())?.get_connection()?;
    redis::cmd("CONFIG")
        .arg(&["SET", "auto-aof-rewrite-percentage", "0"])
        .exec(&mut connection)?;
    Ok(redis)
}
