//! Pages that people label get a row; over real processes, found by the round or told by a push.

use passerelle_model::id::{RowId, RowKey};
use serde_json::{Value, json};
use system_tests::System;
use test_support::eventually;

const TABLE: &str = "comptes_rendus";

async fn start() -> anyhow::Result<System> {
    System::builder()
        .workers(2)
        .worker_variable("WORKER_WIKI_SECONDS", "1")
        .start()
        .await
}

/// A page that a person writes and labels.
async fn labelled_page(system: &System, title: &str) -> anyhow::Result<String> {
    let id = page(system, title).await?;
    let label = json!({"pageId": id, "names": ["compte-rendu"]});
    system.person().call("pages/labels/add", label).await?;
    Ok(id)
}

async fn page(system: &System, title: &str) -> anyhow::Result<String> {
    let person = system.person();
    let space = person.call("spaces/info", json!({"spaceId": "agence"})).await?;
    let page = json!({"spaceId": space["id"], "title": title, "format": "markdown", "content": "Présents : tous"});
    let page = person.call("pages/create", page).await?;
    Ok(page["id"].as_str().unwrap_or_default().to_owned())
}

/// The rows of `comptes_rendus`.
async fn rows(system: &System) -> anyhow::Result<Vec<Value>> {
    let path = format!("/_sandbox/baserow/tables/{TABLE}/rows");
    let rows = system.baserow.control(reqwest::Method::GET, &path, None).await?;
    Ok(rows.as_array().cloned().unwrap_or_default())
}

async fn wait_for_titles(system: &System, titles: &[&str]) -> Vec<Value> {
    eventually("the rows have these titles", async || {
        let rows = rows(system).await.map_err(|error| error.to_string())?;
        let mut seen: Vec<&str> = rows.iter().filter_map(|row| row["Titre"].as_str()).collect();
        seen.sort_unstable();
        if seen == titles {
            Ok(rows)
        } else {
            Err(format!("{seen:?}\n{}", system.logs()))
        }
    })
    .await
}

async fn push(system: &System, body: Value) -> anyhow::Result<Value> {
    let answer = system.caller().push(body.to_string()).await?;
    anyhow::ensure!(answer.status == 200, "{answer:?}");
    Ok(answer.body)
}

#[tokio::test]
async fn a_labelled_page_gets_one_row_whose_title_follows_it() {
    let system = start().await.unwrap();
    let id = labelled_page(&system, "Comité de mars").await.unwrap();
    page(&system, "Sans étiquette").await.unwrap();
    let rows = wait_for_titles(&system, &["Comité de mars"]).await;
    assert_eq!(rows[0]["docmost_page_id"], id);

    let renamed = json!({"pageId": id, "title": "Comité du 3 mars"});
    system.person().call("pages/update", renamed).await.unwrap();
    wait_for_titles(&system, &["Comité du 3 mars"]).await;
    system.drain().await;
    let report = system.operator(&["trace", &format!("page/{id}")]).await.unwrap();
    assert!(
        report.contains("create_row") && report.contains("The row of the wiki page was written"),
        "{report}"
    );
    let counts = system.store().await.unwrap().counts().await.unwrap();
    assert_eq!((counts.open, counts.missing()), (0, 0), "{counts:?}");
}

