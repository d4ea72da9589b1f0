//! The ramp after a recovery: congestion control by what the calls give.

use std::time::Duration;

use passerelle_model::ledger::{Settlement, Verdict};
use passerelle_model::outcome::Outcome;
use passerelle_model::time::Timestamp;
use passerelle_queue::Leased;
use passerelle_queue::gate::{CallResult, GatePolicy, GateState, Operation};
use test_support::{PATIENCE, eventually};

use crate::world::{READ, Replica, WRITE, World, failed, policy};

pub(crate) const GATE: &str = "{bridge}:gate:docmost:read";
const LEASES: &str = "{bridge}:sync:leases";

/// Steps that do not end while a test runs, unless it lets them.
const NO_STEP: Duration = Duration::from_mins(10);

pub(crate) fn stepless() -> GatePolicy {
    GatePolicy {
        step: NO_STEP,
        ..policy()
    }
}

async fn done(job: Leased) {
    let settlement = Settlement {
        verdict: Verdict::Done(Outcome::Synced),
        steps: Vec::new(),
        started: Timestamp::now(),
    };
    let _ = job.settle(settlement).await;
}

pub(crate) async fn ramp(replica: &Replica) -> anyhow::Result<()> {
    Ok(replica.gates.operate(READ, Operation::Ramp, "anna", "repaired").await?)
}

pub(crate) async fn limit(replica: &Replica) -> anyhow::Result<u32> {
    let status = replica.status(READ).await?;
    status.limit.ok_or_else(|| anyhow::anyhow!("{status:?}"))
}

/// As if a step had gone by since the limit last moved, in which it was felt.
pub(crate) async fn let_a_step_pass(world: &World) -> anyhow::Result<()> {
    let (seconds, _): (i64, i64) = world.ask(&redis::cmd("TIME")).await?;
    let mut set = redis::cmd("HSET");
    let step = i64::try_from(NO_STEP.as_millis())?;
    set.arg(GATE).arg("stepped").arg(seconds * 1000 - step - 1000);
    set.arg("pressed").arg(seconds * 1000);
    let _added: u64 = world.ask(&set).await?;
    Ok(())
}

/// One step in which the calls of the read gate gave this, the fastest answer after so many
/// milliseconds.
async fn step(world: &World, replica: &Replica, results: &[CallResult], fastest: u64) -> anyhow::Result<u32> {
    let_a_step_pass(world).await?;
    replica.gates.answered_in(READ, Duration::from_millis(fastest));
    replica.saw(READ, results).await;
    limit(replica).await
}

#[tokio::test]
async fn jobs_in_flight_never_exceed_the_ramp_whoever_asks_and_it_doubles_once_a_step_while_answers_are_good() {
    const STEP: Duration = Duration::from_millis(300);
    let world = World::start(GatePolicy { step: STEP, ..policy() }).unwrap();
    let replicas = [world.replica(), world.replica(), world.replica()];
    replicas[0].stop(READ).await;
    world.accept(400).await.unwrap();
    let mut workers: Vec<_> = replicas.iter().map(|replica| world.worker(replica, 20)).collect();
    ramp(&replicas[0]).await.unwrap();
    let began = replicas[0].status(READ).await.unwrap().since.unwrap();

    let (mut highest, mut drained) = (0, 0);
    eventually("the ramp is over", async || {
        let look = "local time = redis.call('TIME')
            return { redis.call('ZCARD', KEYS[1]), redis.call('HGET', KEYS[2], 'limit') or '', time[1] * 1000 + math.floor(time[2] / 1000) }";
        let mut eval = redis::cmd("EVAL");
        eval.arg(look).arg(2).arg(LEASES).arg(GATE);
        let (in_flight, limit, now): (u32, String, i64) = world.ask(&eval).await.map_err(|error| error.to_string())?;
        let Ok(limit) = limit.parse::<u32>() else {
            return Ok(());
        };
        let steps = Timestamp::from_millis(now).since(began).as_millis() / STEP.as_millis();
        assert!(in_flight <= limit, "{in_flight} jobs, {limit} allowed");
        assert!(u128::from(limit) <= 4 << steps.min(20), "{limit} after {steps} steps");
        highest = highest.max(in_flight);
        for (replica, worker) in replicas.iter().zip(&mut workers) {
            while let Ok(job) = worker.jobs.try_recv() {
                replica.gates.report(READ, CallResult::Answered);
                done(job).await;
                drained += 1;
            }
            replica.gates.flush().await;
        }
        replicas[0].gates.tend().await.map_err(|error| error.to_string())?;
        Err(format!("{limit} {in_flight} {drained}"))
    })
    .await;
    assert!(highest > 8, "it grew to {highest} only");
    assert!(drained > 40, "{drained}");
}

