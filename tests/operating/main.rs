//! What operators do to a running bridge of real processes: rolling restarts, replaying old letters, and every command of the runbook.

mod all_in_one;
mod answers;
mod background;
mod dead_budget;
mod full_logs;
mod handover;
mod init;
mod interrupted;
mod monitoring;
mod package;
mod package_installed;
mod provision;
mod reload;
mod replay;
mod restart;
mod runbook;
mod secrets;
mod shell;
mod site;
mod supervisor;
mod traces;

use passerelle_model::id::RowKey;
use serde_json::json;
use system_tests::System;
use test_support::eventually;

/// A project row, as a person enters it.
async fn project(system: &System, name: &str) -> anyhow::Result<RowKey> {
    system
        .baserow
        .create("projet", json!({"Nom": name, "Statut": "En cours"}))
        .await
}

/// Rows whose jobs have died because Docmost refused their pages; Docmost is whole again afterwards.
async fn dead_rows(system: &System, names: &[&str]) -> anyhow::Result<Vec<RowKey>> {
    let refusal = json!({"message": ["title is not allowed"], "error": "Bad Request", "statusCode": 400});
    let fault = json!({"path": "/api/pages/create", "kind": "status", "status": 400, "body": refusal});
    system.break_docmost(&[fault]).await?;
    let before = system.queue.stats().await?.dead;
    let mut rows = Vec::new();
    for name in names {
        rows.push(project(system, name).await?);
    }
    let expected = before + u64::try_from(names.len())?;
    eventually("the jobs are given up", async || match system.queue.stats().await {
        Ok(stats) if stats.dead == expected => Ok(()),
        other => Err(format!("{other:?}\n{}", system.logs())),
    })
    .await;
    system.break_docmost(&[]).await?;
    system.expect_dead(expected);
    Ok(rows)
}
