//! The reconciliation: what was missed is found, once, and an equal workspace costs nothing.

use passerelle_model::id::{RowId, RowKey};
use serde_json::{Value, json};
use system_tests::System;
use test_support::eventually;

/// Rows that come by file import: no webhook tells of them.
pub(crate) async fn import(system: &System, names: &[&str]) -> anyhow::Result<Vec<RowKey>> {
    let rows: Vec<Value> = names.iter().map(|name| json!({"Nom": name})).collect();
    let path = "/_sandbox/baserow/tables/projet/rows";
    let added = system
        .baserow
        .control(reqwest::Method::POST, path, Some(json!(rows)))
        .await?;
    let table = system.baserow.table("projet").await?;
    let ids = added["ids"].as_array().cloned().unwrap_or_default();
    let keys = ids.iter().filter_map(Value::as_u64).map(|id| {
        Ok(RowKey {
            table,
            row: RowId::new(id)?,
        })
    });
    keys.collect()
}

/// Runs `passerelle reconcile` and returns its answer.
pub(crate) async fn reconcile(system: &System, arguments: &[&str]) -> anyhow::Result<Value> {
    let all = [&["--json", "reconcile", "--by", "camille"], arguments].concat();
    Ok(serde_json::from_str(&system.operator(&all).await?)?)
}

/// What the reconciliation says of rows, as (row, reason).
pub(crate) fn findings(answer: &Value) -> Vec<(String, String)> {
    let found = answer["findings"].as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    found
        .iter()
        .map(|found| {
            let row = format!("t{}/r{}", found["row"]["table"], found["row"]["row"]);
            (row, text(&found["reason"]))
        })
        .collect()
}

pub(crate) async fn events(system: &System) -> anyhow::Result<i64> {
    Ok(system.store().await?.counts().await?.items)
}

#[tokio::test]
async fn an_import_that_sent_no_webhooks_is_found_and_gets_its_pages() {
    let system = System::builder().start().await.unwrap();
    let rows = import(&system, &["Un", "Deux", "Trois"]).await.unwrap();

    let report = reconcile(&system, &["--dry-run"]).await.unwrap();
    let expected: Vec<_> = rows.iter().map(|row| (row.to_string(), "no_page".to_owned())).collect();
    assert_eq!(findings(&report), expected);
    system.drain().await;
    assert_eq!(events(&system).await.unwrap(), 0, "a dry run changes nothing");

    let done = reconcile(&system, &["--rate", "1000"]).await.unwrap();
    assert_eq!((findings(&done), &done["asked"]), (expected, &json!(3)));
    system.drain().await;
    for row in rows {
        assert_eq!(system.docmost.pages_of(row).await.unwrap().len(), 1, "{row}");
    }
    let again = reconcile(&system, &[]).await.unwrap();
    assert_eq!(findings(&again), [], "an equal workspace");
    system.drain().await;
    assert_eq!(events(&system).await.unwrap(), 3, "no event without need");
}

#[tokio::test]
async fn emptied_page_ids_of_a_restored_backup_lead_to_the_same_pages() {
    let system = System::builder().start().await.unwrap();
    let kept = system.baserow.create("projet", json!({"Nom": "Un"})).await.unwrap();
    let other = system.baserow.create("projet", json!({"Nom": "Deux"})).await.unwrap();
    system.drain().await;
    let before = (
        system.baserow.read(kept).await.unwrap(),
        system.baserow.read(other).await.unwrap(),
    );
    // An update of nothing but the bridge's own fields is an echo: nobody works on it.
    let empty = json!({"docmost_page_id": null, "docmost_url": ""});
    system.baserow.update(kept, empty).await.unwrap();
    let foreign = json!({"docmost_page_id": before.0["docmost_page_id"]});
    system.baserow.update(other, foreign).await.unwrap();
    system.drain().await;

    let report = reconcile(&system, &["--unmapped"]).await.unwrap();
    let expected = [(kept, "page_forgotten"), (other, "page_foreign")];
    assert_eq!(
        findings(&report),
        expected.map(|(row, reason)| (row.to_string(), reason.to_owned()))
    );
    system.drain().await;
    let after = (
        system.baserow.read(kept).await.unwrap(),
        system.baserow.read(other).await.unwrap(),
    );
    assert_eq!(before, after);
    assert_eq!(system.docmost.pages("agence").await.unwrap().len(), 2);
}

#[tokio::test]
async fn rows_that_changed_or_went_while_the_webhook_was_off_are_found() {
    let system = System::builder().without_webhook().start().await.unwrap();
    let renamed = import(&system, &["Avant", "Parti"]).await.unwrap();
    reconcile(&system, &[]).await.unwrap();
    system.drain().await;
    system
        .baserow
        .update(renamed[0], json!({"Nom": "Après"}))
        .await
        .unwrap();
    system.baserow.delete(renamed[1]).await.unwrap();

    let report = reconcile(&system, &["--table", "projet"]).await.unwrap();
    let expected = [(renamed[0], "differs"), (renamed[1], "row_gone")];
    assert_eq!(
        findings(&report),
        expected.map(|(row, reason)| (row.to_string(), reason.to_owned()))
    );
    system.drain().await;
    let pages = system.docmost.pages("agence").await.unwrap();
    let titles: Vec<_> = pages.iter().map(|page| page["title"].as_str().unwrap()).collect();
    assert_eq!(titles, ["Projet Après - (sans client)"]);
}

#[tokio::test]
async fn workers_reconcile_by_themselves() {
    let system = System::builder()
        .workers(2)
        .worker_variable("WORKER_RECONCILE_SECONDS", "1")
        .start()
        .await
        .unwrap();
    let row = import(&system, &["Importé"]).await.unwrap()[0];
    eventually("the row has its page", async || {
        match system.docmost.pages_of(row).await {
            Ok(pages) if pages.len() == 1 => Ok(()),
            other => Err(format!("{other:?}\n{}", system.logs())),
        }
    })
    .await;
}

#[tokio::test]
async fn a_course_whose_bloc_was_renamed_silently_is_found_by_its_sub_page() {
    let system = System::builder().without_webhook().start().await.unwrap();
    let bloc = system.baserow.create("bloc", json!({"Titre": "Bases"})).await.unwrap();
    let course = json!({"Titre": "Rust", "bloc": [bloc.row.get()]});
    let course = system.baserow.create("formation", course).await.unwrap();
    reconcile(&system, &["--table", "formation"]).await.unwrap();
    system.drain().await;
    assert_eq!(findings(&reconcile(&system, &["--dry-run"]).await.unwrap()), []);
    system
        .baserow
        .update(bloc, json!({"Titre": "Fondations"}))
        .await
        .unwrap();
    let report = reconcile(&system, &[]).await.unwrap();
    assert_eq!(findings(&report), [(course.to_string(), "sub_page_differs".to_owned())]);
    system.drain().await;
    assert_eq!(findings(&reconcile(&system, &["--dry-run"]).await.unwrap()), []);
}

#[tokio::test]
async fn a_table_that_no_rule_watches_is_refused_in_words() {
    let system = System::builder().workers(0).start().await.unwrap();
    let refused = system
        .operator(&["reconcile", "--table", "client", "--by", "camille"])
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("no rule"), "{refused}");
}