#[tokio::test]
async fn a_ramp_begins_with_four_jobs_and_the_next_come_when_these_are_done() {
    let world = World::start(stepless()).unwrap();
    let (one, two) = (world.replica(), world.replica());
    one.stop(READ).await;
    world.accept(20).await.unwrap();
    ramp(&one).await.unwrap();
    let mut workers = [world.worker(&one, 16), world.worker(&two, 16)];
    let mut jobs = Vec::new();
    eventually("four jobs came", async || {
        for worker in &mut workers {
            jobs.extend(worker.jobs.try_recv());
        }
        if jobs.len() == 4 { Ok(()) } else { Err(jobs.len()) }
    })
    .await;
    for worker in &mut workers {
        assert!(worker.next_within(Duration::from_millis(150)).await.is_none());
    }
    done(jobs.remove(0)).await;
    eventually("a fifth one comes", async || {
        for worker in &mut workers {
            jobs.extend(worker.jobs.try_recv());
        }
        if jobs.len() == 4 { Ok(()) } else { Err(jobs.len()) }
    })
    .await;
}

#[tokio::test]
async fn a_limit_that_was_not_felt_does_not_grow_and_such_a_ramp_is_over_soon() {
    let world = World::start(policy()).unwrap();
    let replica = world.replica();
    replica.stop(READ).await;
    ramp(&replica).await.unwrap();
    let mut highest = 0;
    eventually("it flows", async || {
        replica.saw(READ, &vec![CallResult::Answered; 10]).await;
        replica.gates.tend().await.map_err(|error| error.to_string())?;
        let status = replica.status(READ).await.map_err(|error| error.to_string())?;
        highest = highest.max(status.limit.unwrap_or(0));
        if status.state == GateState::Flowing {
            Ok(())
        } else {
            Err(format!("{status:?}"))
        }
    })
    .await;
    assert_eq!(highest, 4);
}

#[tokio::test]
async fn trouble_halves_the_limit_once_a_step_and_good_answers_double_it() {
    let world = World::start(stepless()).unwrap();
    let replica = world.replica();
    ramp(&replica).await.unwrap();
    let answers = vec![CallResult::Answered; 10];
    for expected in [8, 16, 32] {
        assert_eq!(step(&world, &replica, &answers, 10).await.unwrap(), expected);
    }
    let failure = [answers.as_slice(), &[failed()]].concat();
    assert_eq!(step(&world, &replica, &failure, 10).await.unwrap(), 16);
    replica.saw(READ, &failure).await;
    assert_eq!(limit(&replica).await.unwrap(), 16, "within the same step");
    let rare = [vec![CallResult::Answered; 90].as_slice(), &[failed()]].concat();
    assert_eq!(step(&world, &replica, &rare, 10).await.unwrap(), 32, "one row of many");
    assert_eq!(
        step(&world, &replica, &answers, 45).await.unwrap(),
        64,
        "nearly the best"
    );
    assert_eq!(step(&world, &replica, &answers, 80).await.unwrap(), 64, "slower");
    assert_eq!(step(&world, &replica, &answers, 150).await.unwrap(), 32, "far too slow");
    assert_eq!(
        step(&world, &replica, &answers[..2], 150).await.unwrap(),
        64,
        "too few to tell"
    );
    assert_eq!(step(&world, &replica, &[], 150).await.unwrap(), 64, "no answer");
}

