//! Rows that are refused for good: one dead letter, however often the reconciliation comes by.

use serde_json::json;
use system_tests::System;
use test_support::eventually;

use crate::reconcile::{import, reconcile};

/// A row with a dead letter, while workers reconcile every second; Docmost still refuses its page.
async fn refused(system: &System) -> anyhow::Result<passerelle_model::id::RowKey> {
    let refusal = json!({"message": ["title is not allowed"], "error": "Bad Request", "statusCode": 400});
    let fault = json!({"path": "/api/pages/create", "kind": "status", "status": 400, "body": refusal});
    system.break_docmost(&[fault]).await?;
    let row = import(system, &["Refusé"]).await?.remove(0);
    eventually("the row has a dead letter", async || match system.queue.stats().await {
        Ok(stats) if stats.dead == 1 => Ok(()),
        other => Err(format!("{other:?}\n{}", system.logs())),
    })
    .await;
    system.expect_dead(1);
    Ok(row)
}

#[tokio::test]
async fn a_row_that_is_refused_for_good_gets_one_dead_letter_however_often_workers_reconcile() {
    let system = System::builder()
        .worker_variable("WORKER_RECONCILE_SECONDS", "1")
        .start()
        .await
        .unwrap();
    let row = refused(&system).await.unwrap();
    let letter = system.queue.dead_letters(None, 10).await.unwrap().remove(0).id;
    eventually("three rounds have left it alone", async || {
        match system.workers[0].output().matches("has a dead letter").count() {
            3.. => Ok(()),
            seen => Err(format!("{seen}\n{}", system.logs())),
        }
    })
    .await;
    assert_eq!(system.queue.stats().await.unwrap().dead, 1);

    // By hand it is told, and not asked for either, unless that is said; the workers' own round may
    // have the turn at the moment.
    let report = eventually("it is the operator's turn", async || reconcile(&system, &[]).await).await;
    let found = &report["findings"][0];
    assert_eq!(
        (&found["letter"], &report["asked"]),
        (&json!(letter), &json!(0)),
        "{report}"
    );
    system.break_docmost(&[]).await.unwrap();
    let asked = eventually("it is the operator's turn", async || {
        reconcile(&system, &["--with-dead", "--why", "the title is allowed now"]).await
    })
    .await;
    assert_eq!(asked["asked"], 1, "{asked}");
    system.drain().await;
    assert_eq!(system.docmost.pages_of(row).await.unwrap().len(), 1);

    // The letter is overtaken: it speaks for the row no more.
    system
        .baserow
        .update(row, json!({"docmost_page_id": null}))
        .await
        .unwrap();
    eventually("the row knows its page again", async || {
        match system.baserow.read(row).await {
            Ok(read) if read["docmost_page_id"].is_string() => Ok(()),
            other => Err(format!("{other:?}\n{}", system.logs())),
        }
    })
    .await;
    assert_eq!(system.queue.stats().await.unwrap().dead, 1, "the letter is kept");
}
