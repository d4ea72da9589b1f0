//! Writes to rows that come together: few calls, and an answer for each.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::join_all;
use passerelle_model::id::RowKey;
use passerelle_model::ledger::FailureClass;
use passerelle_queue::Lease;
use passerelle_sandbox::faults::{Fault, FaultKind};
use passerelle_worker::clients::lease::under_lease;
use passerelle_worker::failure::Failure;
use passerelle_worker::journal::Journal;
use reqwest::Method;
use serde_json::{Value, json};
use test_support::eventually;
use tokio::time::timeout;

use crate::world::World;

const PROJECTS: &str = "/api/database/rows/table/2/";
/// Most calls for one table at once.
const MOST_CALLS: usize = 4;

/// So many projects, as somebody pastes them.
async fn projects(world: &World, count: usize) -> anyhow::Result<Vec<RowKey>> {
    let rows = (0..count).map(|number| json!({"Nom": format!("Projet {number}")}));
    let rows = Value::Array(rows.collect());
    world.baserow_control(Method::POST, "tables/projet/rows", rows).await?;
    let keys = (1..=count).map(|row| Ok(format!("t2/r{row}").parse()?));
    keys.collect()
}

/// The next write is carried out and answered when the faults are cleared.
fn held() -> Fault {
    all_held().times(1)
}

/// So are all writes.
fn all_held() -> Fault {
    let kind = FaultKind::ZombieWrite {
        after_ms: None,
        after_release_ms: 0,
    };
    Fault {
        method: Some("PATCH".to_owned()),
        ..Fault::on(PROJECTS, kind)
    }
}

async fn write(world: &World, row: RowKey, field: &str) -> Result<(), Failure> {
    let values = BTreeMap::from([(field, format!("page-of-{row}"))]);
    world.context.baserow.write(&mut Journal::default(), row, &values).await
}

fn writes(world: &World) -> usize {
    let calls = world.baserow.calls.list();
    calls.iter().filter(|call| call.method == "PATCH").count()
}

async fn one_call_is_under_way(world: &World) {
    calls_are_under_way(world, 1).await;
}

async fn calls_are_under_way(world: &World, wanted: usize) {
    eventually("the writes are under way", async || match writes(world) {
        calls if calls == wanted => Ok(()),
        other => Err(other),
    })
    .await;
}

async fn page_ids(world: &World, rows: &[RowKey]) -> anyhow::Result<Vec<Value>> {
    let rows = join_all(rows.iter().map(|row| world.row(*row))).await;
    rows.into_iter()
        .map(|row| Ok(row?["docmost_page_id"].clone()))
        .collect()
}

#[tokio::test]
async fn writes_that_come_during_a_call_go_together_in_the_next_one() {
    let world = World::start().await.unwrap();
    let rows = projects(&world, 60).await.unwrap();
    world.baserow.faults.set(vec![held()]);
    let (first, others) = rows.split_first().unwrap();
    let (first, (second, written)) = tokio::join!(write(&world, *first, "docmost_page_id"), async {
        one_call_is_under_way(&world).await;
        // Each is asked once before the first call may end.
        let mut waiting = Box::pin(join_all(
            others.iter().map(|row| write(&world, *row, "docmost_page_id")),
        ));
        assert!(futures::poll!(&mut waiting).is_pending());
        let calls = writes(&world);
        world.baserow.faults.clear();
        (calls, waiting.await)
    });
    assert_eq!((first, second), (Ok(()), 1));
    assert!(written.iter().all(Result::is_ok), "{written:?}");
    assert_eq!(writes(&world), 2, "one row, then 59 together");
    let wanted: Vec<Value> = rows.iter().map(|row| json!(format!("page-of-{row}"))).collect();
    assert_eq!(page_ids(&world, &rows).await.unwrap(), wanted);
}

#[tokio::test]
async fn a_row_that_cannot_be_written_spoils_no_write_beside_it() {
    let world = World::start().await.unwrap();
    let rows = projects(&world, 9).await.unwrap();
    world.delete(rows[4]).await.unwrap();
    let written = join_all(rows.iter().map(|row| write(&world, *row, "docmost_page_id"))).await;
    for (at, result) in written.iter().enumerate() {
        let class = result.as_ref().err().map(|failure| failure.class);
        assert_eq!(class, (at == 4).then_some(FailureClass::Gone), "{at}: {result:?}");
    }
    let fields = ["docmost_page_id", "inconnu", "Statut", "Nom"];
    let mixed = rows.iter().zip(fields).map(|(row, field)| write(&world, *row, field));
    let mixed: Vec<Option<FailureClass>> = join_all(mixed)
        .await
        .into_iter()
        .map(|result| result.err().map(|failure| failure.class))
        .collect();
    let refused = Some(FailureClass::Permanent);
    assert_eq!(mixed, [None, refused, refused, None]);
}

