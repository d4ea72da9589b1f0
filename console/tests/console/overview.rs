//! The overview: what stands side by side is of one moment, and what takes long keeps nothing else
//! away.

use passerelle_model::id::ProcessName;
use passerelle_model::ledger::Verdict;
use passerelle_model::outcome::Outcome;
use passerelle_queue::WorkerInfo;
use passerelle_store::Role;
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _};
use test_support::eventually;

use crate::house::{Guest, House};
use crate::lines::{attempted, buried, changed, has_page, remember};

/// The overview, while a worker is alive, once it says all of this. A look counts as fresh for a
/// second.
async fn overview(house: &House, guest: &mut Guest, words: &[&str]) -> String {
    let worker = WorkerInfo::of_this_process(ProcessName::unique("worker"), 1);
    eventually(&format!("the overview says {words:?}"), async || {
        house.queue.beat(&worker).await.map_err(|error| error.to_string())?;
        let page = guest.get("/").await.map_err(|error| error.to_string())?.body;
        let says_all = words.iter().all(|words| page.contains(words));
        if says_all { Ok(page) } else { Err(page) }
    })
    .await
}

#[tokio::test]
async fn a_change_is_never_told_without_its_page() {
    let house = House::build().await.unwrap();
    let mut guest = house.guest("camille", Role::Reader).await.unwrap();
    let nothing = "All is well: 0 pages in step, nothing has changed yet.";
    overview(&house, &mut guest, &[nothing]).await;
    has_page(&house.store, 5, "page-5", "Ab3dE6gH9k").await.unwrap();
    let history = vec![
        changed(1, "event-5", 5).unwrap(),
        attempted(2, 5, 1, Verdict::Done(Outcome::Synced)).unwrap(),
    ];
    remember(&house.store, history).await.unwrap();
    let page = overview(&house, &mut guest, &["in step, last change"]).await;
    assert!(page.contains("All is well: 1 page in step, last change"), "{page}");
}

/// A query for when a dead item ended takes longer than anybody waits.
const SLOW: [&str; 2] = [
    "ALTER TABLE items RENAME TO items_of_before",
    "CREATE VIEW items AS SELECT seq, place, item, table_id, row_id, job, outcome, reason, closed_seq, closed_place, \
     CASE WHEN outcome = 'dead' THEN (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000000) \
     SELECT closed_at + 0 * max(i) FROM n) ELSE closed_at END AS closed_at FROM items_of_before",
];

#[tokio::test]
async fn charts_that_take_too_long_keep_nothing_else_away() {
    let house = House::build().await.unwrap();
    has_page(&house.store, 5, "page-5", "Ab3dE6gH9k").await.unwrap();
    let history = vec![
        changed(1, "event-5", 5).unwrap(),
        attempted(2, 5, 1, Verdict::Done(Outcome::Synced)).unwrap(),
        changed(3, "event-6", 6).unwrap(),
        attempted(4, 6, 3, buried("title is not allowed")).unwrap(),
    ];
    remember(&house.store, history).await.unwrap();
    let mut connection = AnyConnection::connect(&house.database).await.unwrap();
    let mut both = connection.begin().await.unwrap();
    for statement in SLOW {
        sqlx::query(AssertSqlSafe(statement)).execute(&mut *both).await.unwrap();
    }
    both.commit().await.unwrap();
    let mut guest = house.guest("camille", Role::Reader).await.unwrap();
    let words = [
        "All is well: 1 page in step, last change",
        "The charts are not up to date",
    ];
    let page = overview(&house, &mut guest, &words).await;
    assert!(!page.contains("The database does not answer"), "{page}");
}
