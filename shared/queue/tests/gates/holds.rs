//! How long a target may keep us away, and what ends the holds of its jobs before their time.

use std::time::Duration;

use passerelle_model::id::{RowId, RowKey, TableId};
use passerelle_model::ledger::{FailureClass, FailureRecord, Settlement, Verdict};
use passerelle_model::outcome::Outcome;
use passerelle_model::time::Timestamp;
use passerelle_queue::gate::{CallResult, GatePolicy, GateState, GateTarget, LONGEST_ASKED, Operation, ProbeFinding};
use passerelle_queue::{JobState, JobsOf, QueueName};
use rstest::rstest;
use test_support::PATIENCE;

use crate::world::{READ, WRITE, Worker, World, policy};

const TEN_MINUTES_MS: u64 = 600_000;

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

fn failure(class: FailureClass, target: &str) -> FailureRecord {
    FailureRecord {
        class,
        target: target.to_owned(),
        message: "it is away".to_owned(),
        status: None,
        body: None,
    }
}

fn held_for(target: &str) -> Verdict {
    Verdict::Hold {
        after_ms: TEN_MINUTES_MS,
        failure: failure(FailureClass::Throttled, target),
    }
}

fn tried_again_for(target: &str) -> Verdict {
    Verdict::Retry {
        after_ms: TEN_MINUTES_MS,
        failure: failure(FailureClass::Ambiguous, target),
    }
}

/// A worker whose next jobs, one for each verdict, have ended so.
async fn ended(world: &World, verdicts: Vec<Verdict>) -> anyhow::Result<Worker> {
    world.accept(verdicts.len()).await?;
    let mut worker = world.worker(&world.replica(), 1);
    for verdict in verdicts {
        let job = worker.next_within(PATIENCE).await;
        let job = job.ok_or_else(|| anyhow::anyhow!("no job"))?;
        let _settled = job.settle(ending(verdict)).await;
    }
    Ok(worker)
}

/// A job that its worker holds for ten minutes.
async fn held(world: &World) -> anyhow::Result<Worker> {
    ended(world, vec![held_for("docmost")]).await
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

/// The rows of the jobs in these states.
async fn rows(world: &World, states: &[JobState]) -> anyhow::Result<Vec<u64>> {
    let seen = world.queue.jobs(&JobsOf::Queue, states, None, 100).await?;
    let rows = seen.jobs.iter().filter_map(|seen| seen.job.key.row());
    Ok(rows.map(|row| row.row.get()).collect())
}

#[tokio::test]
async fn what_waits_for_a_target_alone_runs_when_its_gate_lets_jobs_through_and_nothing_else_does() {
    // The probe is not lost, however long a busy machine takes between two steps.
    let world = World::start(GatePolicy {
        lease: PATIENCE,
        ..policy()
    })
    .unwrap();
    let verdicts = vec![
        tried_again_for("docmost"),
        held_for("docmost"),
        tried_again_for("baserow"),
        held_for("bridge"),
        tried_again_for("docmost"),
    ];
    drop(ended(&world, verdicts).await.unwrap());
    assert_eq!(rows(&world, &[JobState::Scheduled]).await.unwrap(), [1, 3, 5]);
    assert_eq!(rows(&world, &[JobState::Held]).await.unwrap(), [2, 4]);
    let replica = world.replica();
    replica.stop(WRITE).await;
    replica.take_probe().await;
    let mut worker = world.worker(&replica, 4);
    replica.gates.checked(GateTarget::Docmost, Ok(())).await.unwrap();
    // Its attempts do not count: it may as well find out.
    let probe = worker.next_within(PATIENCE).await.expect("nothing probes");
    assert!(probe.is_probe());
    assert_eq!(probe.job().key.row().unwrap().row.get(), 2);
    let _settled = probe.settle(ending(Verdict::Done(Outcome::Synced))).await;
    assert_eq!(rows(&world, &[JobState::Scheduled]).await.unwrap(), [1, 3, 5]);
    replica
        .gates
        .job_ended(QueueName::Sync, ProbeFinding::Done)
        .await
        .unwrap();
    let mut run = Vec::new();
    for _ in 0..2 {
        let job = worker.next_within(PATIENCE).await.expect("it still waits");
        assert_eq!(job.job().attempts, 0, "the trouble that stopped the gate is to blame");
        run.push(job.job().key.row().unwrap().row.get());
        let _settled = job.settle(ending(Verdict::Done(Outcome::Synced))).await;
    }
    run.sort_unstable();
    assert_eq!(run, [1, 5]);
    assert_eq!(rows(&world, &[JobState::Scheduled]).await.unwrap(), [3]);
    assert_eq!(rows(&world, &[JobState::Held]).await.unwrap(), [4]);
}

#[tokio::test]
async fn a_target_that_goes_up_and_down_uses_up_no_attempts_of_the_jobs_that_wait_for_it() {
    let world = World::start(GatePolicy {
        lease: PATIENCE,
        ..policy()
    })
    .unwrap();
    let replica = world.replica();
    let mut worker = world.worker(&replica, 4);
    world.accept(1).await.unwrap();
    for flap in 0..12 {
        let job = worker.next_within(PATIENCE).await.expect("it still waits");
        assert_eq!(job.job().attempts, 0, "flap {flap}");
        let _settled = job.settle(ending(tried_again_for("docmost"))).await;
        replica.stop(WRITE).await;
        world.accept(1).await.unwrap();
        replica.take_probe().await;
        replica.gates.checked(GateTarget::Docmost, Ok(())).await.unwrap();
        let probe = worker.next_within(PATIENCE).await.expect("nothing probes");
        assert!(probe.is_probe());
        let _settled = probe.settle(ending(Verdict::Done(Outcome::Synced))).await;
        let ended = replica.gates.job_ended(QueueName::Sync, ProbeFinding::Done);
        ended.await.unwrap();
    }
}

#[tokio::test]
async fn a_job_that_is_done_after_failures_lets_a_few_others_try_at_once_and_for_nothing() {
    let world = World::start(policy()).unwrap();
    let verdicts = vec![
        tried_again_for("docmost"),
        held_for("docmost"),
        tried_again_for("docmost"),
        tried_again_for("bridge"),
        tried_again_for("docmost"),
    ];
    let mut worker = ended(&world, verdicts).await.unwrap();
    let replica = world.replica();
    for left in [&[1, 4][..], &[4]] {
        replica.gates.recovered().await.unwrap();
        while rows(&world, &[JobState::Scheduled]).await.unwrap() != left {
            let job = worker.next_within(PATIENCE).await.expect("it still waits");
            assert_eq!(job.job().attempts, 0);
            let _settled = job.settle(ending(Verdict::Done(Outcome::Synced))).await;
        }
    }
    assert_eq!(rows(&world, &[JobState::Held]).await.unwrap(), [2]);
}

#[tokio::test]
async fn a_row_that_changes_does_not_wait_for_its_next_try() {
    let world = World::start(policy()).unwrap();
    let mut worker = ended(&world, vec![tried_again_for("docmost")]).await.unwrap();
    world.accept_again(1).await.unwrap();
    let job = worker.next_within(PATIENCE).await.expect("it still waits");
    assert_eq!(job.job().attempts, 1);
    let _settled = job.settle(ending(Verdict::Done(Outcome::Synced))).await;
}