#[tokio::test]
async fn a_row_over_which_baserow_breaks_spoils_no_write_beside_it() {
    let world = World::start().await.unwrap();
    let rows = projects(&world, 9).await.unwrap();
    let broken = FaultKind::Status {
        status: 500,
        headers: [].into(),
        body: None,
    };
    let of_the_fifth = Fault {
        body_contains: Some(format!("page-of-{}\"", rows[4])),
        ..Fault::on(PROJECTS, broken)
    };
    world.baserow.faults.set(vec![of_the_fifth]);
    let written = join_all(rows.iter().map(|row| write(&world, *row, "docmost_page_id"))).await;
    for (at, result) in written.iter().enumerate() {
        assert_eq!(result.is_err(), at == 4, "{at}: {result:?}");
    }
}

#[tokio::test]
async fn a_call_without_an_answer_fails_every_write_that_it_carried_and_is_made_good_by_the_next_attempt() {
    let world = World::start().await.unwrap();
    let rows = projects(&world, 12).await.unwrap();
    world.baserow.faults.set(vec![
        Fault::on("/api/database/rows/table/2/batch/", FaultKind::LostAnswer).times(1),
    ]);
    let all = async || join_all(rows.iter().map(|row| write(&world, *row, "docmost_page_id"))).await;
    let lost = all().await;
    let is_transient = |result: &Result<(), Failure>| {
        result
            .as_ref()
            .is_err_and(|failure| failure.class == FailureClass::Transient)
    };
    assert!(lost.iter().all(is_transient), "{lost:?}");
    assert!(all().await.iter().all(Result::is_ok));
}

#[tokio::test]
async fn a_write_that_nobody_waits_for_any_more_is_not_sent() {
    let world = World::start().await.unwrap();
    let rows = projects(&world, 3).await.unwrap();
    world.baserow.faults.set(vec![held()]);
    let (first, last) = tokio::join!(write(&world, rows[0], "docmost_page_id"), async {
        one_call_is_under_way(&world).await;
        let mut given_up = Box::pin(write(&world, rows[1], "docmost_page_id"));
        assert!(futures::poll!(&mut given_up).is_pending());
        drop(given_up);
        let mut last = Box::pin(write(&world, rows[2], "docmost_page_id"));
        assert!(futures::poll!(&mut last).is_pending());
        world.baserow.faults.clear();
        last.await
    });
    assert_eq!((first, last), (Ok(()), Ok(())));
    let written = page_ids(&world, &rows).await.unwrap();
    assert_eq!(written[1], Value::Null, "{written:?}");
    assert_ne!(written[2], Value::Null);
}

#[tokio::test]
async fn a_write_that_was_given_up_before_its_batch_was_refused_is_not_sent_alone() {
    let world = World::start().await.unwrap();
    let rows = projects(&world, 3).await.unwrap();
    world.delete(rows[0]).await.unwrap();
    world.baserow.faults.set(vec![held()]);
    let mut others = Box::pin(join_all(
        rows[..2].iter().map(|row| write(&world, *row, "docmost_page_id")),
    ));
    let mut given_up = Box::pin(write(&world, rows[2], "docmost_page_id"));
    assert!(futures::poll!(&mut others).is_pending());
    assert!(futures::poll!(&mut given_up).is_pending());
    one_call_is_under_way(&world).await;
    drop(given_up);
    world.baserow.faults.clear();
    let written = others.await;
    let class = written[0].as_ref().err().map(|failure| failure.class);
    assert_eq!((class, &written[1]), (Some(FailureClass::Gone), &Ok(())));
    assert_eq!(writes(&world), 3, "three rows together, then two alone");
    assert_eq!(world.row(rows[2]).await.unwrap()["docmost_page_id"], Value::Null);
}

#[tokio::test]
async fn a_write_whose_lease_ends_while_it_waits_is_not_sent() {
    let world = World::start().await.unwrap();
    let rows = projects(&world, MOST_CALLS + 1).await.unwrap();
    let (late, others) = rows.split_last().unwrap();
    world.baserow.faults.set(vec![all_held()]);
    let mut under_way = Vec::new();
    for (at, row) in others.iter().enumerate() {
        let mut call = Box::pin(write(&world, *row, "docmost_page_id"));
        assert!(futures::poll!(&mut call).is_pending());
        under_way.push(call);
        // It goes beside those that hang, after a second.
        calls_are_under_way(&world, at + 1).await;
    }
    let lease = Lease::lasting(Duration::from_secs(1));
    let late = under_lease(lease.clone(), write(&world, *late, "docmost_page_id"));
    let (late, ()) = tokio::join!(late, async {
        lease.over().await;
        world.baserow.faults.clear();
    });
    let failure = late.unwrap_err();
    assert!(failure.retry_after.is_some(), "no attempt is counted: {failure:?}");
    assert!(join_all(under_way).await.iter().all(Result::is_ok));
    assert_eq!(writes(&world), MOST_CALLS);
}

