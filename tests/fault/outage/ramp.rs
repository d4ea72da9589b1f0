//! What follows a recovery: how fast, and how carefully.

use std::time::Duration;

use anyhow::Context as _;
use passerelle_model::time::Timestamp;
use passerelle_queue::gate::IncidentKind;
use serde_json::json;
use system_tests::System;
use test_support::eventually;

use crate::world::{Outage, STEP};

/// The calls that were under way at once, as a share of the jobs that the ramp may have allowed by
/// then; until it allows as many as all workers together can run.
pub(crate) async fn most_above_ramp(outage: &Outage, workers_run: f64) -> anyhow::Result<f64> {
    let incidents = outage.incidents().await?;
    let ramping = incidents
        .iter()
        .rev()
        .find(|incident| matches!(incident.what, IncidentKind::Ramping { .. }));
    let began = ramping.context("no ramp")?.at.as_millis();
    let calls = outage.calls().await?;
    let mut changes = Vec::new();
    for call in calls.iter().filter(|call| call["origin"] == "bridge") {
        changes.push((call["at_ms"].as_i64().context("no time")?, 1));
        changes.push((call["answered_ms"].as_i64().context("no answer")?, -1));
    }
    // Calls that end in the millisecond in which others begin count as ended.
    changes.sort_unstable();
    let (mut now, mut seen, mut most) = (0, 0, 0.0_f64);
    for (at, change) in changes {
        now += change;
        let steps = (Timestamp::from_millis(at)
            .since(Timestamp::from_millis(began))
            .as_secs_f64()
            / STEP)
            .floor();
        let allowed = 4.0 * steps.exp2();
        if at > began && allowed < workers_run {
            seen += 1;
            most = most.max(f64::from(now) / allowed);
        }
    }
    anyhow::ensure!(seen > 10, "only {seen} calls were made during the ramp");
    Ok(most)
}

/// What people wait for after an outage, with the numbers of production.
#[tokio::test]
async fn forty_rows_that_waited_are_done_within_seconds_of_the_recovery() {
    const ROWS: usize = 40;
    /// 10 s on a machine that has nothing else to do.
    const SOON: Duration = Duration::from_secs(30);
    let mut outage = Outage::start(System::builder().workers(2)).await.unwrap();
    outage.warm_up().await.unwrap();
    outage
        .break_docmost(json!({"path": "*", "kind": "reset"}))
        .await
        .unwrap();
    outage.projects(ROWS).await.unwrap();
    outage.stopped().await;
    outage.system.drained_webhooks().await;
    outage.mend_docmost().await.unwrap();
    let recovered = eventually("it ramps", async || {
        let incidents = outage.incidents().await.map_err(|error| error.to_string())?;
        let ramping = incidents
            .iter()
            .find(|incident| matches!(incident.what, IncidentKind::Ramping { .. }));
        ramping
            .map(|incident| incident.at)
            .ok_or_else(|| format!("{incidents:?}"))
    })
    .await;
    outage.converged().await.unwrap();
    let took = outage.gates.clock().await.unwrap().since(recovered);
    println!("{ROWS} waiting rows were done {took:?} after the recovery");
    assert!(took < SOON, "{took:?}\n{}", outage.system.logs());
    assert_eq!(outage.burned(), 0, "{}", outage.system.logs());
}
