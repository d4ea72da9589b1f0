//! The list of incidents, and what people get a message of.

use std::time::Duration;

use passerelle_queue::gate::{GatePolicy, GateState, GateTarget, Operation};
use test_support::eventually;

use crate::world::{READ, WRITE, World, policy};

#[tokio::test]
async fn one_incident_is_opened_once_and_closed_once_with_its_counts() {
    let world = World::start(GatePolicy {
        ramp: Duration::from_millis(50),
        ..policy()
    })
    .unwrap();
    let (one, two) = (world.replica(), world.replica());
    one.stop(READ).await;
    two.stop(WRITE).await;
    one.gates.third_failure(GateTarget::Docmost, "503").await.unwrap();
    assert_eq!(one.messages().await.unwrap(), ["opened"]);
    one.gates
        .operate(READ, Operation::Ramp, "anna", "the operator restarted it")
        .await
        .unwrap();
    one.gates
        .operate(WRITE, Operation::Release, "anna", "the operator restarted it")
        .await
        .unwrap();
    one.tend_until(READ, GateState::Flowing).await;
    assert_eq!(
        one.messages().await.unwrap(),
        ["opened"],
        "a third failure keeps an incident for the quiet time"
    );
}

#[tokio::test]
async fn an_incident_that_lasts_is_told_again_and_ends_with_its_gates() {
    let world = World::start(GatePolicy {
        digest: Duration::from_millis(30),
        ramp: Duration::from_millis(30),
        ..policy()
    })
    .unwrap();
    let replica = world.replica();
    replica.stop(READ).await;
    eventually("the digest is told twice", async || {
        replica.gates.tend().await.map_err(|error| error.to_string())?;
        let messages = replica.messages().await.map_err(|error| error.to_string())?;
        if messages.len() >= 3 {
            Ok(())
        } else {
            Err(format!("{messages:?}"))
        }
    })
    .await;
    replica
        .gates
        .operate(READ, Operation::Ramp, "anna", "repaired")
        .await
        .unwrap();
    replica.tend_until(READ, GateState::Flowing).await;
    replica.gates.tend().await.unwrap();
    let messages = replica.messages().await.unwrap();
    assert_eq!(messages.first().unwrap(), "opened");
    assert_eq!(messages.last().unwrap(), "over: 0 drained, 0 dead");
    assert_eq!(messages.iter().filter(|message| message.starts_with("over")).count(), 1);
}
