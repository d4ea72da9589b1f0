//! A bridge with its console.

use passerelle_model::id::RowKey;
use serde_json::json;
use system_tests::{Console, System};
use test_support::free_port;

pub(crate) struct Site {
    pub(crate) system: System,
    /// Camille's, who is an operator.
    pub(crate) password: String,
    console: Console,
}

impl Site {
    pub(crate) async fn build() -> anyhow::Result<Self> {
        let system = System::builder().quick_gates().start().await?;
        let console = system.start_console(free_port()?).await?;
        Ok(Self {
            password: system.console_account("camille", "operator").await?,
            system,
            console,
        })
    }

    /// The address of a page.
    pub(crate) fn address(&self, path: &str) -> String {
        format!("{}{path}", self.console.url)
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
