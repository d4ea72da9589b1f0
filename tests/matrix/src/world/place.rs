//! The place of one process of the bridge: there it is started, broken, and started again.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

use anyhow::Context as _;

use super::program::{Process, Recipe};
use crate::schedule::Program;

/// How long a process may take to stop when asked.
const STOPS_WITHIN: Duration = Duration::from_secs(30);

/// One process and how it is started. The lock keeps two faults from handling it at once.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) program: Program,
    recipe: Recipe,
    process: Option<Process>,
    pub(crate) port: u16,
    /// Of whichever process is here, in the words of `prlimit`.
    limit: Option<String>,
}

impl Place {
    /// A process that is not started yet.
    pub(crate) fn of(program: Program, port: u16, environment: BTreeMap<String, String>, folder: &Path) -> Self {
        let (name, file) = match program {
            Program::Ingress(number) => ("passerelle-ingress", format!("ingress-{number}.log")),
            Program::Worker(number) => ("passerelle-worker", format!("worker-{number}.log")),
        };
        let recipe = Recipe {
            name,
            arguments: Vec::new(),
            environment,
            log: folder.join(file),
        };
        Self {
            program,
            recipe,
            process: None,
            port,
            limit: None,
        }
    }

    /// Starts it for the first time.
    pub(crate) fn start(&mut self) -> anyhow::Result<()> {
        self.start_with(&[])
    }

    fn start_with(&mut self, extra: &[(&str, &str)]) -> anyhow::Result<()> {
        let process = self.recipe.start(extra)?;
        if let Some(limit) = &self.limit {
            process.limit(limit)?;
        }
        self.process = Some(process);
        Ok(())
    }

    /// How it ended, if it has and nobody asked for it.
    pub(crate) fn fell(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        self.process.as_mut().map_or(Ok(None), Process::ended)
    }

    /// The number of its process, while there is one.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Process::pid)
    }

    pub(crate) fn kill(&mut self) {
        self.process = None;
    }

    /// Asks it to stop, and waits for that.
    pub(crate) async fn stop(&mut self) -> anyhow::Result<()> {
        match &mut self.process {
            Some(process) => process.stop(STOPS_WITHIN).await,
            None => Ok(()),
        }
    }

    /// Sends it a signal by name.
    pub(crate) fn signal(&self, name: &str) -> anyhow::Result<()> {
        self.process.as_ref().context("it does not run")?.signal(name)
    }

    /// Sets a limit of the running process and of its successors, in the words of `prlimit`.
    pub(crate) fn limit(&mut self, limit: &str) -> anyhow::Result<()> {
        self.limit = Some(limit.to_owned());
        self.process.as_ref().map_or(Ok(()), |process| process.limit(limit))
    }

    /// Starts it so that it ends at a point of its way.
    pub(crate) fn start_fragile(&mut self, point: &str) -> anyhow::Result<()> {
        self.kill();
        self.start_with(&[("PASSERELLE_CRASH_AT", point)])
    }

    /// Waits for its end.
    pub(crate) async fn ended(&mut self) {
        if let Some(process) = &mut self.process {
            process.wait().await;
        }
    }

    /// It runs: it goes on if it was frozen, and is started if it has ended.
    pub(crate) fn revive(&mut self) -> anyhow::Result<()> {
        let runs = match &mut self.process {
            Some(process) => process.ended()?.is_none(),
            None => false,
        };
        if runs {
            return self.signal("CONT");
        }
        self.start_with(&[])
    }
}
