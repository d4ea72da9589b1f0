//! A delivery with too many rows to name them.

use serde_json::{Value, json};
use system_tests::System;
use system_tests::webhook::delivery;
use test_support::eventually;

#[tokio::test]
async fn a_delivery_with_too_many_rows_to_name_them_has_all_rows_of_its_table_compared() {
    let system = System::builder().without_webhook().start().await.unwrap();
    let mut table = None;
    for name in ["Refonte", "Site", "Audit"] {
        let row = system.baserow.create("projet", json!({"Nom": name})).await.unwrap();
        table = Some(row.table);
    }
    let rows: Vec<Value> = (1..=2001).map(|id| json!({"id": id})).collect();
    let body = delivery("rows.created", table.unwrap(), "many", &rows);
    let answer = system.caller().post(body.to_string()).await.unwrap();
    assert_eq!((answer.status, &answer.body["status"]), (200, &json!("queued")));
    eventually("every row has its page", async || {
        match system.docmost.pages("agence").await {
            Ok(pages) if pages.len() == 3 => Ok(()),
            other => Err(format!("{other:?}\n{}", system.logs())),
        }
    })
    .await;
    system.drain().await;
    let why = system.why("many").await.unwrap();
    assert!(
        why[0].contains("a comparison of all rows of its table with their pages was requested"),
        "{why:?}"
    );
    assert_eq!(system.why(&format!("table/t{}", table.unwrap())).await.unwrap(), why);
    // The request is over: what it asked for is done, and nothing asks for it again.
    assert_eq!(system.queue.requested_comparisons(10).await.unwrap(), []);
}
