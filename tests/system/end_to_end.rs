//! The main job through real processes: Baserow (sandbox) → ingress → Redis → worker → Docmost
//! (sandbox), and the page's id back into the row.

use std::collections::BTreeSet;

use anyhow::Context as _;
use passerelle_model::id::RowKey;
use serde_json::{Value, json};
use system_tests::System;
use test_support::{TestCertificate, TestPostgres, TlsFront};

#[tokio::test]
async fn a_created_row_becomes_a_page_whose_id_stands_in_the_row() {
    let system = System::builder().start().await.unwrap();
    let row = create_project(&system, "Refonte", "Atelier Nord").await.unwrap();
    system.drain().await;
    assert_page_equals_row(&system, row, "Projet Refonte - Atelier Nord")
        .await
        .unwrap();
}

#[tokio::test]
async fn the_main_job_works_with_the_ledger_on_postgresql() {
    let postgres = TestPostgres::start().unwrap();
    let system = System::builder().database(&postgres.url()).start().await.unwrap();
    let row = create_project(&system, "Refonte", "Atelier Nord").await.unwrap();
    system.drain().await;
    assert_page_equals_row(&system, row, "Projet Refonte - Atelier Nord")
        .await
        .unwrap();
    assert_conservation(&system).await.unwrap();
}

#[tokio::test]
async fn two_hundred_new_rows_cost_three_calls_of_the_wiki_and_a_tenth_of_a_read_each() {
    let builder = System::builder().without_webhook();
    let system = builder
        .worker_variable("WORKER_WIKI_SECONDS", "0")
        .start()
        .await
        .unwrap();
    // Names, tokens and spaces are asked for once.
    let names = |count: usize| {
        (0..count)
            .map(|number| format!("Projet {count}.{number}"))
            .collect::<Vec<_>>()
    };
    system.paste_projects(&names(1), "pasted-1").await.unwrap();
    let clear = async |path| system.baserow.control(reqwest::Method::DELETE, path, None).await;
    clear("/_sandbox/log").await.unwrap();
    let wiki = [
        "/api/pages/create",
        "/api/labels/pages",
        "/api/pages/labels/add",
        "/api/pages/info",
        "/api/search",
    ];
    let calls = async || {
        let mut calls = 0;
        for path in wiki {
            calls += system.docmost.calls(path).await?;
        }
        anyhow::Ok(calls)
    };
    let before = calls().await.unwrap();
    system.paste_projects(&names(200), "pasted-200").await.unwrap();
    let calls = calls().await.unwrap() - before;
    assert!(calls <= 3 * 200, "{calls} calls of Docmost");
    let log = system
        .baserow
        .control(reqwest::Method::GET, "/_sandbox/log", None)
        .await
        .unwrap();
    let reads = log
        .as_array()
        .unwrap()
        .iter()
        .filter(|call| call["method"] == "GET")
        .count();
    assert!(reads <= 20, "{reads} reads of Baserow: {log:#}");
    assert_eq!(system.docmost.pages("agence").await.unwrap().len(), 201);
    system.every_item_has_one_outcome().await.unwrap();
}

#[tokio::test]
async fn a_wiki_whose_certificate_only_the_organisation_knows_is_spoken_to_and_its_documents_too() {
    let mut system = System::builder().workers(0).start().await.unwrap();
    let certificate = TestCertificate::signed().unwrap();
    let docmost: reqwest::Url = system.docmost.url.parse().unwrap();
    let front = TlsFront::start(&certificate, docmost.port().unwrap()).await.unwrap();
    let trusting = [
        ("DOCMOST_URL".to_owned(), front.url()),
        (
            "EXTRA_CA_FILE".to_owned(),
            certificate.authority().display().to_string(),
        ),
    ];
    system.start_worker_with(&trusting.into()).unwrap();
    let row = create_project(&system, "Refonte", "Atelier Nord").await.unwrap();
    system.drain().await;
    system.baserow.update(row, json!({"Statut": "Terminé"})).await.unwrap();
    system.drain().await;
    let id = system.baserow.read(row).await.unwrap()["docmost_page_id"].clone();
    let page = system.docmost.page(id.as_str().unwrap()).await.unwrap();
    assert!(page["content"].as_str().unwrap().contains("Terminé"), "{page}");
}

#[tokio::test]
async fn the_same_delivery_five_times_has_one_effect() {
    let system = System::builder().without_webhook().start().await.unwrap();
    let row = create_project(&system, "Refonte", "Atelier Nord").await.unwrap();
    let body = delivery("rows.created", row, "7a1c0c5e-0000-4000-8000-000000000001");
    let mut statuses = Vec::new();
    for _ in 0..5 {
        let answer = system.caller().post(body.clone()).await.unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
        statuses.push(answer.body["status"].as_str().unwrap().to_owned());
    }
    assert_eq!(statuses, ["queued", "duplicate", "duplicate", "duplicate", "duplicate"]);
    system.drain().await;
    assert_page_equals_row(&system, row, "Projet Refonte - Atelier Nord")
        .await
        .unwrap();
    assert_eq!(creates(&system).await.unwrap(), 1);
}

