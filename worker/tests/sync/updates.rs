//! Updates of a page whose outcome nobody knows, and a store that cannot note them.

use passerelle_model::id::RowKey;
use passerelle_model::ledger::{FailureClass, Verdict};
use passerelle_model::outcome::Outcome;
use passerelle_sandbox::faults::{Fault, FaultKind};
use rstest::rstest;
use serde_json::json;
use test_support::eventually;

use crate::world::{World, attempt};

const UPDATE: &str = "/api/pages/update";
const TRASH: &str = "/api/pages/delete";

/// A call that is carried out only when its fault is cleared, long after it was given up.
fn late(path: &str) -> Fault {
    let late = FaultKind::ZombieWrite {
        after_ms: None,
        after_release_ms: 0,
    };
    Fault::on(path, late).times(1)
}

/// The next attempt fails and is to be retried.
async fn is_retried(world: &World, row: RowKey) {
    let verdict = world.attempt(row).await.verdict;
    assert!(matches!(verdict, Verdict::Retry { .. }), "{verdict:?}");
}

/// After the next attempt the job is held.
async fn is_held(world: &World, row: RowKey) {
    let verdict = world.attempt(row).await.verdict;
    assert!(matches!(verdict, Verdict::Hold { .. }), "{verdict:?}");
}

/// The late call is carried out; then these are the titles.
async fn the_late_call_leaves(world: &World, titles: &[&str]) {
    world.docmost.faults.clear();
    eventually("the late call is carried out", async || match world.titles().await {
        Ok(found) if found == titles => Ok(()),
        other => Err(other),
    })
    .await;
}

/// In the end the page has this title, and there is nothing more to do.
async fn ends_with(world: &World, row: RowKey, title: &str) -> anyhow::Result<()> {
    assert_eq!(world.sync_eventually(row).await, Outcome::Synced);
    assert_eq!(world.titles().await?, [title]);
    assert_eq!(world.sync(row).await?, Outcome::NoChange);
    Ok(())
}

#[tokio::test]
async fn the_page_ends_with_the_newest_text_though_an_older_update_is_carried_out_after_it() {
    let world = World::start().await.unwrap();
    let row = world.project("Refonte").await.unwrap();
    world.synced(row).await.unwrap();
    world.docmost_fault(late(UPDATE));
    world.change(row, json!({"Nom": "Ancien"})).await.unwrap();
    is_retried(&world, row).await;

    world.change(row, json!({"Nom": "Nouveau"})).await.unwrap();
    is_held(&world, row).await;
    assert_eq!(
        world.titles().await.unwrap(),
        ["Projet Nouveau - Atelier Nord"],
        "the new text does not wait"
    );
    the_late_call_leaves(&world, &["Projet Ancien - Atelier Nord"]).await;

    ends_with(&world, row, "Projet Nouveau - Atelier Nord").await.unwrap();
}

/// A call is on its way, and its worker waits no longer: its patience is over, or it has vanished.
#[rstest]
#[case::that_nobody_waits_for(false)]
#[case::whose_worker_vanished(true)]
#[tokio::test]
async fn a_row_that_goes_back_to_what_its_page_says_gets_it_back_after_an_update(#[case] has_vanished: bool) {
    let world = World::start().await.unwrap();
    let row = world.project("A").await.unwrap();
    world.synced(row).await.unwrap();
    world.docmost_fault(late(UPDATE));
    world.change(row, json!({"Nom": "B"})).await.unwrap();
    if has_vanished {
        let is_sent = eventually("the update is on its way", async || {
            match world.docmost.calls.count(UPDATE) {
                0 => Err("it is not sent yet"),
                _ => Ok(()),
            }
        });
        tokio::select! {
            () = is_sent => {}
            settlement = world.attempt(row) => panic!("it ended: {settlement:?}"),
        }
    } else {
        is_retried(&world, row).await;
    }

    world.change(row, json!({"Nom": "A"})).await.unwrap();
    is_held(&world, row).await;
    assert_eq!(world.titles().await.unwrap(), ["Projet A - Atelier Nord"]);
    the_late_call_leaves(&world, &["Projet B - Atelier Nord"]).await;

    ends_with(&world, row, "Projet A - Atelier Nord").await.unwrap();
}

#[tokio::test]
async fn a_row_that_goes_back_after_an_update_that_failed_is_not_kept_back_as_undone() {
    let world = World::start().await.unwrap();
    let context = world.replica_where(&[("WORKER_REPEAT_SECONDS", "300")]).await.unwrap();
    let row = world.project("A").await.unwrap();
    let first = attempt(&context, row).await;
    assert_eq!(first.verdict, Verdict::Done(Outcome::Synced));
    let failed = FaultKind::Status {
        status: 500,
        headers: [].into(),
        body: None,
    };
    world.docmost_fault(Fault::on(UPDATE, failed).times(1));
    world.change(row, json!({"Nom": "B"})).await.unwrap();
    let second = attempt(&context, row).await;
    assert!(matches!(second.verdict, Verdict::Retry { .. }), "{second:?}");
    world.change(row, json!({"Nom": "A"})).await.unwrap();
    let third = attempt(&context, row).await;
    let is_kept_back =
        matches!(&third.verdict, Verdict::Hold { failure, .. } if failure.class == FailureClass::Throttled);
    assert!(!is_kept_back, "{third:?}");
    let _ended = world.sync_eventually(row).await;
    assert_eq!(world.titles().await.unwrap(), ["Projet A - Atelier Nord"]);
}

