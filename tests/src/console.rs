//! The console of a system, as a process of its own.

use anyhow::Context as _;
use serde_json::Value;

use crate::{Process, System};

/// A console that runs.
#[derive(Debug)]
pub struct Console {
    /// Its address, without a slash at its end.
    pub url: String,
    pub process: Process,
}

impl System {
    /// Starts the console on a port, and waits until it answers.
    pub async fn start_console(&self, port: u16) -> anyhow::Result<Console> {
        let mut environment = self.environment.clone();
        environment.insert("CONSOLE_BIND".to_owned(), format!("127.0.0.1:{port}"));
        let log = self.folder.path().join("console.log");
        let console = Console {
            url: format!("http://127.0.0.1:{port}"),
            process: Process::start("passerelle", &["console".to_owned()], &environment, &log)?,
        };
        self.answers(&format!("{}/healthz", console.url)).await;
        Ok(console)
    }

    /// Adds an account of the console; returns its password.
    pub async fn console_account(&self, name: &str, role: &str) -> anyhow::Result<String> {
        let said = self
            .operator(&["console", "user", "add", name, "--role", role, "--json"])
            .await?;
        let said: Value = serde_json::from_str(&said)?;
        Ok(said["password"].as_str().context("no password")?.to_owned())
    }
}
