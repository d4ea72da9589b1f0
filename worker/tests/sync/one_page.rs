//! At most one page per row, whatever happens to the create.

use std::time::{Duration, Instant};

use passerelle_model::id::Slot;
use passerelle_model::ledger::{FailureClass, Verdict};
use passerelle_model::outcome::Outcome;
use passerelle_queue::gate::{GateTarget, Permits};
use passerelle_sandbox::faults::{Fault, FaultKind};
use rstest::rstest;
use serde_json::json;
use test_support::eventually;

use crate::world::{World, attempt};

const CREATE: &str = "/api/pages/create";
const UPDATE: &str = "/api/pages/update";
const SPACES: &str = "/api/spaces";

fn status(status: u16) -> FaultKind {
    FaultKind::Status {
        status,
        headers: [].into(),
        body: None,
    }
}

#[rstest]
#[case::the_answer_is_lost(FaultKind::LostAnswer)]
#[case::answered_500_but_done(FaultKind::FailedButDone { status: 500 })]
#[case::cut_before_anything_happened(FaultKind::Reset)]
#[case::answered_502_and_not_done(status(502))]
#[case::no_answer_at_all(FaultKind::Hang)]
#[case::carried_out_within_the_window(FaultKind::ZombieWrite { after_ms: Some(2_500), after_release_ms: 0 })]
#[case::carried_out_after_the_window(FaultKind::ZombieWrite { after_ms: Some(3_500), after_release_ms: 0 })]
#[tokio::test]
async fn a_create_with_an_unknown_outcome_ends_in_one_page(#[case] fault: FaultKind) {
    let world = World::start().await.unwrap();
    let row = world.project("Refonte").await.unwrap();
    world.docmost_fault(Fault::on(CREATE, fault).times(1));

    let first = world.attempt(row).await.verdict;
    let Verdict::Retry { failure, .. } = &first else {
        panic!("not a retry: {first:?}");
    };
    assert_eq!(failure.class, FailureClass::Ambiguous);

    assert_eq!(world.sync_eventually(row).await, Outcome::Synced);
    let pages = world.pages().await.unwrap();
    assert_eq!(pages.len(), 1, "{pages:?}");
    assert_eq!(world.row(row).await.unwrap()["docmost_page_id"], pages[0]["id"]);
    assert_eq!(world.sync(row).await.unwrap(), Outcome::NoChange);
}

#[tokio::test]
async fn an_answer_that_was_lost_is_found_by_the_next_attempt_without_waiting() {
    let world = World::start().await.unwrap();
    let row = world.project("Refonte").await.unwrap();
    world.docmost_fault(Fault::on(CREATE, FaultKind::LostAnswer).times(1));
    let _ = world.attempt(row).await;
    assert_eq!(world.sync(row).await.unwrap(), Outcome::Synced);
    assert_eq!(world.docmost.calls.count(CREATE), 1);
}

#[tokio::test]
async fn nothing_is_created_while_an_abandoned_create_may_still_run() {
    let world = World::start().await.unwrap();
    let row = world.project("Refonte").await.unwrap();
    world.docmost_fault(Fault::on(CREATE, FaultKind::Reset).times(1));
    let _ = world.attempt(row).await;
    let verdict = world.attempt(row).await.verdict;
    assert!(matches!(verdict, Verdict::Hold { .. }), "{verdict:?}");
    assert_eq!(world.docmost.calls.count(CREATE), 1);
}

#[tokio::test]
async fn the_wait_for_an_abandoned_create_begins_when_it_was_sent_and_not_when_it_got_in_line() {
    let world = World::start().await.unwrap();
    let row = world.project("Refonte").await.unwrap();
    // While the last look-up is under way, others take a permit of their own: the worker may make one
    // call at once over all processes, the others two.
    let context = world.replica_where(&[("DOCMOST_CONCURRENCY", "1")]).await.unwrap();
    let others = Permits::new(&world.other_gates().unwrap(), GateTarget::Docmost, 2);
    world.docmost.faults.set(vec![
        Fault::on(SPACES, FaultKind::Delay { ms: 1000 }),
        Fault::on(CREATE, FaultKind::Hang).times(1),
    ]);
    let others_wait = async {
        eventually("the last look-up", async || match world.docmost.calls.count(SPACES) {
            0 => Err(()),
            _ => Ok(()),
        })
        .await;
        let permit = others.acquire().await;
        let waited_long = async {
            let is_intended = async || {
                world
                    .context
                    .store
                    .intent(row, &Slot::page())
                    .await
                    .map(|intent| intent.is_some())
            };
            eventually("the create is in line", async || match is_intended().await {
                Ok(true) => Ok(()),
                other => Err(other),
            })
            .await;
            let intended = Instant::now();
            eventually("it is there for long", async || {
                if intended.elapsed() > Duration::from_millis(1200) {
                    Ok(())
                } else {
                    Err(())
                }
            })
            .await;
            assert_eq!(world.docmost.calls.count(CREATE), 0);
        };
        permit.during(waited_long).await;
    };
    let (first, ()) = tokio::join!(attempt(&context, row), others_wait);
    assert!(
        matches!(&first.verdict, Verdict::Retry { failure, .. } if failure.class == FailureClass::Ambiguous),
        "{first:?}"
    );
    let second = attempt(&context, row).await.verdict;
    assert!(matches!(second, Verdict::Hold { .. }), "{second:?}");
    assert_eq!(world.docmost.calls.count(CREATE), 1);
}

