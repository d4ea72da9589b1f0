//! A row becomes a page, and the page follows it.

use passerelle_model::event::EventKind;
use passerelle_model::id::RowKey;
use passerelle_model::ledger::Verdict;
use passerelle_model::outcome::{IgnoredReason, Outcome};
use passerelle_sandbox::faults::{Fault, FaultKind};
use rstest::rstest;
use serde_json::{Value, json};

use crate::world::World;

#[tokio::test]
async fn a_row_becomes_one_page_and_learns_which() {
    let world = World::start().await.unwrap();
    let row = world.project("Refonte").await.unwrap();
    assert_eq!(world.sync(row).await.unwrap(), Outcome::Synced);

    let (pages, fields) = (world.pages().await.unwrap(), world.row(row).await.unwrap());
    assert_eq!(pages.len(), 1, "{pages:?}");
    assert_eq!(pages[0]["title"], "Projet Refonte - Atelier Nord");
    assert_eq!(pages[0]["icon"], "🚧");
    assert_eq!(
        pages[0]["labels"],
        json!([
            format!("baserow-t{}-r{}", row.table, row.row),
            world.bridge_label().await.unwrap()
        ])
    );
    assert_eq!(fields["docmost_page_id"], pages[0]["id"]);
    let slug = pages[0]["slugId"].as_str().unwrap();
    assert_eq!(fields["docmost_url"], format!("{}/p/{slug}", world.docmost.url()));
}

#[tokio::test]
async fn the_same_state_again_is_no_change_and_no_call_to_docmost() {
    let world = World::start().await.unwrap();
    let row = world.project("Refonte").await.unwrap();
    world.synced(row).await.unwrap();
    world.docmost.calls.clear();
    assert_eq!(world.sync(row).await.unwrap(), Outcome::NoChange);
    assert_eq!(world.docmost.calls.list().len(), 0);
}

#[tokio::test]
async fn every_write_says_whose_it_is_and_wakes_no_webhook() {
    let world = World::start().await.unwrap();
    let row = world.project("Refonte").await.unwrap();
    world.synced(row).await.unwrap();
    let calls = world.baserow.calls.list();
    let write = calls.iter().find(|call| call.method == "PATCH").unwrap();
    assert!(write.query.contains("send_webhook_events=false"), "{write:?}");
    assert_eq!(write.origin.as_deref(), Some("bridge"));
    assert!(
        world
            .docmost
            .calls
            .list()
            .iter()
            .all(|call| call.origin.as_deref() == Some("bridge"))
    );
}

#[tokio::test]
async fn title_and_icon_follow_the_row_and_peoples_text_stays() {
    let world = World::start().await.unwrap();
    let row = world.project("Refonte").await.unwrap();
    world.synced(row).await.unwrap();
    let before = world.pages().await.unwrap();
    world
        .change(row, json!({"Nom": "Refonte 2", "Statut": "Terminé"}))
        .await
        .unwrap();
    assert_eq!(world.sync(row).await.unwrap(), Outcome::Synced);
    let after = world.pages().await.unwrap();
    assert_eq!(after[0]["title"], "Projet Refonte 2 - Atelier Nord");
    assert_eq!(after[0]["icon"], "✅");
    assert_eq!(after[0]["id"], before[0]["id"]);
    let below = |page: &Value| page["content"]["content"].as_array().unwrap()[1..].to_vec();
    assert_eq!(below(&after[0]), below(&before[0]));
}

#[tokio::test]
async fn a_row_that_forgot_its_page_is_told_again_without_a_call_to_docmost() {
    let world = World::start().await.unwrap();
    let row = world.project("Refonte").await.unwrap();
    world.synced(row).await.unwrap();
    let before = world.row(row).await.unwrap();
    world
        .change(row, json!({"docmost_page_id": null, "docmost_url": ""}))
        .await
        .unwrap();
    world.docmost.calls.clear();
    assert_eq!(world.sync(row).await.unwrap(), Outcome::Synced);
    assert_eq!(world.row(row).await.unwrap(), before);
    assert_eq!(world.docmost.calls.list().len(), 0);
}

#[tokio::test]
async fn the_page_of_a_deleted_row_goes_to_the_trash_and_comes_back_with_the_row() {
    let world = World::start().await.unwrap();
    let row = world.project("Refonte").await.unwrap();
    world.synced(row).await.unwrap();
    let page = world.pages().await.unwrap()[0]["id"].clone();

    // A row that cannot be read is what a deleted one looks like; the stand-in's own trash cannot
    // be emptied over HTTP.
    let gone = FaultKind::Status {
        status: 404,
        headers: [("content-type".to_owned(), "application/json".to_owned())].into(),
        body: Some(json!({"error": "ERROR_ROW_DOES_NOT_EXIST", "detail": "The rows do not exist."})),
    };
    let path = format!("/api/database/rows/table/{}/{}/", row.table, row.row);
    world.baserow.faults.set(vec![Fault::on(&path, gone)]);
    assert_eq!(world.sync(row).await.unwrap(), Outcome::Synced);
    assert_eq!(world.pages().await.unwrap().len(), 0);
    assert_eq!(world.sync(row).await.unwrap(), Outcome::NoChange, "again is no harm");

    world.baserow.faults.clear();
    assert_eq!(world.sync(row).await.unwrap(), Outcome::Synced);
    let pages = world.pages().await.unwrap();
    assert_eq!((pages.len(), &pages[0]["id"]), (1, &page), "the same page");
}

