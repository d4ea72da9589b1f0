//! `make demo`: the main job end to end, with a Redis, a store and a sandbox of its own. Exits with
//! 1 if anything is not as it should be.

use std::io::Write as _;
use std::time::{Duration, Instant};

use anyhow::ensure;
use passerelle_model::id::RowKey;
use serde_json::{Value, json};
use system_tests::System;
use system_tests::system::STOPS_WITHIN;
use test_support::eventually;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let began = Instant::now();
    say("Starting Redis, a sandbox of Baserow and Docmost, the ingress and a worker …");
    let mut system = System::builder().start().await?;
    say(&format!("  ready after {:.1?}\n", began.elapsed()));

    let row = create_a_project(&system).await?;
    show_the_page(&system, row).await?;
    show_the_story(&system, row).await?;
    write_beside_the_section(&system, row).await?;
    repeat_a_delivery(&system, row).await?;
    refuse_a_forgery(&system).await?;
    bring_back_a_trashed_page(&system, row).await?;

    system.drain().await;
    say(&system.operator(&["stats"]).await?);
    stop(&mut system).await?;
    say(&format!(
        "Everything was as it should be, and everything is stopped. {:.1?} in all.",
        began.elapsed()
    ));
    Ok(())
}

async fn create_a_project(system: &System) -> anyhow::Result<RowKey> {
    say("1. Somebody creates a client and a project in Baserow.");
    let client = system.baserow.create("client", json!({"Name": "Atelier Nord"})).await?;
    let project = json!({"Nom": "Refonte du site", "Statut": "En cours", "Client": [client.row.get()]});
    let row = system.baserow.create("projet", project).await?;
    let created = Instant::now();
    eventually("the page's id stands in the row", async || {
        let row = system.baserow.read(row).await.map_err(|error| error.to_string())?;
        if row["docmost_page_id"].as_str().is_some_and(|id| !id.is_empty()) {
            Ok(())
        } else {
            Err(system.logs())
        }
    })
    .await;
    say(&format!(
        "   {:.0?} later the page exists and its id stands in the row:\n",
        created.elapsed()
    ));
    Ok(row)
}

async fn show_the_page(system: &System, row: RowKey) -> anyhow::Result<()> {
    system.drain().await;
    let fields = system.baserow.read(row).await?;
    let pages = system.docmost.pages_of(row).await?;
    ensure!(
        pages.len() == 1,
        "there should be exactly one page, there are {}",
        pages.len()
    );
    let page = system.docmost.page(text(&fields["docmost_page_id"])).await?;
    ensure!(
        page["title"] == "Projet Refonte du site - Atelier Nord",
        "the title is {}",
        page["title"]
    );
    ensure!(pages[0]["id"] == page["id"], "the labelled page is another one");
    show_as_people_see_it(system, row).await?;
    say(&format!("   link: {}", text(&fields["docmost_url"])));
    say(&format!("   row:  {fields}\n"));
    Ok(())
}

async fn show_the_story(system: &System, row: RowKey) -> anyhow::Result<()> {
    say(&format!(
        "2. What happened, and why?   (make trace ID=t{}/r{})\n",
        row.table, row.row
    ));
    let story = system
        .operator(&["trace", &format!("t{}/r{}", row.table, row.row)])
        .await?;
    ensure!(
        story.contains("synced"),
        "the story does not say that the row was synced:\n{story}"
    );
    say(&story);
    Ok(())
}

/// A person writes into the page, then the row changes: the section follows, the text stays.
async fn write_beside_the_section(system: &System, row: RowKey) -> anyhow::Result<()> {
    const NOTE: &str = "Décision du comité : on garde le logo.";
    say("3. Somebody writes below the box, then the row changes: the box follows, what people wrote stays.");
    let name = format!("projet/{}", row.row);
    let id = text(&system.baserow.read(row).await?["docmost_page_id"]).to_owned();
    let write = json!({"pageId": id, "content": NOTE, "operation": "append", "format": "markdown"});
    system.person().call("pages/update", write).await?;
    system.operator(&["pause", "--why", "demo", "--by", "demo"]).await?;
    system.baserow.update(row, json!({"Statut": "Terminé"})).await?;
    say(&format!(
        "   What would a sync do?   (make sync ROW={name} ARGS=--dry-run)\n"
    ));
    let planned = system.operator(&["sync", &name, "--dry-run"]).await?;
    let is_right = planned.contains("- │ Statut | En cours") && planned.contains("+ │ Statut | Terminé");
    ensure!(
        is_right && !planned.contains(NOTE),
        "the sync would change something else:\n{planned}"
    );
    say(&indented(&planned));
    system.operator(&["resume", "--why", "demo", "--by", "demo"]).await?;
    eventually("the section follows the row", async || {
        let page = system.docmost.page(&id).await.map_err(|error| error.to_string())?;
        if text(&page["content"]).contains("Terminé") {
            Ok(())
        } else {
            Err(system.logs())
        }
    })
    .await;
    system.drain().await;
    let shown = show_as_people_see_it(system, row).await?;
    ensure!(shown.contains(NOTE), "what people wrote is gone:\n{shown}");
    say("");
    Ok(())
}

