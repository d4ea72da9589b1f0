//! Docmost gains nothing from many calls at once, and several workers must not make what one may
//! not.

use std::collections::BTreeMap;

use anyhow::Context as _;
use reqwest::Method;
use serde_json::json;
use system_tests::System;
use test_support::eventually;

const WORKERS: usize = 3;
const ROWS: usize = 60;
/// `DOCMOST_CONCURRENCY` here.
const MOST: i64 = 4;

/// The most calls of the bridge that were under way at once. Calls that end in the millisecond in
/// which others begin count as ended.
async fn most_at_once(system: &System) -> anyhow::Result<i64> {
    let log = system.docmost.control(Method::GET, "/_sandbox/log", None).await?;
    let calls = log.as_array().context("the log is no list")?;
    let mut changes = BTreeMap::<(i64, i64), i64>::new();
    let of_the_bridge = calls.iter().filter(|call| call["origin"] == "bridge");
    for call in of_the_bridge {
        let came = call["at_ms"].as_i64().context("no time")?;
        let answered = call["answered_ms"].as_i64().context("a call was not answered")?;
        *changes.entry((came, 1)).or_default() += 1;
        *changes.entry((answered, -1)).or_default() -= 1;
    }
    let mut now = 0;
    let under_way = changes.values().map(|change| {
        now += change;
        now
    });
    under_way.max().context("there were no calls")
}

/// New rows, as a person enters them.
async fn projects(system: &System, count: usize) -> anyhow::Result<()> {
    for number in 0..count {
        let fields = json!({"Nom": format!("Projet {number}"), "Statut": "En cours"});
        system.baserow.create("projet", fields).await?;
    }
    Ok(())
}

#[tokio::test]
async fn all_workers_together_make_four_calls_of_docmost_at_once_also_when_one_is_killed() {
    // What the killed worker leaves behind is found soon.
    let builder = [
        ("WORKER_LEASE_SECONDS", "3"),
        ("DOCMOST_CONCURRENCY", "4"),
        ("DOCMOST_TIMEOUT_SECONDS", "5"),
        ("WORKER_ZOMBIE_WINDOW_SECONDS", "1"),
    ]
    .into_iter()
    .fold(System::builder().workers(WORKERS), |builder, (name, value)| {
        builder.worker_variable(name, value)
    });
    let mut system = builder.start().await.unwrap();
    let slow = json!({"path": "*", "kind": "delay", "ms": 50});
    system.break_docmost(&[slow]).await.unwrap();
    projects(&system, ROWS).await.unwrap();
    eventually("pages are being made", async || {
        match system.docmost.calls("/api/pages/create").await {
            Ok(calls) if calls > 10 => Ok(()),
            other => Err(format!("{other:?}\n{}", system.logs())),
        }
    })
    .await;
    system.workers[0].kill().unwrap();
    let stats = system.drain().await;
    assert_eq!(stats.dead, 0, "{}", system.logs());

    assert_eq!(most_at_once(&system).await.unwrap(), MOST);
    assert_eq!(system.docmost.pages("agence").await.unwrap().len(), ROWS);
}

/// The narrowest limit: neither a sign-in nor a token that is renewed in the middle of a job may
/// wait for a turn that its own job holds.
#[tokio::test]
async fn one_call_at_a_time_is_enough_also_while_the_session_is_renewed() {
    let builder = System::builder().workers(2).worker_variable("DOCMOST_CONCURRENCY", "1");
    let system = builder.start().await.unwrap();
    projects(&system, 6).await.unwrap();
    system
        .docmost
        .control(Method::DELETE, "/_sandbox/sessions", None)
        .await
        .unwrap();
    projects(&system, 4).await.unwrap();
    let stats = system.drain().await;
    assert_eq!(stats.dead, 0, "{}", system.logs());
    assert_eq!(most_at_once(&system).await.unwrap(), 1);
    let store = system.store().await.unwrap();
    assert_eq!(store.counts().await.unwrap().outcomes.get("synced"), Some(&10));
}
