//! One program of the product, started as users start it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};

/// A running program; killed when dropped, and when the thread ends that has started it. Its output
/// goes to a file, which is shown when something fails.
#[derive(Debug)]
pub struct Process {
    child: Child,
    name: String,
    log: PathBuf,
}

impl Process {
    /// Starts a program of this build with exactly these environment variables (and `PATH`).
    pub fn start(
        program: &str,
        arguments: &[String],
        environment: &BTreeMap<String, String>,
        log: &Path,
    ) -> anyhow::Result<Self> {
        let path = program_path(program)?;
        let output = std::fs::OpenOptions::new().create(true).append(true).open(log)?;
        let child = test_support::bound_command(&path)
            .args(arguments)
            .env_clear()
            .env("PATH", search_path())
            .envs(environment)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("{} could not be started", path.display()))?;
        Ok(Self {
            child,
            name: program.to_owned(),
            log: log.to_owned(),
        })
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Everything that it printed so far.
    pub fn output(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Kills it with SIGKILL: no chance to clean up.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Sends a signal by name, e.g. `TERM`, `STOP`, `CONT`.
    pub fn signal(&self, name: &str) -> anyhow::Result<()> {
        test_support::signal(self.pid(), name).with_context(|| self.name.clone())
    }

    /// Waits until it ends by itself.
    pub async fn ended(&mut self, within: Duration) -> anyhow::Result<ExitStatus> {
        let mut ticks = tokio::time::interval(Duration::from_millis(10));
        let deadline = tokio::time::Instant::now() + within;
        loop {
            ticks.tick().await;
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            if tokio::time::Instant::now() > deadline {
                bail!(
                    "{} did not end within {within:?}; it printed:\n{}",
                    self.name,
                    self.output()
                );
            }
        }
    }

    /// Asks it to stop (SIGTERM) and waits for its end.
    pub async fn stop(&mut self, within: Duration) -> anyhow::Result<ExitStatus> {
        self.signal("TERM")?;
        self.ended(within).await
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The folders in which this machine looks for programs.
#[expect(clippy::disallowed_methods, reason = "PATH is no setting of the product")]
pub fn search_path() -> OsString {
    std::env::var_os("PATH").unwrap_or_default()
}

/// Where this build put a program: beside the running test or demo.
pub fn program_path(program: &str) -> anyhow::Result<PathBuf> {
    let mut folder = std::env::current_exe()?;
    folder.pop();
    if folder.ends_with("deps") {
        folder.pop();
    }
    let path = folder.join(program);
    if !path.is_file() {
        bail!(
            "{} is not built: use the make targets (`make test`, `make demo`), they build it first",
            path.display()
        );
    }
    Ok(path)
}
