//! A clock of Redis that jumps: the moments that were written before lie in a far future or past then.

use std::time::Duration;

use passerelle_queue::gate::{GatePolicy, GateState, Operation};

use crate::world::{READ, World, policy};

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
        ramp: Duration::from_millis(300),
        ..policy()
    })
    .unwrap();
    let replica = world.replica();
    let ramp = replica.gates.operate(READ, Operation::Ramp, "anna", "repaired");
    ramp.await.unwrap();
    put_clock_back(&world, &["began", "filled"]).await.unwrap();
    replica.tend_until(READ, GateState::Flowing).await;
}
