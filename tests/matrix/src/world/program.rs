//! One process of a world: started, signalled, and killed when the world ends.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};

/// How a process is started, again and again; its output goes to one file.
#[derive(Debug, Clone)]
pub(crate) struct Recipe {
    pub(crate) name: &'static str,
    pub(crate) arguments: Vec<String>,
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) log: PathBuf,
}

/// A process that runs, or has ended.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
}

impl Recipe {
    /// Starts it with exactly its environment, and `PATH`.
    pub(crate) fn start(&self, extra: &[(&str, &str)]) -> anyhow::Result<Process> {
        let output = std::fs::OpenOptions::new().create(true).append(true).open(&self.log)?;
        let path = program_path(self.name)?;
        #[expect(clippy::disallowed_methods, reason = "PATH is no setting of the product")]
        let search_path = std::env::var_os("PATH").unwrap_or_default();
        let child = Command::new(&path)
            .args(&self.arguments)
            .env_clear()
            .env("PATH", search_path)
            .envs(&self.environment)
            .envs(extra.iter().copied())
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("{} could not be started", path.display()))?;
        Ok(Process { child })
    }
}

impl Process {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn kill(&mut self) {
        // It fails only if the process has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Sends a signal by name.
    pub(crate) fn signal(&self, name: &str) -> anyhow::Result<()> {
        test_support::signal(self.child.id(), name)
    }

    /// Sets one of its limits, in the words of `prlimit`. One that has ended needs none.
    pub(crate) fn limit(&self, limit: &str) -> anyhow::Result<()> {
        let pid = self.child.id().to_string();
        let set = Command::new("prlimit")
            .args(["--pid", &pid, limit])
            .stderr(Stdio::null())
            .status();
        set.context("prlimit could not be started: install util-linux")
            .map(|_| ())
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Asks it to stop; kills it if it has not within this time.
    pub(crate) async fn stop(&mut self, within: Duration) -> anyhow::Result<()> {
        self.signal("TERM")?;
        let ended = tokio::time::timeout(within, self.wait()).await;
        if ended.is_err() {
            self.kill();
            bail!("it did not stop within {within:?}");
        }
        Ok(())
    }

    /// Waits for its end.
    pub(crate) async fn wait(&mut self) {
        let mut ticks = tokio::time::interval(Duration::from_millis(20));
        while matches!(self.child.try_wait(), Ok(None)) {
            ticks.tick().await;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Where this build put a program: beside the running program or test.
pub(crate) fn program_path(program: &str) -> anyhow::Result<PathBuf> {
    let mut folder = std::env::current_exe()?;
    folder.pop();
    if folder.ends_with("deps") {
        folder.pop();
    }
    let path = folder.join(program);
    if !path.is_file() {
        bail!("{} is not built: use `make test-faults` or `make test`", path.display());
    }
    Ok(path)
}
