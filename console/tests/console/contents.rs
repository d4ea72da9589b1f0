//! Row contents for operators only: what a system said may hold a value of a row, wherever it is
//! told.

use std::time::Duration;

use passerelle_model::id::{JobKey, ProcessName};
use passerelle_model::ledger::LedgerRecord;
use passerelle_queue::gate::{CallResult, GateName, GatePolicy, GateTarget, Gates};
use passerelle_store::Role;

use crate::house::House;
use crate::lines::{changed, row};

const PAGES: [&str; 4] = ["/", "/waiting", "/operate", "/why?q=t2%2Fr5"];

/// A table whose rule is broken, a gate that stopped, and jobs that fail: each said so with a value
/// of a row.
async fn in_trouble() -> anyhow::Result<House> {
    let house = House::build_with(&[("CONSOLE_ROW_CONTENTS", "operators")]).await?;
    house.errors.expect("SECRET");
    if let LedgerRecord::Accepted(event) = changed(1, "event-5", 5)? {
        let _ = house.queue.accept(event).await?;
    }
    let hour = Duration::from_hours(1);
    let job = JobKey::Row(row(5)?);
    house.queue.hold_table(&job, "SECRET of a table", hour, hour).await?;
    let gates = Gates::new(house.redis()?, ProcessName::unique("worker"), GatePolicy::default());
    let failing = gates.third_failure(GateTarget::Baserow, "locked", "SECRET of an incident");
    failing.await?;
    for _call in 0..2 {
        for _call in 0..5 {
            gates.report(
                GateName::DocmostWrite,
                CallResult::NoConnection("SECRET of a gate".to_owned()),
            );
        }
        gates.flush().await;
    }
    house.keep_ledger().await?;
    Ok(house)
}

#[tokio::test]
async fn what_broken_tables_gates_and_incidents_say_of_a_row_is_for_operators() {
    let house = in_trouble().await.unwrap();
    let mut reader = house.guest("dominique", Role::Reader).await.unwrap();
    let mut operator = house.guest("camille", Role::Operator).await.unwrap();
    for page in PAGES {
        let shown = reader.get(page).await.unwrap().body;
        assert!(!shown.contains("SECRET"), "{page}: {shown}");
    }
    let waiting = operator.get("/waiting").await.unwrap().body;
    assert!(waiting.contains("SECRET of a table"), "{waiting}");
    let operate = operator.get("/operate").await.unwrap().body;
    for said in ["SECRET of a gate", "SECRET of an incident"] {
        assert!(operate.contains(said), "{said}: {operate}");
    }
    let hidden = reader.get("/operate").await.unwrap().body;
    assert!(hidden.contains("for operators only"), "{hidden}");
}
