//! A bridge with its console.

use anyhow::Context as _;
use passerelle_model::id::RowKey;
use serde_json::{Value, json};
use system_tests::{Process, System};
use test_support::{eventually, free_port};

/// Gates as in production, but a minute is a few seconds.
const QUICK_GATES: [(&str, &str); 4] = [
    ("GATE_PROBE_SECONDS", "0.5"),
    ("GATE_PROBE_LONGEST_SECONDS", "2"),
    ("GATE_STEP_SECONDS", "0.2"),
    ("GATE_TICK_SECONDS", "0.2"),
];

pub(crate) struct Site {
    pub(crate) system: System,
    /// Camille's, who is an operator.
    pub(crate) password: String,
    url: String,
    _console: Process,
    _folder: tempfile::TempDir,
}

impl Site {
    pub(crate) async fn build() -> anyhow::Result<Self> {
        let mut builder = System::builder();
        for (name, value) in QUICK_GATES {
            builder = builder.variable(name, value);
        }
        let system = builder.start().await?;
        let (port, folder) = (free_port()?, tempfile::tempdir()?);
        let mut environment = system.environment().clone();
        environment.insert("CONSOLE_BIND".to_owned(), format!("127.0.0.1:{port}"));
        let arguments = ["console".to_owned()];
        let console = Process::start(
            "passerelle",
            &arguments,
            &environment,
            &folder.path().join("console.log"),
        )?;
        let mut site = Self {
            url: format!("http://127.0.0.1:{port}"),
            system,
            password: String::new(),
            _console: console,
            _folder: folder,
        };
        site.password = site.account("camille", "operator").await?;
        let health = site.address("/healthz");
        eventually("the console answers", async || match site.system.get(&health).await {
            Ok((200, _)) => Ok(()),
            other => Err(format!("{other:?}")),
        })
        .await;
        Ok(site)
    }

    /// The address of a page.
    pub(crate) fn address(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// Adds an account; returns its password.
    pub(crate) async fn account(&self, name: &str, role: &str) -> anyhow::Result<String> {
        let said = self
            .system
            .operator(&["console", "user", "add", name, "--role", role, "--json"])
            .await?;
        let said: Value = serde_json::from_str(&said)?;
        Ok(said["password"].as_str().context("no password")?.to_owned())
    }

    /// Projects whose pages Docmost refuses, until `break_docmost` ends that: dead letters.
    pub(crate) async fn dead_projects(&self, names: &[&str]) -> anyhow::Result<Vec<RowKey>> {
        self.system.expect_errors("given up, kept as a dead letter");
        let fault = json!({"path": "/api/pages/create", "kind": "status", "status": 400});
        self.system.break_docmost(&[fault]).await?;
        let mut rows = Vec::new();
        for name in names {
            let fields = json!({"Nom": name, "Statut": "En cours"});
            rows.push(self.system.baserow.create("projet", fields).await?);
        }
        self.system.drain().await;
        let dead = self.system.queue.stats().await?.dead;
        let all = u64::try_from(names.len())?;
        anyhow::ensure!(dead == all, "{dead} of {all} are dead: {}", self.system.logs());
        Ok(rows)
    }

    /// A project, whose page is there.
    pub(crate) async fn project(&self, name: &str) -> anyhow::Result<RowKey> {
        let fields = json!({"Nom": name, "Statut": "En cours"});
        let row = self.system.baserow.create("projet", fields).await?;
        self.system.drain().await;
        Ok(row)
    }
}
