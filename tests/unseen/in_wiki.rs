//! The reconciliation looks at the wiki itself: by its trees and its trash, not page by page.

use passerelle_model::id::RowKey;
use serde_json::{Value, json};
use system_tests::System;

use crate::reconcile::{findings, import, reconcile};

async fn page_of(system: &System, row: RowKey) -> anyhow::Result<Value> {
    Ok(system.baserow.read(row).await?["docmost_page_id"].clone())
}

async fn titles(system: &System) -> anyhow::Result<Vec<String>> {
    let pages = system.docmost.pages("agence").await?;
    let mut titles: Vec<String> = pages
        .iter()
        .map(|page| page["title"].as_str().unwrap_or_default().to_owned())
        .collect();
    titles.sort_unstable();
    Ok(titles)
}

fn title(name: &str) -> String {
    format!("Projet {name} - (sans client)")
}

#[tokio::test]
async fn what_people_did_to_pages_is_found_by_one_look_at_the_trees_and_mended() {
    // One job after the other: a page whose parent is restored before it goes back below its
    // parent.
    let builder = System::builder().without_webhook();
    let system = builder
        .worker_variable("WORKER_CONCURRENCY", "1")
        .start()
        .await
        .unwrap();
    let rows = import(&system, &["Un", "Deux", "Trois", "Quatre"]).await.unwrap();
    reconcile(&system, &["--rate", "1000"]).await.unwrap();
    system.drain().await;
    let person = system.person();
    let page = page_of(&system, rows[0]).await.unwrap();
    person.call("pages/delete", json!({"pageId": page})).await.unwrap();
    let page = page_of(&system, rows[1]).await.unwrap();
    let changed = json!({"pageId": page, "title": "Mes notes", "icon": "🍕"});
    person.call("pages/update", changed).await.unwrap();
    // A page in the trash takes the pages below it along, and nobody is told.
    let (above, below) = (
        page_of(&system, rows[2]).await.unwrap(),
        page_of(&system, rows[3]).await.unwrap(),
    );
    let moved = json!({"pageId": below, "parentPageId": above, "position": "a0000"});
    person.call("pages/move", moved).await.unwrap();
    person.call("pages/delete", json!({"pageId": above})).await.unwrap();

    let looks = system.docmost.calls("/api/pages/info").await.unwrap();
    let report = reconcile(&system, &["--dry-run"]).await.unwrap();
    let expected = ["page_trashed", "page_changed", "page_trashed", "page_trashed"];
    let expected: Vec<_> = rows
        .iter()
        .map(ToString::to_string)
        .zip(expected.map(str::to_owned))
        .collect();
    assert_eq!(findings(&report), expected);
    assert_eq!(report["findings"][1]["detail"], "title, icon");
    let looks = system.docmost.calls("/api/pages/info").await.unwrap() - looks;
    // A dry run also shows what would change of each of them.
    assert_eq!(
        looks,
        2 + rows.len(),
        "only the page that is in no list, the one that was changed, and each that is shown"
    );

    reconcile(&system, &["--rate", "1000"]).await.unwrap();
    system.drain().await;
    assert_eq!(findings(&reconcile(&system, &["--dry-run"]).await.unwrap()), []);
    let all = ["Deux", "Trois", "Un"].map(title);
    assert_eq!(
        titles(&system).await.unwrap(),
        all,
        "the fourth page stays below the third"
    );
}

#[tokio::test]
async fn one_reconcile_mends_a_wiki_that_was_restored_from_a_day_old_backup() {
    let system = System::builder().without_webhook().start().await.unwrap();
    let rows = import(&system, &["Un", "Deux", "Trois", "Zéro"]).await.unwrap();
    reconcile(&system, &["--rate", "1000"]).await.unwrap();
    system.drain().await;
    let backup = |method: reqwest::Method| system.docmost.control(method, "/_sandbox/backup", None);
    backup(reqwest::Method::PUT).await.unwrap();
    // The day that is lost: a row is renamed, one gets a status, one goes, one comes.
    system
        .baserow
        .update(rows[1], json!({"Nom": "Deux bis"}))
        .await
        .unwrap();
    let status = json!({"Statut": "Brouillon"});
    system.baserow.update(rows[3], status).await.unwrap();
    system.baserow.delete(rows[2]).await.unwrap();
    let late = import(&system, &["Quatre"]).await.unwrap()[0];
    reconcile(&system, &["--rate", "1000"]).await.unwrap();
    system.drain().await;
    let today = ["Deux bis", "Quatre", "Un", "Zéro"].map(title);
    assert_eq!(titles(&system).await.unwrap(), today);
    backup(reqwest::Method::POST).await.unwrap();
    assert_eq!(
        titles(&system).await.unwrap(),
        ["Deux", "Trois", "Un", "Zéro"].map(title)
    );

    let report = reconcile(&system, &["--rate", "1000"]).await.unwrap();
    let expected = [
        (rows[1], "page_changed"),
        (rows[3], "page_changed"),
        (late, "page_missing"),
        (rows[2], "row_gone"),
    ];
    assert_eq!(
        findings(&report),
        expected.map(|(row, reason)| (row.to_string(), reason.to_owned()))
    );
    let details = [0, 1].map(|at| report["findings"][at]["detail"].clone());
    assert_eq!(details, [json!("title"), json!("section")]);
    system.drain().await;
    assert_eq!(titles(&system).await.unwrap(), today);
    assert_eq!(findings(&reconcile(&system, &["--dry-run"]).await.unwrap()), []);
}

#[tokio::test]
async fn a_wiki_of_thousands_of_pages_is_read_a_hundred_at_a_time() {
    let system = System::builder().without_webhook().start().await.unwrap();
    import(&system, &["Un"]).await.unwrap();
    reconcile(&system, &[]).await.unwrap();
    system.drain().await;
    let many = json!({"space": "agence", "pages": 3000});
    system
        .docmost
        .control(reqwest::Method::POST, "/_sandbox/pages", Some(many))
        .await
        .unwrap();
    let before = system.docmost.calls("/api/pages/sidebar-pages").await.unwrap();
    assert_eq!(findings(&reconcile(&system, &["--dry-run"]).await.unwrap()), []);
    let calls = system.docmost.calls("/api/pages/sidebar-pages").await.unwrap() - before;
    assert!(calls <= 35, "{calls} calls for 3,001 pages");
}
