//! The bridge as a user of Redis who may do what the runbook lists, and nothing else.

use serde_json::json;
use system_tests::System;
use system_tests::builder::repository;
use test_support::{TestRedis, eventually};

/// The words of the runbook's `ACL SETUSER bridge …`.
fn listed_rights() -> anyhow::Result<Vec<String>> {
    let runbook = std::fs::read_to_string(repository().join("docs/RUNBOOK.md"))?;
    let listed = runbook
        .split("ACL SETUSER bridge ")
        .nth(1)
        .and_then(|rest| rest.split("```").next());
    let listed = listed.ok_or_else(|| anyhow::anyhow!("docs/RUNBOOK.md lists no rights"))?;
    Ok(listed
        .replace('\\', " ")
        .split_whitespace()
        .map(str::to_owned)
        .collect())
}

/// A server with this user, and nothing in its log of what was refused.
fn server_with_user() -> anyhow::Result<TestRedis> {
    let (server, rights) = (TestRedis::start()?, listed_rights()?);
    let mut words = vec!["ACL", "SETUSER", "bridge"];
    words.extend(rights.iter().map(String::as_str));
    words.extend(["resetpass", ">p@ss"]);
    let _: String = server.ask(&words)?;
    Ok(server)
}

#[tokio::test]
async fn the_bridge_runs_with_exactly_the_rights_that_the_runbook_lists() {
    let server = server_with_user().unwrap();
    let url = format!("redis://bridge:p%40ss@127.0.0.1:{}/0", server.port());
    let builder = System::builder().with_mail().variable("REDIS_URL", &url);
    let builder = builder
        .variable("LOOP_COOLDOWN_SECONDS", "1")
        .variable("LOOP_EVENTS", "3")
        .worker_variable("WORKER_RECONCILE_SECONDS", "1");
    let system = builder.start().await.unwrap();
    let row = system
        .baserow
        .create("projet", json!({"Nom": "Alpha", "Statut": "En cours"}))
        .await
        .unwrap();
    for number in 0..6 {
        system
            .baserow
            .update(row, json!({"Nom": format!("Alpha {number}")}))
            .await
            .unwrap();
    }
    eventually("the row has its page", async || {
        match system.docmost.pages_of(row).await {
            Ok(pages) if pages.len() == 1 => Ok(()),
            other => Err(format!("{other:?}\n{:?}", refused(&server))),
        }
    })
    .await;
    for verb in [
        &["stats"][..],
        &["workers"],
        &["gates"],
        &["jobs"],
        &["dead", "list"],
        &["pause", "--why", "a test", "--by", "me"],
        &["resume", "--why", "a test", "--by", "me"],
        &["gates", "stop", "docmost:write", "--why", "a test", "--by", "me"],
        &["gates", "release", "docmost:write", "--why", "a test", "--by", "me"],
        &["sync", "projet/1", "--why", "a test", "--by", "me", "--wait"],
        &["trace", "t2/r1"],
    ] {
        system.operator(verb).await.unwrap();
    }
    assert_eq!(refused(&server).unwrap(), [], "the user lacks rights");
    system.drain().await;
    assert_eq!(refused(&server).unwrap(), [], "the user lacks rights");
}

/// What the server has refused since it runs; nothing is an empty list.
fn refused(server: &TestRedis) -> anyhow::Result<Vec<redis::Value>> {
    server.ask(&["ACL", "LOG"])
}
