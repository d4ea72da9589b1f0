//! One page per row, whatever Docmost does to a call, and with a worker killed in the middle.

use std::collections::BTreeMap;

use anyhow::Context as _;
use passerelle_model::id::RowKey;
use reqwest::Method;
use serde_json::{Value, json};
use system_tests::System;
use test_support::eventually;

/// What may happen to one call; an abandoned call is thought dead one second after Docmost's
/// time-out of two seconds.
fn faults() -> Vec<Value> {
    vec![
        json!({"kind": "status", "status": 500}),
        json!({"kind": "status", "status": 503}),
        json!({"kind": "failed_but_done", "status": 500}),
        json!({"kind": "lost_answer"}),
        json!({"kind": "reset"}),
        json!({"kind": "hang"}),
        json!({"kind": "zombie_write", "after_ms": 2_500}),
        json!({"kind": "zombie_write", "after_ms": 3_600}),
    ]
}

/// Each fault meets a create and an update, each of a row of its own; then the worker is killed,
/// and another one carries on.
#[tokio::test]
async fn every_fault_of_docmost_and_a_killed_worker_leave_one_page_per_row() {
    let mut system = start().await.unwrap();
    let cases = faults();
    let mut rows = BTreeMap::new();
    for number in 0..cases.len() {
        let row = project(&system, &format!("ancien{number:02}")).await.unwrap();
        rows.insert(format!("change{number:02}"), row);
    }
    system.drain().await;
    let old = identities(&system, rows.values()).await.unwrap();

    system.break_docmost(&armed(&cases)).await.unwrap();
    for number in 0..cases.len() {
        let name = format!("change{number:02}");
        system
            .baserow
            .update(rows[&name], json!({ "Nom": name }))
            .await
            .unwrap();
        let name = format!("nouveau{number:02}");
        rows.insert(name.clone(), project(&system, &name).await.unwrap());
    }
    all_are_met(&system).await;
    replace_worker(&mut system).unwrap();
    system.drain().await;

    each_row_has_its_page(&system, &rows).await.unwrap();
    let now = identities(&system, old.keys()).await.unwrap();
    assert_eq!(now, old, "a row that had a page has another one now");
    let counts = system.every_item_has_one_outcome().await.unwrap();
    assert_eq!(counts.outcomes.get("dead"), None, "{counts:?}");
}

#[tokio::test]
async fn a_docmost_that_wedges_or_is_down_leaves_one_page_per_row() {
    let mut system = start().await.unwrap();
    let mut rows = BTreeMap::new();
    for kind in ["wedge", "down"] {
        let known = project(&system, &format!("{kind} avant")).await.unwrap();
        system.drain().await;
        system
            .break_docmost(&[json!({"path": "*", "kind": kind})])
            .await
            .unwrap();
        let name = format!("{kind} pendant");
        rows.insert(name.clone(), project(&system, &name).await.unwrap());
        let name = format!("{kind} changé");
        system.baserow.update(known, json!({ "Nom": name })).await.unwrap();
        rows.insert(name, known);
        all_are_met(&system).await;
        replace_worker(&mut system).unwrap();
        system.break_docmost(&[]).await.unwrap();
        system.drain().await;
        each_row_has_its_page(&system, &rows).await.unwrap();
    }
    let counts = system.every_item_has_one_outcome().await.unwrap();
    assert_eq!(counts.outcomes.get("dead"), None, "{counts:?}");
}

/// A backup of Baserow from before the bridge: no row knows its page any more.
#[tokio::test]
async fn rows_that_lost_their_page_ids_find_the_same_pages_again() {
    let system = start().await.unwrap();
    let mut rows = Vec::new();
    for name in ["un", "deux", "trois"] {
        rows.push(project(&system, name).await.unwrap());
    }
    system.drain().await;
    let before = identities(&system, &rows).await.unwrap();
    for row in &rows {
        let path = format!(
            "/api/database/rows/table/{}/{}/?user_field_names=true&send_webhook_events=false",
            row.table, row.row
        );
        let lost = json!({"docmost_page_id": "", "docmost_url": ""});
        system.baserow.control(Method::PATCH, &path, Some(lost)).await.unwrap();
        system
            .operator(&["sync", &row.to_string(), "--wait", "--by", "lea"])
            .await
            .unwrap();
    }
    assert_eq!(identities(&system, &rows).await.unwrap(), before);
    for row in &rows {
        let known = system.baserow.read(*row).await.unwrap();
        assert_eq!(known["docmost_page_id"], before[row]);
        assert!(known["docmost_url"].as_str().is_some_and(|url| url.contains("/p/")));
    }
}

