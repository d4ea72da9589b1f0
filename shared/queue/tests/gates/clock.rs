//! A clock of Redis that jumps: the moments that were written before lie in a far future or past
//! then.

use std::time::Duration;

use passerelle_queue::gate::{CallResult, GatePolicy, GateState, GateTarget, Operation};
use test_support::{TestRedis, eventually};

use crate::world::{READ, WRITE, World, policy};

const GATE: &str = "{bridge}:gate:docmost:read";
const TEN_MINUTES_MS: i64 = 600_000;

/// As if the clock had gone back by ten minutes since these fields of the gate were written.
async fn put_clock_back(world: &World, fields: &[&str]) -> anyhow::Result<()> {
    for field in fields {
        let mut shift = redis::cmd("HINCRBY");
        let _moment: i64 = world.ask(shift.arg(GATE).arg(*field).arg(TEN_MINUTES_MS)).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_clock_that_goes_back_delays_no_probe() {
    let world = World::start(policy()).unwrap();
    let replica = world.replica();
    replica.stop(READ).await;
    put_clock_back(&world, &["since", "down", "stopped_from", "next"])
        .await
        .unwrap();
    replica.take_probe().await;
}

#[tokio::test]
async fn a_probe_whose_holder_vanished_before_the_clock_went_back_is_taken_over() {
    let world = World::start(policy()).unwrap();
    let (vanished, heir) = (world.replica(), world.replica());
    vanished.stop(READ).await;
    vanished.take_probe().await;
    put_clock_back(&world, &["lease", "phase_since"]).await.unwrap();
    heir.take_probe().await;
}

#[tokio::test]
async fn a_ramp_that_began_before_the_clock_went_back_comes_to_its_end() {
    let world = World::start(GatePolicy {
        step: Duration::from_millis(60),
        ..policy()
    })
    .unwrap();
    let replica = world.replica();
    let ramp = replica.gates.operate(READ, Operation::Ramp, "anna", "repaired");
    ramp.await.unwrap();
    put_clock_back(&world, &["since", "stepped", "pressed"]).await.unwrap();
    replica.tend_until(READ, GateState::Flowing).await;
}

const TEN_MINUTES: i64 = 600;

/// A world in which the clock of Redis is ahead, and will go back.
fn ahead(policy: GatePolicy) -> anyhow::Result<World> {
    let server = TestRedis::start_with_clock()?;
    server.set_clock(TEN_MINUTES)?;
    World::start_on(server, policy)
}

fn asked_to_wait() -> CallResult {
    CallResult::Throttled(Some(Duration::from_millis(200)))
}

#[tokio::test]
async fn a_gate_that_a_target_stopped_while_the_clock_was_ahead_is_probed_when_it_goes_back() {
    let world = ahead(policy()).unwrap();
    let replica = world.replica();
    replica.saw(READ, &[asked_to_wait()]).await;
    world.server.set_clock(0).unwrap();
    replica.take_probe().await;
}

#[tokio::test]
async fn a_gate_that_stops_again_beside_one_from_before_the_clock_went_back_takes_over_no_moment_of_it() {
    let world = ahead(policy()).unwrap();
    let replica = world.replica();
    replica.stop(READ).await;
    world.server.set_clock(0).unwrap();
    replica.stop(WRITE).await;
    let now = replica.redis_time(&world).await.unwrap();
    let next = replica.status(WRITE).await.unwrap().next_probe.unwrap();
    assert!(next.since(now) < Duration::from_secs(1), "{next} {now}");
}

#[tokio::test]
async fn jobs_are_told_no_longer_wait_than_the_target_asked_for_when_the_clock_goes_back() {
    let world = ahead(policy()).unwrap();
    let replica = world.replica();
    replica.saw(READ, &[asked_to_wait()]).await;
    world.server.set_clock(0).unwrap();
    replica.gates.flush().await;
    let wait = replica.gates.stopped_for(READ).unwrap();
    assert!(wait <= Duration::from_secs(1), "{wait:?}");
}

#[tokio::test]
async fn a_process_learns_what_became_of_a_gate_after_the_clock_went_back() {
    let world = ahead(policy()).unwrap();
    let (replica, operator) = (world.replica(), world.replica());
    replica.stop(READ).await;
    assert!(replica.gates.stopped_for(READ).is_some());
    world.server.set_clock(0).unwrap();
    let release = operator.gates.operate(READ, Operation::Release, "anna", "repaired");
    release.await.unwrap();
    replica.gates.flush().await;
    assert_eq!(replica.gates.stopped_for(READ), None);
}

#[tokio::test]
async fn a_ramp_that_was_to_pause_when_the_clock_went_back_comes_to_its_end() {
    let world = ahead(GatePolicy {
        step: Duration::from_millis(60),
        ..policy()
    })
    .unwrap();
    let replica = world.replica();
    let ramp = replica.gates.operate(READ, Operation::Ramp, "anna", "repaired");
    ramp.await.unwrap();
    replica.saw(READ, &[asked_to_wait()]).await;
    world.server.set_clock(0).unwrap();
    replica.tend_until(READ, GateState::Flowing).await;
}

#[tokio::test]
async fn an_incident_whose_last_failure_was_before_the_clock_went_back_is_over() {
    let world = ahead(GatePolicy {
        quiet: Duration::from_millis(100),
        ..policy()
    })
    .unwrap();
    let replica = world.replica();
    let failure = replica
        .gates
        .third_failure(GateTarget::Docmost, "locked", "row 5 is locked");
    failure.await.unwrap();
    world.server.set_clock(0).unwrap();
    eventually("the incident is over", async || {
        replica.gates.tend().await.map_err(|error| error.to_string())?;
        let messages = replica.messages().await.map_err(|error| error.to_string())?;
        if messages.last().is_some_and(|last| last.starts_with("over")) {
            Ok(())
        } else {
            Err(format!("{messages:?}"))
        }
    })
    .await;
}
