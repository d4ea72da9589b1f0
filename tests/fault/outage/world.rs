//! A system whose Docmost can be switched off, with the times of the outage mode scaled down.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Context as _;
use passerelle_model::config::{Reader, RedisSettings};
use passerelle_model::id::{ProcessName, RowKey};
use passerelle_queue::Redis;
use passerelle_queue::gate::{GatePolicy, GateState, Gates, Incident};
use reqwest::Method;
use serde_json::{Value, json};
use system_tests::{System, SystemBuilder};
use test_support::eventually;

/// A minute of the real policy.
pub(crate) const MINUTE: Duration = Duration::from_millis(500);
/// The policy of every worker here, as settings.
pub(crate) const SCALED: [(&str, &str); 7] = [
    ("GATE_WINDOW_SECONDS", "5"),
    ("GATE_PROBE_SECONDS", "0.042"),
    ("GATE_PROBE_LONGEST_SECONDS", "0.5"),
    ("GATE_PROBE_LEASE_SECONDS", "1"),
    ("GATE_STEP_SECONDS", "0.2"),
    ("GATE_TICK_SECONDS", "0.02"),
    // Every call fails here, so a gate stops in the end; on a busy machine that may take a while,
    // and no attempt counts before.
    ("GATE_DECISION_SECONDS", "60"),
];
pub(crate) const STEP: f64 = 0.2;

pub(crate) fn builder() -> SystemBuilder {
    SCALED.into_iter().fold(System::builder(), |builder, (name, value)| {
        builder.worker_variable(name, value)
    })
}

/// A system whose Docmost can be switched off, and an observer of its gates.
pub(crate) struct Outage {
    pub(crate) system: System,
    pub(crate) gates: Gates,
    pub(crate) rows: Vec<RowKey>,
}

impl Outage {
    pub(crate) async fn start(builder: SystemBuilder) -> anyhow::Result<Self> {
        let system = builder.start().await?;
        system.expect_errors("docmost is in trouble");
        let settings = RedisSettings::read(&mut Reader::from_pairs([("REDIS_URL", system.redis.url())]));
        let gates = Gates::new(
            Redis::open(&settings)?,
            ProcessName::unique("observer"),
            GatePolicy::default(),
        );
        Ok(Self {
            system,
            gates,
            rows: Vec::new(),
        })
    }

    /// Projects of one client. If Baserow has webhooks, they fire.
    pub(crate) async fn projects(&mut self, count: usize) -> anyhow::Result<()> {
        let client = self
            .system
            .baserow
            .create("client", json!({"Name": "Atelier Nord"}))
            .await?;
        for _ in 0..count {
            let name = format!("Projet {}", self.rows.len());
            let fields = json!({"Nom": name, "Statut": "En cours", "Client": [client.row.get()]});
            self.rows.push(self.system.baserow.create("projet", fields).await?);
        }
        Ok(())
    }

    /// One row the whole way, so that there is a session with Docmost when the trouble begins.
    pub(crate) async fn warm_up(&mut self) -> anyhow::Result<()> {
        self.projects(1).await?;
        let event = delivery(self.rows[0], 999_999_999_999);
        let answer = self.system.caller().post(event).await?;
        anyhow::ensure!(answer.status == 200, "{answer:?}");
        self.system.drain().await;
        Ok(())
    }

    pub(crate) async fn break_docmost(&self, fault: Value) -> anyhow::Result<()> {
        self.system
            .docmost
            .control(Method::PUT, "/_sandbox/faults", Some(json!([fault])))
            .await
            .map(|_| ())
    }

    pub(crate) async fn mend_docmost(&self) -> anyhow::Result<()> {
        self.system
            .docmost
            .control(Method::DELETE, "/_sandbox/faults", None)
            .await
            .map(|_| ())
    }

    /// The calls that Docmost saw so far.
    pub(crate) async fn calls(&self) -> anyhow::Result<Vec<Value>> {
        let log = self.system.docmost.control(Method::GET, "/_sandbox/log", None).await?;
        Ok(log.as_array().context("the log is no list")?.clone())
    }

    pub(crate) async fn forget_calls(&self) -> anyhow::Result<()> {
        self.system
            .docmost
            .control(Method::DELETE, "/_sandbox/log", None)
            .await
            .map(|_| ())
    }

    /// Well again, and busy: calls that take their time are seen at once. As if so many had been
    /// found to be useful, only the ramp limits them.
    pub(crate) async fn mend_and_slow_docmost(&self, calls: usize) -> anyhow::Result<()> {
        let client = redis::Client::open(self.system.redis.url())?;
        let mut connection = client.get_multiplexed_async_connection().await?;
        let mut set = redis::cmd("HSET");
        set.arg("{bridge}:gate:permits:docmost:limit").arg("limit").arg(calls);
        set.exec_async(&mut connection).await?;
        self.break_docmost(json!({"path": "*", "kind": "delay", "ms": 50}))
            .await
    }

    pub(crate) async fn is_stopped(&self) -> anyhow::Result<bool> {
        let gates = self.gates.list().await?;
        Ok(gates
            .iter()
            .any(|gate| matches!(gate.state, GateState::Stopped | GateState::Probing)))
    }

    pub(crate) async fn stopped(&self) {
        eventually("a gate stops", async || match self.is_stopped().await {
            Ok(true) => Ok(()),
            other => Err(format!("{other:?}\n{}", self.system.logs())),
        })
        .await;
    }

    pub(crate) async fn incidents(&self) -> anyhow::Result<Vec<Incident>> {
        let mut incidents = self.gates.incidents(1000).await?;
        incidents.reverse();
        Ok(incidents)
    }

    /// Health checks so far.
    pub(crate) async fn probes(&self) -> anyhow::Result<usize> {
        Ok(self
            .calls()
            .await?
            .iter()
            .filter(|call| call["path"] == "/api/health")
            .count())
    }

    pub(crate) async fn probes_reach(&self, count: usize) {
        eventually(&format!("{count} probes"), async || match self.probes().await {
            Ok(probes) if probes >= count => Ok(()),
            other => Err(format!("{other:?}")),
        })
        .await;
    }

    /// Everything is done, each row has one page, nothing is dead, and no attempt was counted.
    pub(crate) async fn converged(&self) -> anyhow::Result<()> {
        let stats = self.system.drain().await;
        assert_eq!(stats.dead, 0, "{}", self.system.logs());
        let pages = self.system.docmost.pages("agence").await?;
        let titles: BTreeSet<String> = pages.iter().map(|page| page["title"].to_string()).collect();
        assert_eq!((pages.len(), titles.len()), (self.rows.len(), self.rows.len()));
        let counts = self.system.store().await?.counts().await?;
        assert_eq!((counts.open, counts.missing()), (0, 0), "{counts:?}");
        Ok(())
    }

    /// Attempts that were counted against a job, as the workers told it.
    pub(crate) fn burned(&self) -> usize {
        let counted = |log: &str| {
            log.lines()
                .filter(|line| line.contains("failed; will be tried again"))
                .count()
        };
        self.system.workers.iter().map(|worker| counted(&worker.output())).sum()
    }
}

pub(crate) fn delivery(row: RowKey, number: usize) -> String {
    json!({
        "table_id": row.table.get(), "database_id": 1, "workspace_id": 1, "webhook_id": 1,
        "event_id": format!("7a1c0c5e-0000-4000-8000-{number:012}"), "event_type": "rows.created",
        "items": [{"id": row.row.get(), "order": "1.00000000000000000000", "Nom": format!("not to be believed {number}")}],
    })
    .to_string()
}
