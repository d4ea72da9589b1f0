//! The job that a stopped gate lets through: an outage costs it nothing, its own fault does.

use passerelle_model::ledger::Verdict;
use passerelle_queue::gate::{CallResult, GateName};
use passerelle_sandbox::faults::{Fault, FaultKind};
use rstest::rstest;

use crate::world::{World, probe};

#[rstest]
#[case::of_an_outage(0, "hold")]
#[case::of_a_row_that_failed_before(7, "retry")]
#[case::of_a_row_that_failed_to_the_last(11, "bury")]
#[tokio::test]
async fn a_probe_that_fails_costs_an_attempt_only_if_its_job_had_failed_while_the_gate_flowed(
    #[case] attempts: u32,
    #[case] expected: &str,
) {
    let world = World::start().await.unwrap();
    world.errors.expect("docmost is in trouble");
    let row = world.project("Refonte").await.unwrap();
    world.docmost_fault(Fault::on("/api/pages/create", FaultKind::FailedButDone { status: 500 }));
    let gates = &world.context.gates;
    for _ in 0..8 {
        gates.report(GateName::DocmostWrite, CallResult::Failed("500".to_owned()));
    }
    gates.flush().await;
    assert!(gates.stopped_for(GateName::DocmostWrite).is_some());

    let kept_back = world.attempt(row).await.verdict;
    assert!(matches!(kept_back, Verdict::Hold { .. }), "{kept_back:?}");
    let verdict = probe(&world.context, row, attempts).await.verdict;
    let word = match &verdict {
        Verdict::Hold { .. } => "hold",
        Verdict::Retry { .. } => "retry",
        Verdict::Bury { reason, .. } if reason == "exhausted" => "bury",
        _ => "something else",
    };
    assert_eq!(word, expected, "{verdict:?}");
}

#[tokio::test]
async fn a_job_that_only_waits_for_an_abandoned_create_blames_nobody() {
    let world = World::start().await.unwrap();
    let row = world.project("Refonte").await.unwrap();
    let late = FaultKind::ZombieWrite {
        after_ms: Some(60_000),
        after_release_ms: 0,
    };
    world.docmost_fault(Fault::on("/api/pages/create", late).times(1));
    let _ = world.attempt(row).await;
    let verdict = world.attempt(row).await.verdict;
    let Verdict::Hold { failure, .. } = &verdict else {
        panic!("not held: {verdict:?}");
    };
    assert_eq!(failure.target, "bridge", "{failure:?}");
}
