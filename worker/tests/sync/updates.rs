//! Updates of a page whose outcome nobody knows, and a store that cannot note them.

use passerelle_model::ledger::Verdict;
use passerelle_model::outcome::Outcome;
use passerelle_sandbox::faults::{Fault, FaultKind};
use rstest::rstest;
use serde_json::json;
use test_support::eventually;

use crate::world::World;

const UPDATE: &str = "/api/pages/update";

#[tokio::test]
async fn the_page_ends_with_the_newest_text_though_an_older_update_is_carried_out_after_it() {
    let world = World::start().await.unwrap();
    let row = world.project("Refonte").await.unwrap();
    world.synced(row).await.unwrap();
    let late = FaultKind::ZombieWrite {
        after_ms: None,
        after_release_ms: 0,
    };
    world.docmost_fault(Fault::on(UPDATE, late).times(1));
    world.change(row, json!({"Nom": "Ancien"})).await.unwrap();
    let first = world.attempt(row).await.verdict;
    assert!(matches!(first, Verdict::Retry { .. }), "{first:?}");

    world.change(row, json!({"Nom": "Nouveau"})).await.unwrap();
    let second = world.attempt(row).await.verdict;
    assert!(matches!(second, Verdict::Hold { .. }), "{second:?}");
    assert_eq!(
        world.titles().await.unwrap(),
        ["Projet Nouveau - Atelier Nord"],
        "the new text does not wait"
    );
    world.docmost.faults.clear();
    eventually("the old update is carried out", async || match world.titles().await {
        Ok(titles) if titles == ["Projet Ancien - Atelier Nord"] => Ok(()),
        other => Err(other),
    })
    .await;

    assert_eq!(world.sync_eventually(row).await, Outcome::Synced);
    assert_eq!(world.titles().await.unwrap(), ["Projet Nouveau - Atelier Nord"]);
    assert_eq!(world.sync(row).await.unwrap(), Outcome::NoChange);
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
    let late = FaultKind::ZombieWrite {
        after_ms: None,
        after_release_ms: 0,
    };
    world.docmost_fault(Fault::on(UPDATE, late).times(1));
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
        let first = world.attempt(row).await.verdict;
        assert!(matches!(first, Verdict::Retry { .. }), "{first:?}");
    }

    world.change(row, json!({"Nom": "A"})).await.unwrap();
    let second = world.attempt(row).await.verdict;
    assert!(matches!(second, Verdict::Hold { .. }), "{second:?}");
    assert_eq!(world.titles().await.unwrap(), ["Projet A - Atelier Nord"]);
    world.docmost.faults.clear();
    eventually("the update is carried out", async || match world.titles().await {
        Ok(titles) if titles == ["Projet B - Atelier Nord"] => Ok(()),
        other => Err(other),
    })
    .await;

    assert_eq!(world.sync_eventually(row).await, Outcome::Synced);
    assert_eq!(world.titles().await.unwrap(), ["Projet A - Atelier Nord"]);
    assert_eq!(world.sync(row).await.unwrap(), Outcome::NoChange);
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
    let first = world.attempt(row).await.verdict;
    assert!(matches!(first, Verdict::Hold { .. }), "{first:?}");
    assert_eq!(world.sync(row).await.unwrap(), Outcome::Synced);
    assert_eq!(world.docmost.calls.count(UPDATE), 2);
}

#[tokio::test]
async fn a_page_is_not_written_while_the_store_cannot_be_written() {
    let world = World::start().await.unwrap();
    let row = world.project("Refonte").await.unwrap();
    world.synced(row).await.unwrap();
    world.change(row, json!({"Nom": "Nouveau"})).await.unwrap();
    let store = sqlx::AnyPool::connect(&world.store_url()).await.unwrap();
    let full =
        "CREATE TRIGGER full BEFORE UPDATE ON links BEGIN SELECT RAISE(ROLLBACK, 'database or disk is full'); END";
    sqlx::query(full).execute(&store).await.unwrap();
    for _ in 0..3 {
        let verdict = world.attempt(row).await.verdict;
        assert!(!matches!(verdict, Verdict::Done(_)), "{verdict:?}");
    }
    assert_eq!(world.docmost.calls.count(UPDATE), 0);

    sqlx::query("DROP TRIGGER full").execute(&store).await.unwrap();
    store.close().await;
    assert_eq!(world.sync_eventually(row).await, Outcome::Synced);
    assert_eq!(world.docmost.calls.count(UPDATE), 1);
}