#[tokio::test]
async fn our_own_write_back_is_an_echo_and_no_work() {
    let system = System::builder().without_webhook().start().await.unwrap();
    let row = create_project(&system, "Refonte", "Atelier Nord").await.unwrap();
    let item = |page: Value| json!({"id": row.row.get(), "order": "1.0", "Nom": "Refonte", "docmost_page_id": page});
    let body = json!({
        "table_id": row.table.get(), "database_id": 1, "workspace_id": 1, "webhook_id": 1,
        "event_id": "7a1c0c5e-0000-4000-8000-000000000002", "event_type": "rows.updated",
        "items": [item(json!("some-page"))], "old_items": [item(Value::Null)],
    });
    let answer = system.caller().post(body.to_string()).await.unwrap();
    assert_eq!((answer.status, answer.body["status"].as_str()), (200, Some("ignored")));
    system.drain().await;
    let story = system
        .operator(&["trace", "7a1c0c5e-0000-4000-8000-000000000002"])
        .await
        .unwrap();
    assert!(story.contains("echo"), "{story}");
    assert_eq!(creates(&system).await.unwrap(), 0);
}

#[tokio::test]
async fn a_forged_delivery_is_refused_and_leaves_no_trace() {
    let system = System::builder().without_webhook().start().await.unwrap();
    let row = create_project(&system, "Refonte", "Atelier Nord").await.unwrap();
    let body = delivery("rows.created", row, "7a1c0c5e-0000-4000-8000-000000000003");
    let answer = system
        .caller()
        .with_secret("a-secret-that-nobody-holds")
        .post(body)
        .await
        .unwrap();
    assert_eq!(answer.status, 401);
    let stats = system.drain().await;
    assert_eq!(stats.dead, 0);
    let counts = system.store().await.unwrap().counts().await.unwrap();
    assert_eq!(counts.items, 0, "{counts:?}");
}

#[tokio::test]
async fn sixty_projects_with_four_workers_have_one_page_each_and_every_item_one_outcome() {
    let system = System::builder().workers(4).start().await.unwrap();
    let mut rows = Vec::new();
    for number in 0..60 {
        rows.push(
            create_project(&system, &format!("Projet {number}"), "Atelier Nord")
                .await
                .unwrap(),
        );
    }
    system.drain().await;
    for row in &rows {
        assert_eq!(system.docmost.pages_of(*row).await.unwrap().len(), 1, "{row}");
    }
    let titles: BTreeSet<_> = system
        .docmost
        .pages("agence")
        .await
        .unwrap()
        .iter()
        .map(|page| page["title"].to_string())
        .collect();
    assert_eq!(titles.len(), rows.len());
    assert_conservation(&system).await.unwrap();
}

#[tokio::test]
async fn nothing_accepted_is_lost_when_redis_is_killed_and_started_again() {
    let mut system = System::builder().start().await.unwrap();
    let before = create_project(&system, "Avant", "Atelier Nord").await.unwrap();
    system.drain().await;
    system.redis.kill().unwrap();
    system.redis.boot().unwrap();
    let after = create_project(&system, "Après", "Atelier Nord").await.unwrap();
    test_support::eventually("both rows have their page", async || {
        let pages = (
            system.docmost.pages_of(before).await,
            system.docmost.pages_of(after).await,
        );
        match &pages {
            (Ok(before), Ok(after)) if before.len() == 1 && after.len() == 1 => Ok(()),
            _ => Err(format!("{pages:?}\n{}", system.logs())),
        }
    })
    .await;
    system.drain().await;
    assert!(system.workers[0].is_running() && system.ingress.is_running());
    assert_conservation(&system).await.unwrap();
}

async fn create_project(system: &System, name: &str, client: &str) -> anyhow::Result<RowKey> {
    let client = system.baserow.create("client", json!({"Name": client})).await?;
    let project = json!({"Nom": name, "Statut": "En cours", "Client": [client.row.get()]});
    system.baserow.create("projet", project).await
}

fn delivery(kind: &str, row: RowKey, event: &str) -> String {
    json!({
        "table_id": row.table.get(), "database_id": 1, "workspace_id": 1, "webhook_id": 1, "event_id": event,
        "event_type": kind, "items": [{"id": row.row.get(), "order": "1.00000000000000000000", "Nom": "not to be believed"}],
    })
    .to_string()
}

async fn assert_page_equals_row(system: &System, row: RowKey, title: &str) -> anyhow::Result<()> {
    let fields = system.baserow.read(row).await?;
    let pages = system.docmost.pages_of(row).await?;
    assert_eq!(pages.len(), 1, "{pages:?}\n{}", system.logs());
    assert_eq!(pages[0]["title"], title);
    assert_eq!(fields["docmost_page_id"], pages[0]["id"]);
    assert!(
        fields["docmost_url"].as_str().is_some_and(|url| url.contains("/p/")),
        "{fields}"
    );
    Ok(())
}

/// Accepted items = the sum of the outcomes, nothing open; by the totals and by counting row by
/// row.
async fn assert_conservation(system: &System) -> anyhow::Result<()> {
    let store = system.store().await?;
    let counts = store.counts().await?;
    assert!(counts.items > 0, "{counts:?}");
    assert_eq!((counts.open, counts.missing()), (0, 0), "{counts:?}\n{}", system.logs());
    assert_eq!(counts, store.recount().await?);
    Ok(())
}

/// How often the bridge has asked Docmost to create a page.
async fn creates(system: &System) -> anyhow::Result<usize> {
    let log = system
        .docmost
        .control(reqwest::Method::GET, "/_sandbox/log", None)
        .await?;
    let calls = log.as_array().context("the log is no list")?;
    Ok(calls.iter().filter(|call| call["path"] == "/api/pages/create").count())
}
