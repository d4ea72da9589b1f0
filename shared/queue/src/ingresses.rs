//! Which ingress processes are alive, as for workers (`workers.rs`): so an operator sees whether all
//! have taken a new `bridge.toml`.

use serde::{Deserialize, Serialize};

use crate::{Queue, QueueError, RulesInUse, WorkerInfo};
use passerelle_model::id::ProcessName;
use passerelle_model::time::Timestamp;

/// An ingress process, as it describes itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IngressInfo {
    /// Its name; unique to this start.
    pub name: ProcessName,
    /// The machine.
    pub host: String,
    /// Its process number there.
    pub pid: u32,
    /// When it started.
    pub started: Timestamp,
    /// What it works by of `bridge.toml`.
    pub rules: RulesInUse,
}

impl IngressInfo {
    /// This process, started now.
    pub fn of_this_process(rules: RulesInUse) -> Self {
        Self {
            name: ProcessName::unique("ingress"),
            host: WorkerInfo::host(),
            pid: std::process::id(),
            started: Timestamp::now(),
            rules,
        }
    }
}

impl Queue {
    /// Sends a heartbeat.
    pub async fn beat_of_ingress(&self, ingress: &IngressInfo) -> Result<(), QueueError> {
        self.beat_in(&self.inner.keys.ingresses, &ingress.name, ingress).await
    }

    /// The last sign: the process ends.
    pub async fn ingress_leaves(&self, name: &ProcessName) -> Result<(), QueueError> {
        self.leave_from(&self.inner.keys.ingresses, name).await
    }

    /// The ingress processes that sent a heartbeat within the last 15 seconds; the oldest first, at
    /// most 500.
    pub async fn ingresses(&self) -> Result<Vec<IngressInfo>, QueueError> {
        let mut ingresses: Vec<IngressInfo> = self.alive_in(&self.inner.keys.ingresses).await?;
        ingresses.sort_by_key(|ingress| ingress.started);
        Ok(ingresses)
    }
}
