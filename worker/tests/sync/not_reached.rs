//! A proxy or a login page that answers in the place of a product: an outage, whatever its status,
//! and never the row's fault.

use std::collections::BTreeSet;

use passerelle_model::ledger::Verdict;
use passerelle_model::outcome::Outcome;
use passerelle_queue::gate::{GateName, GateState, GateTarget, Operation};
use passerelle_sandbox::faults::{Fault, FaultKind};
use rstest::rstest;
use serde_json::{Value, json};

use crate::world::World;

/// What stands before the product answers every call.
fn in_its_place(status: u16, body: &str) -> Fault {
    let kind = FaultKind::Status {
        status,
        headers: [("content-type".to_owned(), "text/html".to_owned())].into(),
        body: Some(json!(body)),
    };
    Fault::on("/api", kind)
}

async fn is_stopped(world: &World, target: GateTarget) -> anyhow::Result<bool> {
    // What the calls gave is gathered for a moment before it is reported.
    world.context.gates.flush().await;
    let gates = world.context.gates.list().await?;
    let mut of_target = gates.iter().filter(|gate| gate.gate.starts_with(target.as_str()));
    Ok(of_target.any(|gate| matches!(gate.state, GateState::Stopped | GateState::Probing)))
}

#[rstest]
#[case::the_route_is_lost(404, "404 page not found\n")]
#[case::a_login_is_wanted(302, "<a href=\"https://auth.example.org/\">Found</a>")]
#[case::a_login_page(200, "<!doctype html><title>Sign in</title>")]
#[case::a_firewall(403, "<h1>Request blocked</h1>")]
#[case::a_bad_gateway(502, "<h1>502 Bad Gateway</h1>")]
#[tokio::test]
async fn what_answers_in_docmosts_place_costs_no_attempt_stops_the_gate_and_loses_no_page(
    #[case] status: u16,
    #[case] body: &str,
) {
    let world = World::start().await.unwrap();
    world.errors.expect("docmost is in trouble");
    let mut rows = Vec::new();
    for number in 1..=5 {
        let row = world.project(&format!("Refonte {number}")).await.unwrap();
        world.synced(row).await.unwrap();
        world
            .change(row, json!({"Nom": format!("Reprise {number}")}))
            .await
            .unwrap();
        rows.push(row);
    }
    let before = world.pages().await.unwrap();
    world.docmost_fault(in_its_place(status, body));
    // One call each: what may have been carried out makes its row wait before it calls again.
    for row in &rows {
        let verdict = world.attempt(*row).await.verdict;
        assert!(matches!(verdict, Verdict::Hold { .. }), "{row}: {verdict:?}");
    }
    assert!(
        is_stopped(&world, GateTarget::Docmost).await.unwrap(),
        "it is no outage"
    );

    world.docmost.faults.clear();
    for gate in GateName::ALL {
        let released = world
            .context
            .gates
            .operate(gate, Operation::Release, "anna", "the route is back");
        released.await.unwrap();
    }
    for row in &rows {
        assert_eq!(world.sync_eventually(*row).await, Outcome::Synced);
    }
    let sorted = |pages: &[Value], field: &str| {
        let texts = pages.iter().filter_map(|page| page[field].as_str());
        texts.map(str::to_owned).collect::<BTreeSet<_>>()
    };
    let after = world.pages().await.unwrap();
    assert_eq!(sorted(&after, "id"), sorted(&before, "id"), "some pages are others");
    let titles = (1..=5).map(|number| format!("Projet Reprise {number} - Atelier Nord"));
    assert_eq!(sorted(&after, "title"), titles.collect());
}

#[rstest]
#[case::the_route_is_lost(404, "404 page not found\n")]
#[case::a_login_is_wanted(302, "<a href=\"https://auth.example.org/\">Found</a>")]
#[case::a_login_page(200, "<!doctype html><title>Sign in</title>")]
#[tokio::test]
async fn what_answers_in_baserows_place_never_means_that_the_row_is_gone(#[case] status: u16, #[case] body: &str) {
    let world = World::start().await.unwrap();
    world.errors.expect("baserow is in trouble");
    let row = world.project("Refonte").await.unwrap();
    world.synced(row).await.unwrap();
    world.baserow.faults.set(vec![in_its_place(status, body)]);
    for attempt in 1..=5 {
        let verdict = world.attempt(row).await.verdict;
        assert!(
            matches!(verdict, Verdict::Hold { .. }),
            "attempt {attempt}: {verdict:?}"
        );
    }
    assert!(
        is_stopped(&world, GateTarget::Baserow).await.unwrap(),
        "it is no outage"
    );
    assert_eq!(world.titles().await.unwrap(), ["Projet Refonte - Atelier Nord"]);
}
