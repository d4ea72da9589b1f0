//! How long a target may keep us away, and what ends the holds of its jobs before their time.

use std::time::Duration;

use passerelle_model::id::{RowId, RowKey, TableId};
use passerelle_model::ledger::{FailureClass, FailureRecord, Settlement, Verdict};
use passerelle_model::outcome::Outcome;
use passerelle_model::time::Timestamp;
use passerelle_queue::gate::{CallResult, GateState, LONGEST_ASKED, Operation};
use rstest::rstest;
use test_support::PATIENCE;

use crate::world::{READ, WRITE, Worker, World, policy};

#[rstest]
#[case::a_day(Duration::from_hours(24))]
#[case::for_ever(Duration::MAX)]
#[tokio::test]
async fn a_target_that_asks_for_longer_is_probed_after_a_quarter_of_an_hour(#[case] asked: Duration) {
    let world = World::start(policy()).unwrap();
    let replica = world.replica();
    replica.saw(READ, &[CallResult::Throttled(Some(asked))]).await;
    // While it is stopped it may ask again.
    replica.saw(READ, &[CallResult::Throttled(Some(asked))]).await;
    let status = replica.status(READ).await.unwrap();
    assert_eq!(status.state, GateState::Stopped);
    let now = replica.redis_time(&world).await.unwrap();
    let wait = status.next_probe.unwrap().since(now);
    assert!(
        wait > LONGEST_ASKED.mul_f64(0.9) && wait <= LONGEST_ASKED.mul_f64(1.1),
        "{wait:?}"
    );
}

#[tokio::test]
async fn a_stop_until_the_year_5217_that_a_former_version_stored_is_probed_at_once() {
    let world = World::start(policy()).unwrap();
    let replica = world.replica();
    replica
        .saw(READ, &[CallResult::Throttled(Some(Duration::from_mins(10)))])
        .await;
    let mut write = redis::cmd("HSET");
    write
        .arg("{bridge}:gate:docmost:read")
        .arg("next")
        .arg(102_468_000_000_000_i64);
    let _added: u64 = world.ask(&write).await.unwrap();
    replica.take_probe().await;
}

fn ending(verdict: Verdict) -> Settlement {
    Settlement {
        verdict,
        steps: Vec::new(),
        started: Timestamp::now(),
    }
}

/// A job that its worker holds for ten minutes.
async fn held(world: &World) -> anyhow::Result<Worker> {
    world.accept(1).await?;
    let mut worker = world.worker(&world.replica(), 1);
    let job = worker
        .next_within(PATIENCE)
        .await
        .ok_or_else(|| anyhow::anyhow!("no job"))?;
    let failure = FailureRecord {
        class: FailureClass::Throttled,
        target: "docmost".to_owned(),
        message: "too many requests".to_owned(),
        status: Some(429),
        body: None,
    };
    let _settled = job
        .settle(ending(Verdict::Hold {
            after_ms: 600_000,
            failure,
        }))
        .await;
    Ok(worker)
}

#[rstest]
#[case::ramps(Operation::Ramp)]
#[case::releases(Operation::Release)]
#[tokio::test]
async fn an_operator_who_lets_a_gate_flow_ends_the_holds_that_its_stop_caused(#[case] operation: Operation) {
    let world = World::start(policy()).unwrap();
    let replica = world.replica();
    let mut worker = held(&world).await.unwrap();
    replica
        .saw(WRITE, &[CallResult::Throttled(Some(Duration::from_mins(10)))])
        .await;
    let operated = replica.gates.operate(WRITE, operation, "anna", "repaired");
    operated.await.unwrap();
    let job = worker.next_within(PATIENCE).await.expect("it is still held");
    assert_eq!(job.job().attempts, 0);
    let _settled = job.settle(ending(Verdict::Done(Outcome::Synced))).await;
}

#[tokio::test]
async fn a_requested_sync_ends_the_hold_of_its_row() {
    let world = World::start(policy()).unwrap();
    let mut worker = held(&world).await.unwrap();
    let row = RowKey {
        table: TableId::new(12).unwrap(),
        row: RowId::new(1).unwrap(),
    };
    world.queue.force(row, "anna", "now").await.unwrap();
    let job = worker.next_within(PATIENCE).await.expect("it is still held");
    assert_eq!(job.job().attempts, 0);
    let _settled = job.settle(ending(Verdict::Done(Outcome::Synced))).await;
}
