//! The list of incidents, and what people get a message of.

use std::time::Duration;

use passerelle_queue::gate::{GatePolicy, GateState, GateTarget, Incident, Operation};
use test_support::eventually;

use crate::world::{READ, WRITE, World, policy};

#[tokio::test]
async fn one_incident_is_opened_once_and_closed_once_with_its_counts() {
    let world = World::start(GatePolicy {
        step: Duration::from_millis(10),
        ..policy()
    })
    .unwrap();
    let (one, two) = (world.replica(), world.replica());
    one.stop(READ).await;
    two.stop(WRITE).await;
    one.gates
        .third_failure(GateTarget::Docmost, "503", "503")
        .await
        .unwrap();
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
        step: Duration::from_millis(10),
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

#[tokio::test]
async fn a_row_that_always_fails_hides_no_outage_and_each_is_over_by_itself() {
    let world = World::start(GatePolicy {
        quiet: Duration::from_millis(300),
        step: Duration::from_millis(10),
        ..policy()
    })
    .unwrap();
    let replica = world.replica();
    let moved = "t2/r5: Space permissions not found";
    for _ in 0..3 {
        replica
            .gates
            .third_failure(GateTarget::Docmost, "moved", moved)
            .await
            .unwrap();
    }
    assert_eq!(replica.messages().await.unwrap(), ["opened"], "one cause, one incident");
    replica
        .gates
        .third_failure(GateTarget::Docmost, "other", "t2/r6: 500")
        .await
        .unwrap();
    assert_eq!(
        replica.messages().await.unwrap().len(),
        2,
        "another cause, another incident"
    );
    replica.stop(READ).await;
    let incidents = replica.gates.incidents(10).await.unwrap();
    let sentences: Vec<String> = incidents.iter().map(Incident::sentence).collect();
    assert_eq!(
        replica.messages().await.unwrap().len(),
        3,
        "the outage is hidden: {sentences:?}"
    );
    assert!(
        sentences.iter().any(|sentence| sentence.contains(moved)),
        "{sentences:?}"
    );
    let ramp = replica.gates.operate(READ, Operation::Ramp, "anna", "repaired");
    ramp.await.unwrap();
    eventually("all three are over", async || {
        replica.gates.tend().await.map_err(|error| error.to_string())?;
        let messages = replica.messages().await.map_err(|error| error.to_string())?;
        if messages.iter().filter(|message| message.starts_with("over")).count() == 3 {
            Ok(())
        } else {
            Err(format!("{messages:?}"))
        }
    })
    .await;
}
