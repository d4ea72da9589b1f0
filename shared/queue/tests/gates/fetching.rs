//! Jobs that a stopped gate keeps back.

use std::time::Duration;

use passerelle_model::ledger::{FailureClass, FailureRecord, LedgerRecord, Settlement, Verdict};
use passerelle_model::outcome::Outcome;
use passerelle_model::time::Timestamp;
use passerelle_queue::gate::Operation;
use test_support::PATIENCE;

use crate::world::{WRITE, World, policy};

fn settlement(verdict: Verdict) -> Settlement {
    Settlement {
        verdict,
        steps: Vec::new(),
        started: Timestamp::now(),
    }
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
