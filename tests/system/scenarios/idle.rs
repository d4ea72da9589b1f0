//! When the bridge is idle.

use passerelle_model::id::JobKey;
use serde_json::json;
use system_tests::System;
use system_tests::idle::{Held, Watch, WikiLooks};

#[tokio::test]
async fn a_bridge_is_not_idle_while_a_job_waits_for_its_retry() {
    let mut system = System::builder().start().await.unwrap();
    let watch = Watch::of(&system).await.unwrap();
    let fails = json!({"path": "*", "kind": "status", "status": 500, "times": 1});
    system.break_docmost(&[fails]).await.unwrap();
    let project = system.baserow.create("projet", json!({"Nom": "Alpha"})).await.unwrap();
    let held = watch.idle(&mut system, WikiLooks::default()).await.unwrap();
    assert_eq!(held, []);
    assert_eq!(system.docmost.pages_of(project).await.unwrap().len(), 1);
    let stories = watch.store.trace_row(project, 10).await.unwrap();
    let attempts: Vec<_> = stories
        .iter()
        .flat_map(|story| &story.items)
        .map(|item| item.attempts.len())
        .collect();
    assert_eq!(attempts, [2], "the first attempt has not failed");
}

#[tokio::test]
async fn a_job_whose_row_is_parked_is_told_and_not_waited_for() {
    let mut system = System::builder().without_webhook().start().await.unwrap();
    system.expect_open(1);
    let watch = Watch::of(&system).await.unwrap();
    let project = system.baserow.create("projet", json!({"Nom": "Alpha"})).await.unwrap();
    let item = |name: &str| json!({"id": project.row.get(), "order": "1.0", "Nom": name});
    for number in 0..50 {
        let event = json!({
            "table_id": project.table.get(), "database_id": 1, "workspace_id": 1, "webhook_id": 1,
            "event_id": format!("7a1c0c5e-0000-4000-8000-{number:012}"), "event_type": "rows.updated",
            "items": [item("Alpha")], "old_items": [item("Avant")],
        });
        let answer = system.caller().post(event.to_string()).await.unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let held = watch.idle(&mut system, WikiLooks::default()).await.unwrap();
    let job = JobKey::Row(project);
    assert_eq!(held, [Held { job, trouble: None }]);
}

#[tokio::test]
async fn a_bridge_is_idle_only_when_the_wiki_was_looked_through_once_more() {
    let builder = System::builder().worker_variable("WORKER_WIKI_SECONDS", "0.1");
    let mut system = builder.start().await.unwrap();
    let watch = Watch::of(&system).await.unwrap();
    let person = system.person();
    for title in ["Comité de mars", "Comité d’avril", "Comité de mai"] {
        let space = person.call("spaces/info", json!({"spaceId": "agence"})).await.unwrap();
        let page = json!({"spaceId": space["id"], "title": title, "format": "markdown", "content": "Présents"});
        let page = person.call("pages/create", page).await.unwrap();
        let labels = json!({"pageId": page["id"], "names": ["compte-rendu"]});
        person.call("pages/labels/add", labels).await.unwrap();
        let looks = watch.next_wiki_look().await.unwrap();
        watch.idle(&mut system, looks).await.unwrap();
        let rows = "/_sandbox/baserow/tables/comptes_rendus/rows";
        let rows = system.baserow.control(reqwest::Method::GET, rows, None).await.unwrap();
        let last = rows
            .as_array()
            .and_then(|rows| rows.last())
            .cloned()
            .unwrap_or_default();
        assert_eq!(last["Titre"], title, "{rows}");
    }
}

#[tokio::test]
async fn a_process_that_ends_is_told_and_not_waited_for() {
    let mut system = System::builder().start().await.unwrap();
    system.expect_unfinished();
    let watch = Watch::of(&system).await.unwrap();
    system.workers[0].kill().unwrap();
    system.baserow.create("projet", json!({"Nom": "Alpha"})).await.unwrap();
    let error = watch.idle(&mut system, WikiLooks::default()).await.unwrap_err();
    assert!(error.to_string().starts_with("a process has ended"), "{error:#}");
}