#[tokio::test]
async fn a_write_waits_a_second_at_most_for_a_call_of_its_table_that_hangs() {
    let world = World::start().await.unwrap();
    let rows = projects(&world, 3).await.unwrap();
    world.baserow.faults.set(vec![held()]);
    let mut hanging = Box::pin(write(&world, rows[0], "docmost_page_id"));
    assert!(futures::poll!(&mut hanging).is_pending());
    one_call_is_under_way(&world).await;
    // A second write of the same row comes after the first.
    let mut again = Box::pin(write(&world, rows[0], "Nom"));
    assert!(futures::poll!(&mut again).is_pending());
    let others = join_all(rows[1..].iter().map(|row| write(&world, *row, "docmost_page_id")));
    let others = timeout(Duration::from_secs(10), others).await;
    assert_eq!(others.expect("they do not wait for it"), [Ok(()), Ok(())]);
    assert!(futures::poll!(&mut hanging).is_pending() && futures::poll!(&mut again).is_pending());
    assert_eq!(writes(&world), 2, "one hangs, one for the two others");
    world.baserow.faults.clear();
    assert_eq!(tokio::join!(hanging, again), (Ok(()), Ok(())));
}

#[tokio::test]
async fn a_call_that_is_dropped_leaves_its_table_to_the_next_write() {
    let world = World::start().await.unwrap();
    let rows = projects(&world, 2).await.unwrap();
    world.baserow.faults.set(vec![held()]);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (baserow, row) = (world.context.baserow.clone(), rows[0]);
    runtime.spawn(async move {
        let values = BTreeMap::from([("docmost_page_id", "lost".to_owned())]);
        baserow.write(&mut Journal::default(), row, &values).await
    });
    one_call_is_under_way(&world).await;
    // All its tasks are dropped where they are.
    tokio::task::spawn_blocking(move || drop(runtime)).await.unwrap();
    let next = write(&world, rows[1], "docmost_page_id");
    let next = timeout(Duration::from_secs(10), next).await;
    assert_eq!(next.expect("its turn is over"), Ok(()));
}

#[tokio::test]
async fn a_table_that_is_gone_is_told_by_one_call() {
    let world = World::start().await.unwrap();
    let rows = projects(&world, 50).await.unwrap();
    world
        .baserow_control(Method::DELETE, "tables/2", Value::Null)
        .await
        .unwrap();
    let written = join_all(rows.iter().map(|row| write(&world, *row, "docmost_page_id"))).await;
    let breaks_rule = |result: &Result<(), Failure>| result.as_ref().is_err_and(|failure| failure.breaks_rule);
    assert!(written.iter().all(breaks_rule), "{written:?}");
    assert_eq!(writes(&world), 1);
}

#[tokio::test]
async fn a_field_that_does_not_exist_is_shown_with_the_row_of_the_write_and_no_other() {
    let world = World::start().await.unwrap();
    let rows = projects(&world, 3).await.unwrap();
    let written = join_all(rows.iter().map(|row| write(&world, *row, "inconnu"))).await;
    assert_eq!(writes(&world), 1, "all together");
    for (at, result) in written.iter().enumerate() {
        let failure = result.as_ref().unwrap_err();
        let body = failure.body.as_deref().unwrap_or_default();
        let shown: Vec<usize> = (0..3).filter(|row| body.contains(&format!("Projet {row}"))).collect();
        assert_eq!(shown, [at], "{failure:?}");
    }
}

#[tokio::test]
async fn new_pages_cost_three_calls_of_the_wiki_each_and_their_rows_share_write_backs_if_those_are_slow() {
    let world = World::start().await.unwrap();
    let rows = projects(&world, 40).await.unwrap();
    world.synced(rows[0]).await.unwrap();
    let before = (world.docmost.calls.list().len(), writes(&world));
    // Write-backs that take as long as all pages together.
    world.baserow.faults.set(vec![all_held()]);
    let synced = join_all(rows[1..].iter().map(|row| world.sync(*row)));
    let (outcomes, ()) = tokio::join!(synced, async {
        let all_made = async || {
            let calls = world.docmost.calls.list().into_iter();
            let labelled = calls.filter(|call| call.path == "/api/pages/labels/add" && call.status.is_some());
            let labelled = labelled.count();
            if labelled == 40 { Ok(()) } else { Err(labelled) }
        };
        eventually("all pages are made", all_made).await;
        world.baserow.faults.clear();
    });
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    let calls = world.docmost.calls.list().len() - before.0;
    assert!(calls <= 3 * 39, "{calls} calls of Docmost for 39 pages");
    let write_backs = writes(&world) - before.1;
    assert!(write_backs <= 12, "{write_backs} write-backs of 39 rows");
    assert!(page_ids(&world, &rows).await.unwrap().iter().all(Value::is_string));
}