async fn show_as_people_see_it(system: &System, row: RowKey) -> anyhow::Result<String> {
    let shown = system.operator(&["preview", &format!("projet/{}", row.row)]).await?;
    ensure!(
        shown.contains("The page is so already."),
        "the page is not as it should be:\n{shown}"
    );
    say(&indented(&shown));
    Ok(shown)
}

fn indented(lines: &str) -> String {
    let lines: Vec<String> = lines.lines().map(|line| format!("   {line}")).collect();
    lines.join("\n") + "\n"
}

async fn repeat_a_delivery(system: &System, row: RowKey) -> anyhow::Result<()> {
    say("4. The same delivery five times has one effect.");
    let body = json!({
        "table_id": row.table.get(), "database_id": 1, "workspace_id": 1, "webhook_id": 77,
        "event_id": "11111111-2222-4333-8444-555555555555", "event_type": "rows.updated",
        "items": [{"id": row.row.get(), "order": "1.00000000000000000000", "Nom": "Refonte du site"}],
    });
    let mut statuses = Vec::new();
    for _ in 0..5 {
        let answer = system.caller().post(body.to_string()).await?;
        ensure!(answer.status == 200, "the ingress answered {answer:?}");
        statuses.push(text(&answer.body["status"]).to_owned());
    }
    ensure!(
        statuses == ["queued", "duplicate", "duplicate", "duplicate", "duplicate"],
        "the answers were {statuses:?}"
    );
    system.drain().await;
    let pages = system.docmost.pages("agence").await?;
    ensure!(
        pages.len() == 1,
        "the space should hold one page, it holds {}",
        pages.len()
    );
    say(&format!(
        "   answers: {}; pages in the space: {}\n",
        statuses.join(", "),
        pages.len()
    ));
    Ok(())
}

async fn refuse_a_forgery(system: &System) -> anyhow::Result<()> {
    say("5. A forged delivery is refused.");
    let answer = system
        .caller()
        .with_secret("not-the-secret-at-all")
        .post(r#"{"table_id": 2}"#)
        .await?;
    ensure!(answer.status == 401, "the ingress answered {answer:?}");
    say(&format!("   answer: {} {}\n", answer.status, answer.body));
    Ok(())
}

async fn bring_back_a_trashed_page(system: &System, row: RowKey) -> anyhow::Result<()> {
    say(
        "6. Somebody puts the page into the trash; a forced sync brings it back.   (make sync ROW=projet/1 ARGS=--wait)",
    );
    let page = system.baserow.read(row).await?["docmost_page_id"].clone();
    system.person().call("pages/delete", json!({"pageId": page})).await?;
    ensure!(
        system.docmost.pages_of(row).await?.is_empty(),
        "the page should be in the trash"
    );
    let name = format!("projet/{}", row.row);
    let report = system.operator(&["sync", &name, "--wait", "--by", "demo"]).await?;
    say(&report);
    system.drain().await;
    let pages = system.docmost.pages_of(row).await?;
    ensure!(
        pages.len() == 1 && pages[0]["id"] == page,
        "the page should be back, there is {pages:?}"
    );
    let story = system
        .operator(&["trace", &format!("t{}/r{}", row.table, row.row)])
        .await?;
    let found = story.lines().find(|line| line.contains("page_differs"));
    ensure!(found.is_some(), "the story does not say what was found:\n{story}");
    say(&format!("   {}\n", found.unwrap_or_default().trim()));
    Ok(())
}

async fn stop(system: &mut System) -> anyhow::Result<()> {
    for worker in &mut system.workers {
        let status = worker.stop(STOPS_WITHIN).await?;
        ensure!(status.success(), "a worker ended with {status}");
    }
    let status = system.ingress.stop(STOPS_WITHIN).await?;
    ensure!(status.success(), "the ingress ended with {status}");
    system.sandbox.stop(Duration::from_secs(5)).await?;
    Ok(())
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
