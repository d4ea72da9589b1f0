//! The watch over Baserow's webhooks: one that Baserow has switched off is switched on again, and
//! what it did not tell is found.

use passerelle_model::id::RowKey;
use reqwest::Method;
use serde_json::{Value, json};
use system_tests::{System, SystemBuilder};
use test_support::eventually;

/// Failed calls in a row after which Baserow switches a webhook off.
const BORNE: usize = 9;

/// A system whose workers look at the webhooks every second, in the name of a user with this
/// password.
fn watched(password: &str) -> SystemBuilder {
    System::builder()
        .workers(0)
        .with_mail()
        .worker_variable("BASEROW_EMAIL", "admin@example.com")
        .worker_variable("BASEROW_PASSWORD", password)
        .worker_variable("WORKER_SOURCES_SECONDS", "1")
}

const PASSWORD: &str = "Baserow-pass-1";

/// The webhook of `projet`.
async fn webhook(system: &System) -> anyhow::Result<Value> {
    let webhooks = system
        .baserow
        .control(Method::GET, "/_sandbox/baserow/webhooks", None)
        .await?;
    Ok(webhooks[0].clone())
}

async fn wait_until_off(system: &System) {
    eventually("Baserow has switched the webhook off", async || {
        match webhook(system).await {
            Ok(webhook) if webhook["active"] == false => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
}

/// New rows whose calls fail until Baserow switches the webhook off.
async fn rows_that_nobody_hears(system: &System) -> anyhow::Result<Vec<RowKey>> {
    let mut rows = Vec::new();
    for number in 1..=BORNE {
        let fields = json!({"Nom": format!("Inouï {number}"), "Statut": "En cours"});
        rows.push(system.baserow.create("projet", fields).await?);
    }
    wait_until_off(system).await;
    Ok(rows)
}

/// What the watch did, as the ledger keeps it: act, on what, why.
async fn acts(system: &System) -> anyhow::Result<Vec<(String, String, String)>> {
    sqlx::any::install_default_drivers();
    let pool = sqlx::AnyPool::connect(&system.environment()["DATABASE_URL"]).await?;
    let query = "SELECT act, job, why FROM operator_acts WHERE operator = 'source-watch' ORDER BY seq";
    let acts = sqlx::query_as(query).fetch_all(&pool).await?;
    pool.close().await;
    Ok(acts)
}

/// Calls that Baserow got below this path.
async fn calls(system: &System, path: &str) -> anyhow::Result<usize> {
    let calls = system.baserow.control(Method::GET, "/_sandbox/log", None).await?;
    let calls = calls.as_array().cloned().unwrap_or_default();
    let to_path = calls
        .iter()
        .filter(|call| call["path"].as_str().is_some_and(|called| called.contains(path)));
    Ok(to_path.count())
}

/// Waits until workers have looked at the webhooks twice more: one look may have been under way.
async fn two_more_looks(system: &System) {
    const LIST: &str = "/webhooks/table/2/";
    let before = calls(system, LIST).await.unwrap_or_default();
    eventually("the webhooks are looked at", async || match calls(system, LIST).await {
        Ok(looks) if looks >= before + 2 => Ok(()),
        other => Err(format!("{other:?}\n{}", system.logs())),
    })
    .await;
}

#[tokio::test]
async fn a_webhook_that_was_switched_off_is_switched_on_again_and_the_rows_of_the_gap_get_their_pages() {
    let mut system = watched(PASSWORD).start().await.unwrap();
    let before = webhook(&system).await.unwrap();
    system.ingress.kill().unwrap();
    let mut rows = rows_that_nobody_hears(&system).await.unwrap();
    let silent = json!({"Nom": "Pendant le silence", "Statut": "En cours"});
    rows.push(system.baserow.create("projet", silent).await.unwrap());
    system.start_ingress().unwrap();
    system.start_worker().unwrap();

    system
        .wait_for_log("compared the rows that a webhook may have missed")
        .await;
    let mails = system.people.mails_reach(1).await;
    two_more_looks(&system).await;
    system.drain().await;
    for row in rows {
        assert_eq!(system.docmost.pages_of(row).await.unwrap().len(), 1, "{row}");
    }
    let after = webhook(&system).await.unwrap();
    assert_eq!((&after["active"], &after["failed_triggers"]), (&json!(true), &json!(0)));
    for kept in ["url", "events", "headers", "name", "include_all_events", "sign_with"] {
        assert_eq!(after[kept], before[kept], "{kept}");
    }
    assert_eq!(mails[0].subject, "Webhook désactivé par Baserow : table projet");
    assert!(mails[0].text.contains("Passerelle l’a réactivé"), "{}", mails[0].text);
    assert_eq!(system.people.mails().await.unwrap().len(), 1, "told once");
    let acts = acts(&system).await.unwrap();
    assert_eq!(acts.len(), 1, "{acts:?}");
    let (act, on, why) = &acts[0];
    assert_eq!((act.as_str(), on.as_str()), ("switched_on", "baserow/webhook-1"));
    assert!(why.contains("projet"), "{why}");

    let heard = system
        .baserow
        .create("projet", json!({"Nom": "Entendu"}))
        .await
        .unwrap();
    system.drain().await;
    assert_eq!(system.docmost.pages_of(heard).await.unwrap().len(), 1);
    assert_eq!(calls(&system, "/user/token-auth/").await.unwrap(), 1, "one sign-in");
}

/// Another bridge on the same Baserow has a webhook of the same table: it calls this address, with
/// the headers of a webhook.
async fn webhook_of_another_bridge(system: &System, headers: Value) -> anyhow::Result<()> {
    let url = "http://127.0.0.1:9/api/webhooks/baserow/projet-changed";
    let hook = json!({"name": "Other", "url": url, "headers": headers, "include_all_events": true});
    let made = system
        .baserow
        .as_person(Method::POST, "/api/database/webhooks/table/2/", hook);
    made.await.map(drop)
}

#[tokio::test]
async fn a_webhook_of_another_bridge_on_the_same_baserow_is_not_switched_on() {
    let mut system = watched(PASSWORD).start().await.unwrap();
    let header = json!({"X-Bridge-Token": "the-secret-of-another-bridge"});
    webhook_of_another_bridge(&system, header).await.unwrap();
    // One that carries no secret, and of which this bridge has never heard.
    webhook_of_another_bridge(&system, json!({})).await.unwrap();
    system.ingress.kill().unwrap();
    rows_that_nobody_hears(&system).await.unwrap();
    let baserow = system.baserow.clone();
    let active = async || -> anyhow::Result<Vec<bool>> {
        let list = "/_sandbox/baserow/webhooks";
        let webhooks = baserow.control(Method::GET, list, None).await?;
        let webhooks = webhooks.as_array().cloned().unwrap_or_default();
        Ok(webhooks.iter().map(|webhook| webhook["active"] == true).collect())
    };
    eventually("all are off", async || match active().await {
        Ok(active) if active == [false; 3] => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
    system.start_ingress().unwrap();
    system.start_worker().unwrap();
    system.wait_for_log("nothing shows that it is of this bridge").await;
    system
        .wait_for_log("compared the rows that a webhook may have missed")
        .await;
    two_more_looks(&system).await;
    assert_eq!(active().await.unwrap(), [true, false, false]);
    assert_eq!(system.people.mails().await.unwrap().len(), 1);
    system.drain().await;
}

#[tokio::test]
async fn a_webhook_without_a_secret_is_known_by_the_deliveries_that_it_has_made() {
    let mut system = watched(PASSWORD).start().await.unwrap();
    let path = format!("/api/database/webhooks/{}/", webhook(&system).await.unwrap()["id"]);
    // A proxy signs: the webhook itself carries nothing.
    let bare = system.baserow.as_person(Method::PATCH, &path, json!({"headers": {}}));
    bare.await.unwrap();
    system
        .baserow
        .create("projet", json!({"Nom": "Entendu"}))
        .await
        .unwrap();
    system.drained_webhooks().await;
    system.start_worker().unwrap();
    system.drain().await;
    system.ingress.kill().unwrap();
    for number in 1..=BORNE {
        let fields = json!({"Nom": format!("Inouï {number}"), "Statut": "En cours"});
        system.baserow.create("projet", fields).await.unwrap();
    }
    system
        .wait_for_log("a webhook was switched off, and is switched on again")
        .await;
    system.start_ingress().unwrap();
    system.drain().await;
}

#[tokio::test]
async fn a_table_whose_webhooks_cannot_be_listed_does_not_hold_up_the_others() {
    let mut system = watched(PASSWORD).start().await.unwrap();
    system.ingress.kill().unwrap();
    let rows = rows_that_nobody_hears(&system).await.unwrap();
    system.start_ingress().unwrap();
    // The table before it and the tables behind it.
    let fault =
        |table: u32| json!({"path": format!("/api/database/webhooks/table/{table}/"), "kind": "status", "status": 500});
    let faults = [1, 3, 4, 5].map(fault);
    system
        .baserow
        .control(Method::PUT, "/_sandbox/faults", Some(json!(faults)))
        .await
        .unwrap();
    system.start_worker().unwrap();
    system
        .wait_for_log("compared the rows that a webhook may have missed")
        .await;
    system.drain().await;
    for row in rows {
        assert_eq!(system.docmost.pages_of(row).await.unwrap().len(), 1, "{row}");
    }
    assert!(calls(&system, "/webhooks/table/1/").await.unwrap() > 0);
}

#[tokio::test]
async fn a_webhook_that_keeps_being_switched_off_is_left_alone_for_a_while_and_the_admin_is_told_of_each_time() {
    let mut system = watched(PASSWORD).start().await.unwrap();
    system.ingress.kill().unwrap();
    rows_that_nobody_hears(&system).await.unwrap();
    system.start_worker().unwrap();
    system.people.mails_reach(1).await;
    eventually("it is on again", async || match webhook(&system).await {
        Ok(webhook) if webhook["active"] == true => Ok(()),
        other => Err(format!("{other:?}\n{}", system.logs())),
    })
    .await;
    rows_that_nobody_hears(&system).await.unwrap();
    let mails = system.people.mails_reach(2).await;
    assert!(mails[1].text.contains("reste désactivé jusqu’au"), "{}", mails[1].text);
    two_more_looks(&system).await;
    assert_eq!(webhook(&system).await.unwrap()["active"], false);
    assert_eq!(system.people.mails().await.unwrap().len(), 2);
    eventually("the ledger has the act", async || match acts(&system).await {
        Ok(acts) if acts.len() == 1 => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
}

#[tokio::test]
async fn a_webhook_that_a_person_deleted_stays_deleted_and_is_complained_of_once() {
    let system = watched(PASSWORD).workers(1).start().await.unwrap();
    two_more_looks(&system).await;
    let path = format!("/api/database/webhooks/{}/", webhook(&system).await.unwrap()["id"]);
    system
        .baserow
        .as_person(Method::DELETE, &path, json!({}))
        .await
        .unwrap();
    two_more_looks(&system).await;
    two_more_looks(&system).await;
    assert_eq!(webhook(&system).await.unwrap(), Value::Null);
    let log = system.workers[0].output();
    let complaints = log.lines().filter(|line| {
        line.contains("no webhook of the table calls the bridge") && line.contains("\"row.table\":\"projet\"")
    });
    assert_eq!(complaints.count(), 1, "{log}");
    assert_eq!(system.people.mails().await.unwrap(), []);
}

#[tokio::test]
async fn a_user_whom_baserow_does_not_know_is_tried_once_and_harms_no_row() {
    let mut system = watched("wrong")
        .worker_variable("WORKER_RECONCILE_SECONDS", "1")
        .start()
        .await
        .unwrap();
    system.ingress.kill().unwrap();
    rows_that_nobody_hears(&system).await.unwrap();
    system.start_ingress().unwrap();
    system.start_worker().unwrap();
    system.wait_for_log("webhooks cannot be watched").await;
    two_rounds(&system).await;
    assert_eq!(webhook(&system).await.unwrap()["active"], false);
    assert_eq!(calls(&system, "/user/token-auth/").await.unwrap(), 1);
    assert!(!system.workers[0].output().contains("a periodic task failed"));
}

#[tokio::test]
async fn without_a_user_no_webhook_is_looked_at() {
    let mut system = System::builder()
        .workers(0)
        .worker_variable("WORKER_SOURCES_SECONDS", "1")
        .worker_variable("WORKER_RECONCILE_SECONDS", "1")
        .start()
        .await
        .unwrap();
    system.ingress.kill().unwrap();
    rows_that_nobody_hears(&system).await.unwrap();
    system.start_ingress().unwrap();
    system.start_worker().unwrap();
    two_rounds(&system).await;
    assert_eq!(webhook(&system).await.unwrap()["active"], false);
    assert_eq!(calls(&system, "/user/token-auth/").await.unwrap(), 0);
    assert_eq!(calls(&system, "/webhooks/").await.unwrap(), 0);
    assert_eq!(acts(&system).await.unwrap(), []);
}

/// Waits until another round of one second was gone twice: that of the webhooks would have been
/// too.
async fn two_rounds(system: &System) {
    eventually("two rounds were gone", async || {
        let log = system.workers[0].output();
        let rounds = log.matches("all rows were compared with their pages").count();
        if rounds >= 2 { Ok(()) } else { Err(system.logs()) }
    })
    .await;
}
