//! An operator's shell.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Output;

use anyhow::Context as _;
use system_tests::System;
use system_tests::builder::repository;
use system_tests::process::{program_path, search_path};
use tempfile::TempDir;
use test_support::free_ports;

/// The most workers that a command may start.
const MOST_WORKERS: u16 = 4;

/// An operator's shell in a checkout, with the settings of a running system. What `make up` starts
/// in it is stopped with it.
pub(crate) struct Shell<'a> {
    system: &'a System,
    pub(crate) folder: TempDir,
    programs: PathBuf,
    /// The ports of the ingress, of our own Redis, of the console, and of as many workers as
    /// [`MOST_WORKERS`].
    ports: u16,
    /// Whether the settings name the system's Redis.
    names_redis: bool,
    /// The file in which the settings stand, if not in the environment.
    env_file: Option<PathBuf>,
}

impl<'a> Shell<'a> {
    pub(crate) fn of(system: &'a System) -> anyhow::Result<Self> {
        let program = program_path("passerelle")?;
        Ok(Self {
            system,
            folder: tempfile::tempdir()?,
            programs: program.parent().context("no folder")?.to_owned(),
            ports: free_ports(3 + MOST_WORKERS)?,
            names_redis: true,
            env_file: None,
        })
    }

    /// The same, where all settings stand in a file `.env`.
    pub(crate) fn with_env_file(system: &'a System) -> anyhow::Result<Self> {
        let mut shell = Self::of(system)?;
        let path = shell.folder.path().join(".env");
        let lines: Vec<String> = shell
            .settings()
            .into_iter()
            .filter(|(name, _)| name != "PASSERELLE_ENV_FILE")
            .map(|(name, value)| format!("{name}={value}\n"))
            .collect();
        std::fs::write(&path, lines.concat())?;
        shell.env_file = Some(path);
        Ok(shell)
    }

    /// The settings of the system, but for what another bridge beside it may not share.
    fn settings(&self) -> BTreeMap<String, String> {
        let mut settings = self.system.environment().clone();
        let [ingress, console, workers] = [0, 2, 3].map(|port| format!("127.0.0.1:{}", self.ports + port));
        let own = [
            ("BASEROW_EMAIL", "admin@example.com".to_owned()),
            ("BASEROW_PASSWORD", "Baserow-pass-1".to_owned()),
            ("INGRESS_BIND", ingress),
            ("CONSOLE_BIND", console),
            ("WORKER_HEALTH_BIND", workers),
            (
                "INGRESS_SPOOL_DIR",
                self.folder.path().join("spool").display().to_string(),
            ),
            ("OWN_REDIS_PORT", self.redis_port().to_string()),
        ];
        settings.extend(own.map(|(name, value)| (name.to_owned(), value)));
        if !self.names_redis {
            settings.remove("REDIS_URL");
        }
        settings
    }

    /// The same, where the settings name no Redis.
    pub(crate) fn without_a_redis(system: &'a System) -> anyhow::Result<Self> {
        let mut shell = Self::of(system)?;
        shell.names_redis = false;
        Ok(shell)
    }

    /// The address of the ingress that `make up` starts.
    pub(crate) fn ingress_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports)
    }

    /// Where a Redis of our own would listen.
    pub(crate) fn redis_port(&self) -> u16 {
        self.ports + 1
    }

    /// Where logs and the numbers of processes are.
    pub(crate) fn run_folder(&self) -> PathBuf {
        self.folder.path().join("run")
    }

    /// Where a Redis of our own keeps its data.
    pub(crate) fn data_folder(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A command, typed while the system goes on.
    pub(crate) fn typed(&self, command: &str) -> anyhow::Result<Output> {
        tokio::task::block_in_place(|| self.run(command))
    }

    pub(crate) fn run(&self, command: &str) -> anyhow::Result<Output> {
        let program = self.programs.join("passerelle");
        // The programs of this build: a runbook is tested, not cargo.
        let command = command.replacen(
            "make ",
            &format!(
                "make --no-print-directory PASSERELLE='{program}' RELEASED='{program}' BUILD=true ",
                program = program.display()
            ),
            1,
        );
        let mut shell = std::process::Command::new("bash");
        shell
            .args(["-c", &command])
            .current_dir(repository())
            .env_clear()
            .env("PATH", search_path())
            .env("USER", "lea")
            .env("RUN_FOLDER", self.run_folder())
            .env("DATA_FOLDER", self.data_folder());
        match &self.env_file {
            Some(file) => shell.env("PASSERELLE_ENV_FILE", file),
            None => shell.envs(self.settings()),
        };
        Ok(shell.output()?)
    }
}

/// Types a command that has to work. Returns what it printed.
pub(crate) fn works(shell: &Shell<'_>, command: &str) -> anyhow::Result<String> {
    let output = shell.typed(command)?;
    anyhow::ensure!(output.status.success(), "{command}: {output:?}");
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

impl Drop for Shell<'_> {
    fn drop(&mut self) {
        let _ = self.run("make down");
    }
}
