//! Two hundred new rows at once, against two hundred bare creates, with products that take as long
//! as the real ones.
//!
//! The stand-ins take the times that were measured on the real products (two calls at once, on two
//! cores): what the bridge itself costs is on top of that, on the same machine.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use futures::{StreamExt as _, stream};
use serde_json::{Value, json};
use system_tests::System;

use crate::table;

const ROWS: usize = 200;
const ROUNDS: usize = 3;
/// As many creates at once as a worker has jobs.
const AT_ONCE: usize = 16;
/// How many calls a product carries out at once.
const PRODUCT_AT_ONCE: usize = 2;
/// Calls of Docmost, and the milliseconds that one takes.
const DOCMOST: [(&str, u64); 5] = [
    ("/api/pages/create", 22),
    ("/api/pages/update", 7),
    ("/api/labels/pages", 6),
    ("/api/pages/labels/add", 6),
    ("*", 6),
];

/// Measures both, in alternation.
pub(crate) async fn bench() -> anyhow::Result<()> {
    let system = System::builder().without_webhook().start().await?;
    // Names, tokens and spaces are asked for once.
    system.paste_projects(&names(1, 0), "burst-0").await?;
    let docmost = DOCMOST.map(|(path, ms)| work(path, "POST", ms));
    system
        .docmost
        .control(reqwest::Method::PUT, "/_sandbox/faults", Some(json!(docmost)))
        .await?;
    let put = system
        .baserow
        .control(reqwest::Method::PUT, "/_sandbox/faults", Some(baserow(&system).await?));
    put.await?;
    let mut lines = Vec::new();
    for round in 1..=ROUNDS {
        let bare = bare_creates(&system).await?;
        lines.push(with_the_bridge(&system, round, bare).await?);
    }
    let headings = [
        "round",
        "bare creates s",
        "rows to pages s",
        "ratio",
        "Docmost calls/page",
        "Baserow reads/row",
        "write-backs",
    ];
    table::print(
        "Burst: 200 new rows, one worker process, against 200 bare creates, 16 at once",
        &headings,
        &lines,
    );
    table::note(
        "expected: ratio at most 1.5, at most 3 calls of Docmost per page, at most 0.1 reads of Baserow per row",
    );
    Ok(())
}

/// A call that takes so long, of which the product carries out few at once.
fn work(path: &str, method: &str, ms: u64) -> Value {
    json!({"path": path, "method": method, "kind": "work", "ms": ms, "at_once": PRODUCT_AT_ONCE})
}

/// A list has the path of its table, a row has its number behind it.
async fn baserow(system: &System) -> anyhow::Result<Value> {
    let table = format!("/api/database/rows/table/{}/", system.baserow.table("projet").await?);
    let mut calls: Vec<Value> = (1..=9)
        .map(|digit| work(&format!("{table}{digit}"), "GET", 34))
        .collect();
    calls.push(work(&table, "GET", 60));
    calls.push(work(&format!("{table}batch/"), "PATCH", 120));
    calls.push(work(&table, "PATCH", 80));
    calls.push(work("*", "GET", 30));
    Ok(json!(calls))
}

/// Creates pages as directly as can be; returns how long it took.
async fn bare_creates(system: &System) -> anyhow::Result<Duration> {
    let person = system.person();
    let space = person.call("spaces/info", json!({"spaceId": "general"})).await?;
    let text = json!({"type": "paragraph", "content": [{"type": "text", "text": "Refonte du site"}]});
    let content = json!({"type": "doc", "content": [text]});
    let began = Instant::now();
    let creates = (0..ROWS).map(|number| {
        let title = format!("Page {number}");
        let page = json!({"spaceId": space["id"], "title": title, "format": "json", "content": content});
        person.call("pages/create", page)
    });
    let mut creates = stream::iter(creates).buffer_unordered(AT_ONCE);
    while let Some(created) = creates.next().await {
        created?;
    }
    Ok(began.elapsed())
}

fn names(count: usize, round: usize) -> Vec<String> {
    (0..count).map(|number| format!("Projet {round}.{number}")).collect()
}

async fn with_the_bridge(system: &System, round: usize, bare: Duration) -> anyhow::Result<Vec<String>> {
    system
        .docmost
        .control(reqwest::Method::DELETE, "/_sandbox/log", None)
        .await?;
    system
        .baserow
        .control(reqwest::Method::DELETE, "/_sandbox/log", None)
        .await?;
    let event = format!("burst-{round}");
    let took = system.paste_projects(&names(ROWS, round), &event).await?;
    let docmost = calls(
        &system
            .docmost
            .control(reqwest::Method::GET, "/_sandbox/log", None)
            .await?,
        "POST",
    )?;
    let baserow = system
        .baserow
        .control(reqwest::Method::GET, "/_sandbox/log", None)
        .await?;
    Ok(vec![
        round.to_string(),
        format!("{:.2}", bare.as_secs_f64()),
        format!("{:.2}", took.as_secs_f64()),
        format!("{:.2}", took.as_secs_f64() / bare.as_secs_f64()),
        format!("{:.2}", per_row(docmost)),
        format!("{:.3}", per_row(calls(&baserow, "GET")?)),
        calls(&baserow, "PATCH")?.to_string(),
    ])
}

fn calls(log: &Value, method: &str) -> anyhow::Result<usize> {
    let calls = log.as_array().context("the log is no list")?;
    Ok(calls.iter().filter(|call| call["method"] == method).count())
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn per_row(calls: usize) -> f64 {
    calls as f64 / ROWS as f64
}