async fn start() -> anyhow::Result<System> {
    let settings = [
        ("DOCMOST_TIMEOUT_SECONDS", "2"),
        ("WORKER_ZOMBIE_WINDOW_SECONDS", "1"),
        ("WORKER_LEASE_SECONDS", "3"),
        ("GATE_PROBE_SECONDS", "0.1"),
        ("GATE_PROBE_LONGEST_SECONDS", "0.5"),
        ("GATE_PROBE_LEASE_SECONDS", "1"),
        ("GATE_STEP_SECONDS", "0.1"),
        ("GATE_TICK_SECONDS", "0.05"),
        ("GATE_DECISION_SECONDS", "0.1"),
    ];
    let builder = settings.into_iter().fold(System::builder(), |builder, (name, value)| {
        builder.worker_variable(name, value)
    });
    let system = builder.start().await?;
    // So many faults in a row are an outage.
    system.expect_errors("docmost is in trouble");
    Ok(system)
}

async fn project(system: &System, name: &str) -> anyhow::Result<RowKey> {
    system.baserow.create("projet", json!({ "Nom": name })).await
}

/// Each fault once for the create and once for the update of the row that is named after it.
fn armed(cases: &[Value]) -> Vec<Value> {
    let calls = [("/api/pages/create", "nouveau"), ("/api/pages/update", "change")];
    let armed = cases.iter().enumerate().flat_map(|(number, case)| {
        calls.map(|(path, word)| {
            let mut fault = case.clone();
            fault["path"] = json!(path);
            fault["body_contains"] = json!(format!("{word}{number:02}"));
            fault["times"] = json!(1);
            fault
        })
    });
    armed.collect()
}

async fn all_are_met(system: &System) {
    eventually("every fault has met a call", async || {
        let faults = system.docmost.control(Method::GET, "/_sandbox/faults", None).await;
        let faults = faults.map_err(|error| error.to_string())?;
        let unmet = faults
            .as_array()
            .into_iter()
            .flatten()
            .filter(|fault| fault["used"] == 0);
        let unmet: Vec<&Value> = unmet.collect();
        if unmet.is_empty() {
            Ok(())
        } else {
            Err(format!("{unmet:?}\n{}", system.logs()))
        }
    })
    .await;
}

/// `kill -9`, and a new one.
fn replace_worker(system: &mut System) -> anyhow::Result<()> {
    system.workers.pop().context("no worker")?.kill()?;
    system.start_worker()
}

async fn each_row_has_its_page(system: &System, rows: &BTreeMap<String, RowKey>) -> anyhow::Result<()> {
    for (name, row) in rows {
        let pages = system.docmost.pages_of(*row).await?;
        anyhow::ensure!(pages.len() == 1, "{name}: {pages:?}");
        let title = format!("Projet {name} - (sans client)");
        anyhow::ensure!(pages[0]["title"] == title, "{name}: {pages:?}");
        let known = system.baserow.read(*row).await?;
        anyhow::ensure!(known["docmost_page_id"] == pages[0]["id"], "{name}: {known}");
    }
    let living = system.docmost.pages("agence").await?;
    anyhow::ensure!(
        living.len() == rows.len(),
        "{} pages for {} rows: {living:#?}",
        living.len(),
        rows.len()
    );
    Ok(())
}

/// The one living page of each row.
async fn identities<'a>(
    system: &System,
    rows: impl IntoIterator<Item = &'a RowKey>,
) -> anyhow::Result<BTreeMap<RowKey, Value>> {
    let mut identities = BTreeMap::new();
    for row in rows {
        let pages = system.docmost.pages_of(*row).await?;
        anyhow::ensure!(pages.len() == 1, "{row}: {pages:?}");
        identities.insert(*row, pages[0]["id"].clone());
    }
    Ok(identities)
}
