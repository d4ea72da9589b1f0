//! The ramp, as the queue's fetch script keeps it.

use std::time::Duration;

use anyhow::Context as _;
use passerelle_model::ledger::{FailureClass, FailureRecord, LedgerRecord, Settlement, Verdict};
use passerelle_model::outcome::Outcome;
use passerelle_model::time::Timestamp;
use passerelle_queue::gate::{CallResult, GatePolicy, GateState, Operation};
use test_support::{PATIENCE, eventually};

use crate::world::{READ, WRITE, World, failed, policy};

fn settlement(verdict: Verdict) -> Settlement {
    Settlement {
        verdict,
        steps: Vec::new(),
        started: Timestamp::now(),
    }
}

#[tokio::test]
async fn the_ramp_never_gives_more_than_its_integral_whoever_asks() {
    const RAMPS: usize = 5;
    // Tokens that nobody takes for a quarter of a second are lost: a machine that is busy with other things may need another ramp to use one
    // well. What none of them may do is to give too much.
    for _ in 0..RAMPS {
        let mut taken = taken_in_a_ramp().await.unwrap();
        assert_within(&mut taken);
        if number(taken.len()) > integral(RAMP.as_secs_f64() * 0.95) * 0.5 {
            return;
        }
    }
    panic!("of {RAMPS} ramps none gave half of what it may give");
}

const RAMP: Duration = Duration::from_secs(2);
const FULL_RATE: f64 = 150.0;

/// How many jobs a ramp may have given until this moment.
fn integral(time: f64) -> f64 {
    FULL_RATE * time.powi(3) / (3.0 * RAMP.as_secs_f64().powi(2))
}

/// When each job of a ramp was taken, by the clock of Redis, relative to the beginning of the ramp.
async fn taken_in_a_ramp() -> anyhow::Result<Vec<f64>> {
    let world = World::start(GatePolicy {
        ramp: RAMP,
        full_rate: FULL_RATE,
        ..policy()
    })?;
    let replicas = [world.replica(), world.replica(), world.replica()];
    replicas[0].stop(READ).await;
    world.accept(300).await?;
    let mut workers: Vec<_> = replicas.iter().map(|replica| world.worker(replica, 20)).collect();
    replicas[0]
        .gates
        .operate(READ, Operation::Ramp, "anna", "repaired")
        .await?;
    let began = replicas[0].status(READ).await?.since.context("the ramp has begun")?;

    let mut taken: Vec<f64> = Vec::new();
    eventually("the ramp is nearly over", async || {
        for worker in &mut workers {
            while let Ok(job) = worker.jobs.try_recv() {
                let key = job.job().key.to_string();
                let record: String = world
                    .ask(redis::cmd("HGET").arg("{bridge}:sync:records").arg(key))
                    .await
                    .map_err(|error| error.to_string())?;
                let moment = record.lines().next().and_then(|state| state.split(' ').nth(3));
                let at: i64 = moment.and_then(|began| began.parse().ok()).ok_or("not running")?;
                taken.push(Timestamp::from_millis(at).since(began).as_secs_f64());
                let _ = job.settle(settlement(Verdict::Done(Outcome::Synced))).await;
            }
        }
        let now = replicas[0]
            .redis_time(&world)
            .await
            .map_err(|error| error.to_string())?;
        if now.since(began) >= RAMP.mul_f64(0.95) {
            Ok(())
        } else {
            Err(taken.len().to_string())
        }
    })
    .await;
    // Whoever looks late sees jobs that came after the ramp, when there is no limit any more.
    taken.retain(|time| *time < RAMP.as_secs_f64());
    Ok(taken)
}

fn number(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::INFINITY, f64::from)
}

/// No more jobs than the ramp's integral, from its beginning and in every window.
fn assert_within(taken: &mut [f64]) {
    taken.sort_by(f64::total_cmp);
    for (at, time) in taken.iter().enumerate() {
        let count = number(at + 1);
        assert!(
            count <= integral(*time) + 0.001,
            "{count} jobs after {time} s, the integral is {}",
            integral(*time)
        );
    }
    for (first, from) in taken.iter().enumerate() {
        for (last, to) in taken.iter().enumerate().skip(first) {
            let count = number(last - first);
            // Tokens that nobody took are kept for a quarter of a second: without them, 1.2 times the integral.
            let kept = 0.25 * FULL_RATE * (to / RAMP.as_secs_f64()).powi(2);
            let allowed = 1.2 * (integral(*to) - integral(*from)) + kept.max(1.0);
            assert!(
                count <= allowed,
                "{count} jobs from {from} to {to} s, allowed {allowed}"
            );
        }
    }
}