#[tokio::test]
async fn a_row_that_people_deleted_is_not_made_again() {
    let system = start().await.unwrap();
    let id = labelled_page(&system, "Comité").await.unwrap();
    let rows = wait_for_titles(&system, &["Comité"]).await;
    let key = RowKey {
        table: system.baserow.table(TABLE).await.unwrap(),
        row: RowId::new(rows[0]["id"].as_u64().unwrap()).unwrap(),
    };
    system.baserow.delete(key).await.unwrap();
    let renamed = json!({"pageId": id, "title": "Comité bis"});
    system.person().call("pages/update", renamed).await.unwrap();
    eventually("the deletion is noticed", async || {
        match system.operator(&["trace", &format!("page/{id}")]).await {
            Ok(report) if report.contains("row_gone") => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    assert_eq!(wait_for_titles(&system, &[]).await.len(), 0);
}

#[tokio::test]
async fn a_row_whose_create_was_not_answered_is_found_again() {
    let system = start().await.unwrap();
    let lost = json!([{"path": "/api/database/rows/table/8/", "method": "POST", "kind": "lost_answer", "times": 1}]);
    system
        .baserow
        .control(reqwest::Method::PUT, "/_sandbox/faults", Some(lost))
        .await
        .unwrap();
    labelled_page(&system, "Comité").await.unwrap();
    wait_for_titles(&system, &["Comité"]).await;
    let stats = system.drain().await;
    assert_eq!(stats.dead, 0, "{}", system.logs());
    assert_eq!(rows(&system).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_push_is_proven_durable_and_done_without_waiting_for_a_round() {
    let system = System::builder()
        .worker_variable("WORKER_WIKI_SECONDS", "0")
        .start()
        .await
        .unwrap();
    let id = labelled_page(&system, "Comité").await.unwrap();
    let body = json!({"event_id": "push-1", "event_type": "page.labelled", "page_id": id});
    let forged = system.caller().with_secret("a-secret-that-nobody-holds");
    assert_eq!(forged.push(body.to_string()).await.unwrap().status, 401);
    assert_eq!(push(&system, body.clone()).await.unwrap()["status"], "queued");
    assert_eq!(push(&system, body).await.unwrap()["status"], "duplicate");
    wait_for_titles(&system, &["Comité"]).await;

    let other = page(&system, "Autre").await.unwrap();
    let body = json!({"event_id": "push-2", "event_type": "page.updated", "page_id": other});
    push(&system, body).await.unwrap();
    system.drain().await;
    let report = system.operator(&["trace", "push-2"]).await.unwrap();
    assert!(report.contains("ignored (no_rule)"), "{report}");
    assert_eq!(rows(&system).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_page_that_no_template_fits_stops_no_other_and_is_a_dead_letter() {
    let folder = tempfile::tempdir().unwrap();
    let rules = r#"
[sources]
"*" = { proof = "hmac", secrets = "BASEROW_WEBHOOK_SECRET" }

[[wiki]]
name = "compte-rendu"
label = "compte-rendu"

[wiki.row]
table = "comptes_rendus"
page_id = "docmost_page_id"
fields = { Titre = "{{ page.title }} ({{ page.title | length }})" }
"#;
    std::fs::write(folder.path().join("bridge.toml"), rules).unwrap();
    let system = System::builder()
        .worker_variable("WORKER_WIKI_SECONDS", "1")
        .bridge_file(&folder.path().join("bridge.toml"))
        .start()
        .await
        .unwrap();
    labelled_page(&system, "Comité").await.unwrap();
    // The latest change is listed first.
    let untitled = labelled_page(&system, "").await.unwrap();
    wait_for_titles(&system, &["Comité (6)"]).await;
    eventually("the page's own job says why", async || {
        match system.operator(&["trace", &format!("page/{untitled}")]).await {
            Ok(report) if report.contains("dead") && report.contains("Titre") => Ok(()),
            other => Err(format!("{other:?}\n{}", system.logs())),
        }
    })
    .await;
    system.expect_dead(1);
}

#[tokio::test]
async fn a_wiki_rule_without_rights_holds_its_pages_and_makes_their_rows_when_they_are_given_back() {
    let system = System::builder()
        .worker_variable("WORKER_WIKI_SECONDS", "1")
        .worker_variable("BASEROW_TOKEN", "a-token-with-limits")
        .start()
        .await
        .unwrap();
    let tables = async |tables: &[u64]| {
        let token = json!({"key": "a-token-with-limits", "tables": tables});
        let path = "/_sandbox/baserow/tokens";
        system.baserow.control(reqwest::Method::POST, path, Some(token)).await
    };
    tables(&[1, 2, 3, 4, 5, 6, 7, 9]).await.unwrap();
    let pages = [
        labelled_page(&system, "Comité").await.unwrap(),
        labelled_page(&system, "Bureau").await.unwrap(),
    ];
    for page in &pages {
        eventually("the page is held", async || {
            match system.operator(&["trace", &format!("page/{page}")]).await {
                Ok(report) if report.contains("BASEROW_TOKEN may not do this on the table") => Ok(()),
                other => Err(format!("{other:?}\n{}", system.logs())),
            }
        })
        .await;
    }
    let told = system.store().await.unwrap().latest_notices(None, 100).await.unwrap();
    let told = told.iter().filter(|notice| notice.kind == "rule-broken").count();
    assert_eq!(told, 1);
    tables(&[1, 2, 3, 4, 5, 6, 7, 8, 9]).await.unwrap();
    wait_for_titles(&system, &["Bureau", "Comité"]).await;
    assert_eq!(system.drain().await.dead, 0);
}

#[tokio::test]
async fn a_row_that_named_its_page_before_gets_the_fields_that_it_lacks() {
    let system = start().await.unwrap();
    let id = page(&system, "Comité").await.unwrap();
    system
        .baserow
        .import(TABLE, json!({ "docmost_page_id": id }))
        .await
        .unwrap();
    let label = json!({"pageId": id, "names": ["compte-rendu"]});
    system.person().call("pages/labels/add", label).await.unwrap();
    let rows = wait_for_titles(&system, &["Comité"]).await;
    assert_eq!(rows.len(), 1);
}
