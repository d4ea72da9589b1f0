//! Lists whose pages are longer than an answer may be.

use passerelle_model::id::TableId;
use passerelle_worker::journal::Journal;
use reqwest::Method;
use serde_json::{Value, json};

use crate::world::World;

#[tokio::test]
async fn a_page_of_rows_that_is_longer_than_an_answer_may_be_is_read_in_parts() {
    let world = World::start().await.unwrap();
    let long = "x".repeat(90_000);
    for batch in 0..21 {
        let rows = (0..10).map(|row| json!({"Nom": format!("{} {long}", batch * 10 + row)}));
        let rows = Value::Array(rows.collect());
        world
            .baserow_control(Method::POST, "tables/projet/rows", rows)
            .await
            .unwrap();
    }
    let mut journal = Journal::default();
    let table = TableId::new(2).unwrap();
    let first = world.context.baserow.rows(&mut journal, table, 1).await.unwrap();
    let second = world.context.baserow.rows(&mut journal, table, 2).await.unwrap();
    assert_eq!((first.rows.len(), first.count, first.has_more), (200, 210, true));
    assert_eq!((second.rows.len(), second.has_more), (10, false));
    let ids: Vec<u64> = first
        .rows
        .iter()
        .chain(&second.rows)
        .map(|row| row.id().get())
        .collect();
    assert_eq!(ids, (1..=210).collect::<Vec<u64>>(), "each row once, in order");
}
