//! The shipped alert rules and dashboard, in a real Prometheus beside a real bridge.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};
use system_tests::System;
use system_tests::builder::repository;
use test_support::{TestPrometheus, eventually, free_port};

use crate::project;

/// Metrics that appear with their first sample, which a bridge that is well does not give.
const ONLY_IN_TROUBLE: [&str; 8] = [
    "passerelle_ingress_refused_total",
    "passerelle_ingress_rows_parked_total",
    "passerelle_notices_total",
    "passerelle_queue_crashes_total",
    "passerelle_queue_leases_lost_total",
    "passerelle_reconcile_findings_total",
    "passerelle_shares_found_total",
    "passerelle_source_findings_total",
];

fn shipped(name: &str) -> PathBuf {
    repository().join("monitoring").join(name)
}

/// A bridge, and a Prometheus that watches it as the shipped configuration says, only more often.
struct Watched {
    system: System,
    prometheus: TestPrometheus,
}

impl Watched {
    /// `None` where there is no Prometheus.
    async fn start() -> anyhow::Result<Option<Self>> {
        let mut system = System::builder().workers(0).start().await?;
        let health = format!("127.0.0.1:{}", free_port()?);
        system.start_worker_with(&BTreeMap::from([("WORKER_HEALTH_BIND".to_owned(), health.clone())]))?;
        let ingress = system.ingress_url.trim_start_matches("http://").to_owned();
        let configuration = fs::read_to_string(shipped("prometheus.yml"))?
            .replace("scrape_interval: 15s", "scrape_interval: 1s\n  evaluation_interval: 1s")
            .replace("127.0.0.1:8080", &ingress)
            .replace("127.0.0.1:8081", &health);
        let Some(prometheus) = TestPrometheus::start(&configuration, &shipped("alerts.yml"))? else {
            return Ok(None);
        };
        Ok(Some(Self { system, prometheus }))
    }

    /// What Prometheus answers to a `GET`.
    async fn ask(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, String> {
        let url = format!("{}/api/v1/{path}", self.prometheus.url());
        let url = reqwest::Url::parse_with_params(&url, query).map_err(|error| error.to_string())?;
        let answer = self.system.get(url.as_str()).await;
        let (_, answer) = answer.map_err(|error| error.to_string())?;
        let answer: Value = serde_json::from_str(&answer).map_err(|error| error.to_string())?;
        if answer["status"] == "success" {
            Ok(answer["data"].clone())
        } else {
            Err(answer.to_string())
        }
    }

    /// The alert rules, by name.
    async fn rules(&self) -> Result<BTreeMap<String, Value>, String> {
        let data = self.ask("rules", &[]).await?;
        let rules = data["groups"][0]["rules"].as_array().cloned().unwrap_or_default();
        let named = rules.into_iter().map(|rule| {
            let name = rule["name"].as_str().unwrap_or_default().to_owned();
            (name, rule)
        });
        Ok(named.collect())
    }
}

/// Every query of the dashboard.
fn queries() -> anyhow::Result<BTreeSet<String>> {
    let dashboard: Value = serde_json::from_str(&fs::read_to_string(shipped("dashboard.json"))?)?;
    let panels = dashboard["panels"].as_array().into_iter().flatten();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    Ok(targets
        .filter_map(|target| target["expr"].as_str().map(str::to_owned))
        .collect())
}

#[tokio::test]
async fn prometheus_loads_the_alerts_answers_every_query_and_sees_an_outage() {
    let Some(watched) = Watched::start().await.unwrap() else {
        return;
    };
    let system = &watched.system;
    project(system, "Toiture").await.unwrap();
    let queries = queries().unwrap();
    assert!(queries.len() > 20, "{queries:?}");
    for query in &queries {
        let may_be_empty = ONLY_IN_TROUBLE.iter().any(|name| query.contains(name));
        eventually(&format!("{query} is answered"), async || {
            let data = watched.ask("query", &[("query", query)]).await?;
            let found = data["result"].as_array().map_or(0, Vec::len);
            if may_be_empty || found > 0 {
                Ok(())
            } else {
                Err(format!("{data}\n{}", watched.prometheus.log()))
            }
        })
        .await;
    }

    let runbook = fs::read_to_string(repository().join("docs/RUNBOOK.md")).unwrap();
    let rules = eventually("every rule was evaluated", async || {
        let rules = watched.rules().await?;
        let is_good = |rule: &Value| rule["health"] == "ok";
        if !rules.is_empty() && rules.values().all(is_good) {
            Ok(rules)
        } else {
            Err(format!("{rules:?}\n{}", watched.prometheus.log()))
        }
    })
    .await;
    for (name, rule) in &rules {
        let entry = rule["annotations"]["runbook"].as_str().unwrap_or_default();
        assert!(
            runbook.contains(&format!("\n## {entry}\n")),
            "{name}: {entry:?} is no entry of the runbook"
        );
    }

    system.expect_errors("docmost has been in trouble");
    let down = json!({"path": "*", "kind": "status", "status": 503});
    system.break_docmost(&[down]).await.unwrap();
    project(system, "while it is down").await.unwrap();
    eventually("the alert of a stopped gate is on its way", async || {
        let rules = watched.rules().await?;
        match rules.get("PasserelleGateStopped") {
            Some(rule) if rule["state"] == "pending" => Ok(()),
            other => Err(format!("{other:?}\n{}", system.logs())),
        }
    })
    .await;
    system.break_docmost(&[]).await.unwrap();
    system.drain().await;
}
