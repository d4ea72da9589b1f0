//! People who are notified, and what they got.

use std::collections::BTreeMap;

use passerelle_model::id::RowKey;
use passerelle_store::{NoticeState, StoredNotice};
use serde_json::json;
use system_tests::people::Mail;
use system_tests::{System, SystemBuilder};
use test_support::eventually;

pub(crate) const EVENT: &str = "7a1c0c5e-0000-4000-8000-0000000000a1";

pub(crate) fn builder() -> SystemBuilder {
    System::builder()
        .webhooks_of(&["projet", "attribution", "intervention"])
        .with_mail()
}

pub(crate) async fn person(system: &System, name: &str, hours: u32) -> anyhow::Result<RowKey> {
    let email = format!("{}@example.org", name.to_lowercase());
    let fields = json!({"Nom": name, "Email": email, "heures_max": hours});
    system.baserow.create("personne", fields).await
}

pub(crate) async fn given(system: &System, table: &str, person: RowKey, hours: u32) -> anyhow::Result<RowKey> {
    let fields = json!({"Libelle": "Rust avancé", "Personne": [person.row.get()], "heures": hours});
    system.baserow.create(table, fields).await
}

/// A delivery of an attribution as Baserow would send it.
pub(crate) fn delivery(row: RowKey, event: &str) -> String {
    json!({
        "table_id": row.table.get(), "database_id": 1, "workspace_id": 1, "webhook_id": 1, "event_id": event,
        "event_type": "rows.created", "items": [{"id": row.row.get(), "order": "1.00000000000000000000", "Libelle": "not to be believed"}],
    })
    .to_string()
}

/// The notices as the store has them, once none of them waits any more.
pub(crate) async fn settled_notices(system: &System) -> anyhow::Result<Vec<StoredNotice>> {
    let store = system.store().await?;
    Ok(eventually("no notice waits", async || {
        match store.latest_notices(None, 100).await {
            Ok(notices) if notices.iter().all(|notice| notice.state != NoticeState::Waiting) => Ok(notices),
            other => Err(format!("{other:?}\n{}", system.logs())),
        }
    })
    .await)
}

/// The mails of a new attribution whose first worker dies at this point and whose second one
/// carries on.
pub(crate) async fn mails_after_a_crash(point: &str, mails: usize) -> anyhow::Result<Vec<Mail>> {
    let builder = builder().workers(0).variable("WORKER_LEASE_SECONDS", "1");
    let mut system = builder.start().await?;
    let crash = BTreeMap::from([("PASSERELLE_CRASH_AT".to_owned(), point.to_owned())]);
    system.start_worker_with(&crash)?;
    let zoe = person(&system, "Zoe", 40).await?;
    given(&system, "attribution", zoe, 14).await?;
    eventually(&format!("the worker dies {point}"), async || {
        if system.workers[0].is_running() {
            Err("it runs")
        } else {
            Ok(())
        }
    })
    .await;
    system.start_worker()?;
    system.people.mails_reach(mails).await;
    system.drain().await;
    settled_notices(&system).await?;
    system.people.mails().await
}
