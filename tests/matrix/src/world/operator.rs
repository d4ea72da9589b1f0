//! The operator's program, as an operator types it.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;

use super::program::program_path;

/// How long a verb may take.
const PATIENCE: Duration = Duration::from_mins(2);

#[derive(Debug, Clone)]
pub(crate) struct Operator {
    pub(crate) environment: BTreeMap<String, String>,
}

impl Operator {
    /// From now on Redis is at another port.
    pub(crate) fn moves_to_redis(&mut self, port: u16) {
        let url = super::settings::redis_url(port);
        self.environment.insert("REDIS_URL".to_owned(), url);
    }

    /// What a verb answers as JSON; `Null` if it printed nothing that is JSON, e.g. because there
    /// is no such event.
    pub(crate) async fn asks(&self, words: &[&str]) -> anyhow::Result<Value> {
        let output = self.types(words).await?;
        Ok(serde_json::from_slice(&output.stdout).unwrap_or(Value::Null))
    }

    /// Types a verb and waits for its end.
    pub(crate) async fn types(&self, words: &[&str]) -> anyhow::Result<std::process::Output> {
        let mut command = tokio::process::Command::new(program_path("passerelle")?);
        command
            .args(words)
            .arg("--json")
            .env_clear()
            .envs(&self.environment)
            .stdin(std::process::Stdio::null())
            .kill_on_drop(true);
        let output = tokio::time::timeout(PATIENCE, command.output());
        output
            .await
            .with_context(|| format!("passerelle {words:?} did not end within {PATIENCE:?}"))?
            .with_context(|| format!("passerelle {words:?}"))
    }
}