#[tokio::test]
async fn a_row_that_never_had_a_page_and_is_gone_is_not_found_after_three_reads() {
    let world = World::start().await.unwrap();
    let row = world.project("Refonte").await.unwrap();
    world.delete(row).await.unwrap();
    world.baserow.calls.clear();
    assert_eq!(world.sync(row).await.unwrap(), Outcome::RowNotFound);
    let path = format!("/api/database/rows/table/{}/{}/", row.table, row.row);
    assert_eq!(world.baserow.calls.count(&path), 3);
}

#[tokio::test]
async fn a_table_without_a_rule_is_ignored() {
    let world = World::start().await.unwrap();
    let person = world.create(5, json!({"Nom": "Ada"})).await.unwrap();
    let no_rule = Outcome::Ignored(IgnoredReason::NoRule);
    assert_eq!(world.sync(person).await.unwrap(), no_rule);
    let unknown: RowKey = "t4711/r1".parse().unwrap();
    assert_eq!(world.sync(unknown).await.unwrap(), no_rule);
}

#[tokio::test]
async fn a_write_back_field_that_does_not_exist_holds_its_table_and_is_named() {
    let world = World::with_page(r#"write_back = { page_id = "inconnu" }"#, "text")
        .await
        .unwrap();
    let row = world.project("Refonte").await.unwrap();
    let Verdict::Hold { failure, .. } = world.attempt(row).await.verdict else {
        panic!("not held");
    };
    assert!(
        failure.message.contains("\"inconnu\" does not exist"),
        "{}",
        failure.message
    );
}

#[tokio::test]
async fn content_that_docmost_lost_behind_a_200_is_noticed_and_written_again() {
    let world = World::with_page(r#"body_updates = "replace""#, "Nom: {{ row.Nom }}")
        .await
        .unwrap();
    let row = world.project("Alpha").await.unwrap();
    world.synced(row).await.unwrap();
    world.change(row, json!({"Nom": "Beta"})).await.unwrap();
    world.docmost_fault(Fault::on("/api/pages/update", FaultKind::ContentLost).times(1));
    let Verdict::Retry { failure, .. } = world.attempt(row).await.verdict else {
        panic!("not noticed");
    };
    assert!(
        failure.message.contains("did not keep the content"),
        "{}",
        failure.message
    );
    assert_eq!(world.sync(row).await.unwrap(), Outcome::Synced);
    let markdown = world.pages().await.unwrap()[0]["markdown"].to_string();
    assert!(markdown.contains("Nom: Beta"), "{markdown}");
}

#[tokio::test]
async fn every_step_of_a_first_sync_is_in_the_story() {
    let world = World::start().await.unwrap();
    let row = world.project("Refonte").await.unwrap();
    let steps = world.attempt(row).await.steps;
    let names: Vec<&str> = steps.iter().map(|step| step.name.as_str()).collect();
    let expected = [
        "list_tables",
        "list_fields",
        "list_fields",
        "read_row",
        "read_row",
        "list_fields",
        "find_by_label",
        "ask_for_synced_blocks",
        "find_space",
        "create_page",
        "label_page",
        "page_written",
        "write_back",
    ];
    assert_eq!(names, expected);
    let mut calls = steps.iter().filter(|step| step.request.is_some());
    assert!(calls.all(|step| step.status == Some(200)), "{steps:?}");
}

#[rstest]
#[case::kept("keep", "Refonte")]
#[case::marked("mark", "[supprimé] Refonte")]
#[tokio::test]
async fn a_page_whose_row_goes_before_it_has_a_label_stays_where_the_rule_wants_that(
    #[case] row_deleted: &str,
    #[case] title: &str,
) {
    let world = World::with_page(&format!("row_deleted = \"{row_deleted}\""), "{{ row.Nom }}")
        .await
        .unwrap();
    let row = world.project("Refonte").await.unwrap();
    let failed = FaultKind::Status {
        status: 500,
        headers: [].into(),
        body: None,
    };
    world.docmost_fault(Fault::on("/api/pages/labels/add", failed).times(1));
    assert!(matches!(world.attempt(row).await.verdict, Verdict::Retry { .. }));
    world.delete(row).await.unwrap();
    let ended = world.sync_as(row, EventKind::Deleted, "deleted").await.unwrap();
    assert_eq!(ended, Outcome::Synced);
    let pages = world.pages().await.unwrap();
    assert_eq!(pages.len(), 1, "{pages:?}");
    assert_eq!(pages[0]["title"], title);
    assert_eq!(world.context.store.intents(row).await.unwrap(), []);
    let again = world.sync_as(row, EventKind::Deleted, "again").await.unwrap();
    assert_eq!(again, Outcome::NoChange);

    world.restore_row(row).await.unwrap();
    let _ended = world.sync_eventually(row).await;
    let own = world.pages().await.unwrap();
    assert_eq!((own.len(), &own[0]["id"]), (1, &pages[0]["id"]));
    assert_eq!(own[0]["title"], "Refonte");
}