#[tokio::test]
async fn calls_of_any_kind_speak_for_the_target() {
    let world = World::start(stepless()).unwrap();
    let replica = world.replica();
    ramp(&replica).await.unwrap();
    let_a_step_pass(&world).await.unwrap();
    replica.saw(WRITE, &[CallResult::Answered]).await;
    assert_eq!(limit(&replica).await.unwrap(), 8);
}

#[tokio::test]
async fn a_throttled_answer_halves_the_limit_and_pauses_the_ramp() {
    let world = World::start(stepless()).unwrap();
    let replica = world.replica();
    ramp(&replica).await.unwrap();
    let throttled = [CallResult::Throttled(Some(Duration::ZERO))];
    assert_eq!(step(&world, &replica, &throttled, 10).await.unwrap(), 2);
    replica
        .saw(READ, &[CallResult::Throttled(Some(Duration::from_secs(30)))])
        .await;
    assert_eq!(replica.state(READ).await.unwrap(), GateState::Ramping);
    world.accept(1).await.unwrap();
    let mut worker = world.worker(&replica, 1);
    assert!(
        worker.next_within(Duration::from_millis(200)).await.is_none(),
        "not before the target allows it"
    );
}

#[tokio::test]
async fn a_fifth_of_failures_ends_a_ramp_and_the_next_probe_waits_twice_as_long() {
    let world = World::start(GatePolicy {
        first_probe: Duration::from_mins(1),
        longest_probe: Duration::from_mins(10),
        ..stepless()
    })
    .unwrap();
    let replica = world.replica();
    replica.stop(READ).await;
    ramp(&replica).await.unwrap();
    replica.saw(READ, &[failed(), failed()]).await;
    assert_eq!(
        replica.state(READ).await.unwrap(),
        GateState::Ramping,
        "one or two bad rows are no outage"
    );
    replica.saw(READ, &vec![CallResult::Answered; 13]).await;
    replica.saw(READ, &[failed()]).await;
    assert_eq!(replica.state(READ).await.unwrap(), GateState::Ramping, "3 of 16");
    replica.saw(READ, &[failed()]).await;
    let status = replica.status(READ).await.unwrap();
    assert_eq!(status.state, GateState::Stopped, "4 of 17");
    let wait = status.next_probe.unwrap().since(status.since.unwrap());
    assert!(wait >= Duration::from_mins(2), "{wait:?}");
}

#[tokio::test]
async fn while_ramping_seven_of_ten_jobs_are_fresh_and_three_are_backlog() {
    let world = World::start(stepless()).unwrap();
    let replica = world.replica();
    replica.stop(READ).await;
    world.accept(400).await.unwrap();
    ramp(&replica).await.unwrap();
    let mut worker = world.worker(&replica, 8);
    let mut rows: Vec<u64> = Vec::new();
    while rows.len() < 50 {
        let job = worker.next_within(PATIENCE).await.unwrap();
        rows.extend(job.job().key.row().map(|row| row.row.get()));
        done(job).await;
    }
    let fresh = rows.iter().filter(|row| **row > 200).count();
    assert_eq!(fresh, 35, "{rows:?}");
}

#[tokio::test]
async fn after_the_ramp_there_is_no_limit_and_all_is_told() {
    let world = World::start(policy()).unwrap();
    let replica = world.replica();
    replica.stop(READ).await;
    world.accept(40).await.unwrap();
    let mut worker = world.worker(&replica, 40);
    ramp(&replica).await.unwrap();
    let mut drained = 0;
    eventually("all jobs are done", async || {
        replica.gates.tend().await.map_err(|error| error.to_string())?;
        while let Ok(job) = worker.jobs.try_recv() {
            done(job).await;
            drained += 1;
        }
        let state = replica.state(READ).await.map_err(|error| error.to_string())?;
        if drained == 40 && state == GateState::Flowing {
            Ok(())
        } else {
            Err(format!("{drained} {state:?}"))
        }
    })
    .await;
    replica.gates.tend().await.unwrap();
    let messages = replica.messages().await.unwrap();
    assert_eq!(messages.len(), 2, "{messages:?}");
    assert!(
        messages[1].starts_with("over: ") && messages[1].ends_with(" 0 dead"),
        "{messages:?}"
    );
}
