//! Rows, deliveries and the health of a worker, as these tests need them.

use std::collections::BTreeMap;

use passerelle_model::id::RowKey;
use serde_json::json;
use system_tests::System;
use test_support::{eventually, free_port};

/// A delivery that says that a row was created.
pub(crate) fn delivery(row: u64, number: usize) -> String {
    json!({
        "table_id": 2, "database_id": 1, "workspace_id": 1, "webhook_id": 1, "event_id": event(number), "event_type": "rows.created",
        "items": [{"id": row, "order": "1.00000000000000000000"}],
    })
    .to_string()
}

/// The id of the numbered event.
pub(crate) fn event(number: usize) -> String {
    format!("7a1c0c5e-0000-4000-8000-{number:012}")
}

/// A project of a client; its webhook fires where there is one.
pub(crate) async fn project(system: &System, name: &str) -> anyhow::Result<RowKey> {
    let client = system.baserow.create("client", json!({"Name": "Atelier Nord"})).await?;
    let fields = json!({"Nom": name, "Statut": "En cours", "Client": [client.row.get()]});
    system.baserow.create("projet", fields).await
}

/// Starts a worker and returns where its health is told.
pub(crate) fn start_worker(system: &mut System, extra: &[(&str, &str)]) -> anyhow::Result<String> {
    let port = free_port()?;
    let mut environment: BTreeMap<String, String> = extra
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    environment.insert("WORKER_HEALTH_BIND".to_owned(), format!("127.0.0.1:{port}"));
    system.start_worker_with(&environment)?;
    Ok(format!("http://127.0.0.1:{port}"))
}

/// Waits until `/readyz` has this status and says this; the process lives meanwhile.
pub(crate) async fn readiness(system: &System, url: &str, status: u16, says: &str) {
    eventually(&format!("/readyz is {status} and says {says:?}"), async || match system
        .get(&format!("{url}/readyz"))
        .await
    {
        Ok((found, body)) if found == status && body.contains(says) => Ok(()),
        other => Err(format!("{other:?}\n{}", system.logs())),
    })
    .await;
    let alive = system.get(&format!("{url}/healthz")).await;
    assert!(matches!(alive, Ok((200, _))), "{alive:?}");
}

/// Waits until every row has exactly one page.
pub(crate) async fn have_one_page_each(system: &System, rows: &[RowKey]) {
    for row in rows {
        eventually(&format!("{row} has its page"), async || {
            match system.docmost.pages_of(*row).await {
                Ok(pages) if pages.len() == 1 => Ok(()),
                other => Err(format!("{other:?}\n{}", system.logs())),
            }
        })
        .await;
    }
}

/// Every accepted item has one outcome; by the totals and by counting row by row.
pub(crate) async fn adds_up(system: &System) -> anyhow::Result<()> {
    let store = system.store().await?;
    let (counts, recount) = (store.counts().await?, store.recount().await?);
    anyhow::ensure!(
        counts.items > 0 && counts.open == 0 && counts.missing() == 0,
        "{counts:?}"
    );
    anyhow::ensure!(counts == recount, "{counts:?}\n{recount:?}");
    Ok(())
}
