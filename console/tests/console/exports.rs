//! Files of long lists: bounded, few at once, and whole or broken off.

use std::time::Duration;

use passerelle_console::ConsoleSettings;
use passerelle_store::Role;
use reqwest::{Response, StatusCode};
use sqlx::{AnyPool, AssertSqlSafe};
use test_support::eventually;

use crate::house::{Guest, House};

/// More lines than a connection takes before they are read.
const MANY: usize = 100_000;
/// A bound that is no whole number of the lines that are read at once.
const BOUND: usize = 1_234;

/// A console with so many rows that have pages.
async fn with_rows(house: House, rows: usize) -> anyhow::Result<(House, Guest, AnyPool)> {
    let pool = AnyPool::connect(&house.database).await?;
    let links = format!(
        "INSERT INTO links (table_id, row_id, slot, page_id, slug_id, space, content_hash, written) \
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows}) \
         SELECT 2, i, 'page', '019a0000-0000-7000-8000-' || (100000000000 + i), 'slug' || i, 'projets', '00ff', 1732280000000 FROM n"
    );
    sqlx::query(AssertSqlSafe(links)).execute(&pool).await?;
    let mut guest = house.guest("camille", Role::Reader).await?;
    // A long file takes a busy machine a while.
    guest.http = reqwest::Client::builder().timeout(Duration::from_mins(3)).build()?;
    Ok((house, guest, pool))
}

/// Asks for a file, and does not read it.
async fn begun(guest: &Guest, file: &str) -> anyhow::Result<Response> {
    let request = guest
        .http
        .get(format!("{}/export/{file}", guest.base))
        .header("cookie", guest.cookie());
    Ok(request.send().await?)
}

async fn with_many_rows() -> anyhow::Result<(House, Guest, AnyPool)> {
    with_rows(House::build().await?, MANY).await
}

#[tokio::test]
async fn a_file_ends_at_its_bound_and_says_whether_there_is_more() {
    let mut usual = 0;
    let settings = |settings: &mut ConsoleSettings| usual = std::mem::replace(&mut settings.exported_lines, BOUND);
    let house = House::build_as(&[], settings).await.unwrap();
    let (_house, mut guest, pool) = with_rows(house, BOUND + 1).await.unwrap();
    let page = guest.get("/rows").await.unwrap().body;
    assert!(usual == 100_000 && page.contains("at most 100,000 lines"), "{page}");
    let json = guest.get("/export/rows.json").await.unwrap().body;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let lines = json["lines"].as_array().unwrap();
    assert_eq!((lines.len(), &json["complete"]), (BOUND, &false.into()));
    for (number, line) in (1..).zip(lines) {
        assert_eq!(line["row"], format!("t2/r{number}"), "each once, in order");
    }
    let csv = guest.get("/export/rows.csv").await.unwrap().body;
    assert_eq!(csv.lines().count(), BOUND + 2, "a head, the lines and the bound");
    assert_eq!(csv.lines().last().unwrap(), format!("\"only the first {BOUND} lines\""));

    let last = format!("DELETE FROM links WHERE row_id > {BOUND}");
    sqlx::query(AssertSqlSafe(last)).execute(&pool).await.unwrap();
    let json = guest.get("/export/rows.json").await.unwrap().body;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let lines = json["lines"].as_array().unwrap();
    assert_eq!((lines.len(), &json["complete"]), (BOUND, &true.into()));
    let csv = guest.get("/export/rows.csv").await.unwrap().body;
    assert_eq!(csv.lines().count(), BOUND + 1, "a head and the lines");
}

#[tokio::test]
async fn a_third_file_waits_until_one_of_two_is_read_or_given_up() {
    let (_house, mut guest, _pool) = with_many_rows().await.unwrap();
    let first = begun(&guest, "rows.json").await.unwrap();
    let second = begun(&guest, "rows.csv").await.unwrap();
    assert_eq!((first.status(), second.status()), (StatusCode::OK, StatusCode::OK));
    let third = guest.get("/export/acts.csv").await.unwrap();
    assert_eq!(third.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(
        third.body.contains("Two lists are being sent already"),
        "{}",
        third.body
    );
    assert_eq!(
        guest.get("/rows").await.unwrap().status,
        StatusCode::OK,
        "pages do not wait"
    );

    drop(first);
    eventually("the place is free again", async || {
        match guest.get("/export/acts.csv").await.map(|answer| answer.status) {
            Ok(StatusCode::OK) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    assert!(
        second.text().await.unwrap().contains("t2/r100000"),
        "the other one is whole"
    );
}

#[tokio::test]
async fn a_file_that_cannot_be_read_to_its_end_is_broken_off_and_leaves_its_place() {
    let (house, mut guest, pool) = with_many_rows().await.unwrap();
    house.errors.expect("Response payload stream error");
    for file in ["rows.csv", "rows.json", "rows.csv"] {
        let file = begun(&guest, file).await.unwrap();
        assert_eq!(file.status(), StatusCode::OK);
        rename(&pool, "links", "links_away").await.unwrap();
        assert!(file.text().await.is_err(), "nobody takes a part for the whole");
        rename(&pool, "links_away", "links").await.unwrap();
    }
    assert_eq!(guest.get("/export/rows.csv").await.unwrap().status, StatusCode::OK);
}

async fn rename(pool: &AnyPool, from: &str, to: &str) -> anyhow::Result<()> {
    let rename = format!("ALTER TABLE {from} RENAME TO {to}");
    sqlx::query(AssertSqlSafe(rename)).execute(pool).await?;
    Ok(())
}
