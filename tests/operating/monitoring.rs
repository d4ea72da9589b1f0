//! The shipped alert rules and dashboard, in a real Prometheus beside a real bridge.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};
use system_tests::System;
use system_tests::builder::repository;
use test_support::{TestPrometheus, eventually, free_port, promtool};

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

    /// The queries that find nothing yet, though a bridge that is well has what they ask for.
    async fn without_answer<'a>(&self, queries: &'a BTreeSet<String>) -> Result<Vec<&'a str>, String> {
        let mut empty = Vec::new();
        for query in queries {
            let data = self.ask("query", &[("query", query)]).await?;
            let may_be_empty = ONLY_IN_TROUBLE.iter().any(|name| query.contains(name));
            if !may_be_empty && data["result"].as_array().is_none_or(Vec::is_empty) {
                empty.push(query.as_str());
            }
        }
        Ok(empty)
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
    eventually("every query of the dashboard has an answer", async || {
        let waiting = watched.without_answer(&queries).await?;
        if waiting.is_empty() {
            Ok(())
        } else {
            Err(format!("still empty: {waiting:#?}\n{}", watched.prometheus.log()))
        }
    })
    .await;

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

    system.expect_errors("docmost is in trouble");
    let down = json!({"path": "*", "kind": "status", "status": 503});
    system.break_docmost(&[down]).await.unwrap();
    // The gate stops when several calls in a row have failed.
    for number in 0..10 {
        project(system, &format!("while it is down: {number}")).await.unwrap();
    }
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

#[test]
fn every_alert_fires_when_it_should_and_not_before() {
    let (rules, tests) = (shipped("alerts.yml"), shipped("alerts_test.yml"));
    let rules = fs::read_to_string(rules).unwrap();
    let alerts: BTreeSet<&str> = rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "))
        .collect();
    let text = fs::read_to_string(&tests).unwrap();
    let expectations = text.split("- alertname: ").skip(1);
    let (quiet, firing): (Vec<_>, Vec<_>) = expectations.partition(|text| text.contains("exp_alerts: []"));
    for expected in [quiet, firing] {
        let tested: BTreeSet<&str> = expected.iter().filter_map(|text| text.lines().next()).collect();
        assert_eq!(tested, alerts, "{}", tests.display());
    }

    let Some(ran) = promtool(&["test", "rules", "alerts_test.yml"], &shipped("")).unwrap() else {
        return;
    };
    let (printed, complaint) = (
        String::from_utf8_lossy(&ran.stdout),
        String::from_utf8_lossy(&ran.stderr),
    );
    assert!(ran.status.success(), "{printed}{complaint}");
}