#[tokio::test]
async fn a_refused_create_leaves_nothing_to_wait_for() {
    let world = World::start().await.unwrap();
    let row = world.project("Refonte").await.unwrap();
    world.docmost_fault(Fault::on(CREATE, status(429)).times(1));
    let verdict = world.attempt(row).await.verdict;
    assert!(matches!(verdict, Verdict::Hold { .. }), "{verdict:?}");
    assert_eq!(world.sync(row).await.unwrap(), Outcome::Synced);
}

#[tokio::test]
async fn a_page_without_its_label_is_found_by_its_word_and_labelled() {
    let world = World::start().await.unwrap();
    let row = world.project("Refonte").await.unwrap();
    world.docmost_fault(Fault::on("/api/pages/labels/add", status(500)).times(1));
    let _ = world.attempt(row).await;
    assert_eq!(world.sync(row).await.unwrap(), Outcome::Synced);
    let pages = world.pages().await.unwrap();
    assert_eq!(pages.len(), 1, "{pages:?}");
    assert_eq!(pages[0]["labels"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn a_page_that_was_found_without_its_label_gets_it_though_the_first_update_is_not_answered() {
    let world = World::start().await.unwrap();
    let row = world.project("Refonte").await.unwrap();
    world.docmost.faults.set(vec![
        Fault::on("/api/pages/labels/add", status(500)).times(1),
        Fault::on(UPDATE, FaultKind::LostAnswer).times(1),
    ]);
    let _ = world.attempt(row).await;
    let adopted = world.attempt(row).await;
    assert!(!matches!(adopted.verdict, Verdict::Done(_)), "{adopted:?}");
    assert!(
        adopted.steps.iter().all(|step| step.name != "page_written"),
        "{adopted:?}"
    );
    assert_eq!(world.docmost.calls.count(UPDATE), 1);
    assert_eq!(world.sync_eventually(row).await, Outcome::Synced);
    let pages = world.pages().await.unwrap();
    assert_eq!(pages.len(), 1, "{pages:?}");
    assert_eq!(pages[0]["labels"].as_array().map(Vec::len), Some(2), "{pages:?}");
}

#[tokio::test]
async fn a_store_that_was_lost_makes_no_second_page() {
    let world = World::start().await.unwrap();
    let row = world.project("Refonte").await.unwrap();
    world.synced(row).await.unwrap();
    world.change(row, json!({"docmost_page_id": null})).await.unwrap();
    let link = world.context.store.link(row, &Slot::page()).await.unwrap();
    world.context.store.forget_link(&link.unwrap()).await.unwrap();
    assert_eq!(world.sync(row).await.unwrap(), Outcome::Synced);
    assert_eq!(world.pages().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_copied_row_gets_a_page_of_its_own() {
    let world = World::start().await.unwrap();
    let original = world.project("Refonte").await.unwrap();
    world.synced(original).await.unwrap();
    let fields = world.row(original).await.unwrap();
    let copy =
        json!({"Nom": "Copie", "docmost_page_id": fields["docmost_page_id"], "docmost_url": fields["docmost_url"]});
    let copy = world.create(original.table.get(), copy).await.unwrap();
    assert_eq!(world.sync(copy).await.unwrap(), Outcome::Synced);
    assert_eq!(world.pages().await.unwrap().len(), 2);
    assert_ne!(
        world.row(copy).await.unwrap()["docmost_page_id"],
        fields["docmost_page_id"]
    );
    assert_eq!(world.row(original).await.unwrap(), fields);
}

#[tokio::test]
async fn a_page_that_only_quotes_another_rows_word_is_not_taken_for_its_page() {
    let world = World::with_page("", "{{ row.Nom }}").await.unwrap();
    let victim = world.project("Victim").await.unwrap();
    let bridge = world.bridge_label().await.unwrap().replace("baserow-bridge-", "");
    let token = format!("brw{bridge}t{}r{}x", victim.table, victim.row);
    let thief = world.project(&token).await.unwrap();
    world.synced(thief).await.unwrap();
    world.docmost_fault(Fault::on(CREATE, FaultKind::Reset).times(1));
    let _ = world.attempt(victim).await;
    assert_eq!(world.sync_eventually(victim).await, Outcome::Synced);
    assert_eq!(world.pages().await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_page_that_was_deleted_for_good_is_made_anew_while_its_row_lives() {
    let world = World::start().await.unwrap();
    let row = world.project("Refonte").await.unwrap();
    world.synced(row).await.unwrap();
    world.change(row, json!({"Nom": "Refonte 2"})).await.unwrap();
    let gone = FaultKind::Status {
        status: 404,
        headers: [("content-type".to_owned(), "application/json".to_owned())].into(),
        body: Some(json!({"message": "Page not found", "error": "Not Found", "statusCode": 404})),
    };
    // The old page's id is asked for by update and info; it has lost its label with its life.
    let old = world.pages().await.unwrap()[0]["id"].as_str().unwrap().to_owned();
    let mut fault = Fault::on("/api/pages/", gone);
    fault.body_contains = Some(old.clone());
    world.docmost.faults.set(vec![
        fault,
        Fault::on(
            "/api/labels/pages",
            FaultKind::Status {
                status: 200,
                headers: [("content-type".to_owned(), "application/json".to_owned())].into(),
                body: Some(
                    json!({"data": {"items": [], "meta": {"nextCursor": null}}, "success": true, "status": 200}),
                ),
            },
        ),
    ]);
    assert_eq!(world.sync(row).await.unwrap(), Outcome::Synced);
    assert_ne!(world.row(row).await.unwrap()["docmost_page_id"], old);
}