#[tokio::test]
async fn an_update_that_docmost_refused_leaves_nothing_to_wait_for() {
    let world = World::start().await.unwrap();
    let row = world.project("Refonte").await.unwrap();
    world.synced(row).await.unwrap();
    let refused = FaultKind::Status {
        status: 429,
        headers: [].into(),
        body: None,
    };
    world.docmost_fault(Fault::on(UPDATE, refused).times(1));
    world.change(row, json!({"Nom": "Nouveau"})).await.unwrap();
    is_held(&world, row).await;
    assert_eq!(world.sync(row).await.unwrap(), Outcome::Synced);
    assert_eq!(world.docmost.calls.count(UPDATE), 2);
}

#[rstest]
#[case::updated(UPDATE)]
#[case::trashed(TRASH)]
#[tokio::test]
async fn a_page_is_not_written_while_the_store_cannot_be_written(#[case] call: &str) {
    let world = World::start().await.unwrap();
    let row = world.project("Refonte").await.unwrap();
    world.synced(row).await.unwrap();
    if call == TRASH {
        world.delete(row).await.unwrap();
    } else {
        world.change(row, json!({"Nom": "Nouveau"})).await.unwrap();
    }
    let store = sqlx::AnyPool::connect(&world.store_url()).await.unwrap();
    let full =
        "CREATE TRIGGER full BEFORE UPDATE ON links BEGIN SELECT RAISE(ROLLBACK, 'database or disk is full'); END";
    sqlx::query(full).execute(&store).await.unwrap();
    for _ in 0..3 {
        let verdict = world.attempt(row).await.verdict;
        assert!(!matches!(verdict, Verdict::Done(_)), "{verdict:?}");
    }
    assert_eq!(world.docmost.calls.count(call), 0);

    sqlx::query("DROP TRIGGER full").execute(&store).await.unwrap();
    store.close().await;
    assert_eq!(world.sync_eventually(row).await, Outcome::Synced);
    assert_eq!(world.docmost.calls.count(call), 1);
}

#[tokio::test]
async fn a_page_that_was_found_again_ends_with_the_newest_text_though_an_older_update_is_carried_out_after_it() {
    let world = World::start().await.unwrap();
    let row = world.project("Refonte").await.unwrap();
    world.synced(row).await.unwrap();
    let store = sqlx::AnyPool::connect(&world.store_url()).await.unwrap();
    sqlx::query("DELETE FROM links").execute(&store).await.unwrap();
    store.close().await;
    world.docmost_fault(late(UPDATE));
    world.change(row, json!({"Nom": "Ancien"})).await.unwrap();
    is_retried(&world, row).await;

    world.change(row, json!({"Nom": "Nouveau"})).await.unwrap();
    is_held(&world, row).await;
    the_late_call_leaves(&world, &["Projet Ancien - Atelier Nord"]).await;
    ends_with(&world, row, "Projet Nouveau - Atelier Nord").await.unwrap();
}

#[tokio::test]
async fn the_page_of_a_restored_row_lives_though_it_is_put_into_the_trash_late() {
    let world = World::start().await.unwrap();
    let row = world.project("Refonte").await.unwrap();
    world.synced(row).await.unwrap();
    world.docmost_fault(late(TRASH));
    world.delete(row).await.unwrap();
    is_retried(&world, row).await;

    world.restore_row(row).await.unwrap();
    is_held(&world, row).await;
    assert_eq!(world.pages().await.unwrap().len(), 1);
    the_late_call_leaves(&world, &[]).await;
    assert_eq!(world.sync_eventually(row).await, Outcome::Synced);
    assert_eq!(world.pages().await.unwrap().len(), 1);
    assert_eq!(world.sync(row).await.unwrap(), Outcome::NoChange);
}

#[tokio::test]
async fn the_page_of_a_deleted_row_ends_in_the_trash_though_its_trashing_was_refused_first() {
    let world = World::start().await.unwrap();
    let row = world.project("Refonte").await.unwrap();
    world.synced(row).await.unwrap();
    let refused = FaultKind::Status {
        status: 500,
        headers: [].into(),
        body: None,
    };
    world.docmost_fault(Fault::on(TRASH, refused).times(1));
    world.delete(row).await.unwrap();
    is_retried(&world, row).await;
    assert_eq!(
        world.sync(row).await.unwrap(),
        Outcome::Synced,
        "there is nothing to wait for"
    );
    assert!(world.pages().await.unwrap().is_empty());
    assert_eq!(world.sync(row).await.unwrap(), Outcome::NoChange);
}

#[tokio::test]
async fn a_row_that_goes_back_gets_its_page_back_after_an_update_that_was_done_though_docmost_said_it_failed() {
    let world = World::start().await.unwrap();
    let row = world.project("A").await.unwrap();
    world.synced(row).await.unwrap();
    world.docmost_fault(Fault::on(UPDATE, FaultKind::FailedButDone { status: 500 }).times(1));
    world.change(row, json!({"Nom": "B"})).await.unwrap();
    is_retried(&world, row).await;
    assert_eq!(world.titles().await.unwrap(), ["Projet B - Atelier Nord"]);

    world.change(row, json!({"Nom": "A"})).await.unwrap();
    assert_eq!(world.sync(row).await.unwrap(), Outcome::Synced);
    assert_eq!(world.titles().await.unwrap(), ["Projet A - Atelier Nord"]);
    assert_eq!(world.sync(row).await.unwrap(), Outcome::NoChange);
}

#[tokio::test]
async fn a_look_at_a_page_that_was_not_answered_leaves_nothing_to_wait_for() {
    let world = World::start().await.unwrap();
    let row = world.project("Refonte").await.unwrap();
    world.synced(row).await.unwrap();
    world.docmost_fault(Fault::on("/api/pages/info", FaultKind::Hang).times(1));
    world.delete(row).await.unwrap();
    is_retried(&world, row).await;
    assert_eq!(world.sync(row).await.unwrap(), Outcome::Synced);
    assert!(world.pages().await.unwrap().is_empty());
}