#[tokio::test]
async fn after_the_ramp_there_is_no_limit_and_all_is_told() {
    let world = World::start(GatePolicy {
        ramp: Duration::from_millis(300),
        ..policy()
    })
    .unwrap();
    let replica = world.replica();
    replica.stop(READ).await;
    world.accept(40).await.unwrap();
    let mut worker = world.worker(&replica, 40);
    replica
        .gates
        .operate(READ, Operation::Ramp, "anna", "repaired")
        .await
        .unwrap();
    let mut drained = 0;
    eventually("all jobs are done", async || {
        replica.gates.tend().await.map_err(|error| error.to_string())?;
        while let Ok(job) = worker.jobs.try_recv() {
            let _ = job.settle(settlement(Verdict::Done(Outcome::Synced))).await;
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

#[tokio::test]
async fn while_ramping_seven_of_ten_jobs_are_fresh_and_three_are_backlog() {
    let world = World::start(GatePolicy {
        // So long that it is not over before fifty jobs came, and so steep that they come within two seconds.
        ramp: Duration::from_mins(1),
        full_rate: 100_000.0,
        ..policy()
    })
    .unwrap();
    let replica = world.replica();
    replica.stop(READ).await;
    world.accept(400).await.unwrap();
    replica
        .gates
        .operate(READ, Operation::Ramp, "anna", "repaired")
        .await
        .unwrap();
    let mut worker = world.worker(&replica, 8);
    let mut rows: Vec<u64> = Vec::new();
    eventually("fifty jobs came", async || {
        while let Ok(job) = worker.jobs.try_recv() {
            rows.extend(job.job().key.row().map(|row| row.row.get()));
            let _ = job.settle(settlement(Verdict::Done(Outcome::Synced))).await;
        }
        if rows.len() >= 50 { Ok(()) } else { Err(rows.len()) }
    })
    .await;
    let fresh = rows[..50].iter().filter(|row| **row > 200).count();
    assert_eq!(fresh, 35, "{rows:?}");
}

#[tokio::test]
async fn a_fifth_of_failures_ends_a_ramp_and_the_next_one_is_twice_as_long() {
    let world = World::start(GatePolicy {
        ramp: Duration::from_mins(1),
        ..policy()
    })
    .unwrap();
    let replica = world.replica();
    replica.stop(READ).await;
    replica
        .gates
        .operate(READ, Operation::Ramp, "anna", "repaired")
        .await
        .unwrap();
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
    assert_eq!(replica.state(READ).await.unwrap(), GateState::Stopped, "4 of 17");
    let length: u64 = world
        .ask(redis::cmd("HGET").arg("{bridge}:gate:docmost:read").arg("length"))
        .await
        .unwrap();
    assert_eq!(length, 120_000);
}

#[tokio::test]
async fn a_throttled_answer_halves_the_ramp_and_pauses_it() {
    let world = World::start(GatePolicy {
        ramp: Duration::from_mins(10),
        full_rate: 10.0,
        ..policy()
    })
    .unwrap();
    let replica = world.replica();
    replica
        .gates
        .operate(READ, Operation::Ramp, "anna", "try")
        .await
        .unwrap();
    // As if half of the ramp were over.
    let key = "{bridge}:gate:docmost:read";
    let began: i64 = world.ask(redis::cmd("HGET").arg(key).arg("began")).await.unwrap();
    let () = world
        .ask(redis::cmd("HSET").arg(key).arg("began").arg(began - 300_000))
        .await
        .unwrap();
    let before = replica.status(READ).await.unwrap().rate.unwrap();
    replica.saw(READ, &[CallResult::Throttled(Some(Duration::ZERO))]).await;
    let after = replica.status(READ).await.unwrap().rate.unwrap();
    assert!((after / before - 0.5).abs() < 0.01, "{before} {after}");
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
async fn jobs_held_by_a_stopped_gate_keep_their_attempts_and_wait_with_it() {
    let world = World::start(policy()).unwrap();
    let replica = world.replica();
    world.accept(1).await.unwrap();
    let mut worker = world.worker(&replica, 1);
    let job = worker.next_within(PATIENCE).await.unwrap();
    replica.stop(WRITE).await;
    let wait = replica.gates.trouble_of(WRITE.target()).await.unwrap();
    assert!(wait >= Duration::from_secs(1));
    let failure = FailureRecord {
        class: FailureClass::Transient,
        target: "docmost".to_owned(),
        message: "503".to_owned(),
        status: Some(503),
        body: None,
    };
    let _ = job.settle(settlement(Verdict::Hold { after_ms: 1, failure })).await;
    assert!(
        worker.next_within(Duration::from_millis(200)).await.is_none(),
        "due, but not fetched"
    );
    assert_eq!(world.queue.stats().await.unwrap().scheduled, 1);
    replica
        .gates
        .operate(WRITE, Operation::Release, "anna", "repaired")
        .await
        .unwrap();
    let job = worker.next_within(PATIENCE).await.unwrap();
    assert_eq!(job.job().attempts, 0);
    let _ = job.settle(settlement(Verdict::Done(Outcome::Synced))).await;
    let facts = world.queue.read_ledger(None, 100).await.unwrap();
    let attempts = facts.into_iter().flat_map(|entry| entry.records).filter_map(Result::ok);
    let numbers: Vec<u32> = attempts
        .filter_map(|record| match record {
            LedgerRecord::Attempt(attempt) => Some(attempt.attempt),
            _ => None,
        })
        .collect();
    assert_eq!(numbers, [1, 1]);
}
