//! The rows of leased jobs are read together, and never from before their job was leased.

use std::time::Duration;

use futures::future::join_all;
use passerelle_model::id::{JobKey, RowKey};
use passerelle_model::ledger::{Settlement, Verdict};
use passerelle_model::outcome::Outcome;
use passerelle_queue::{Lease, Roster};
use passerelle_sandbox::faults::{Fault, FaultKind};
use passerelle_worker::clients::lease::under_lease;
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use crate::world::World;

const PROJECTS: &str = "/api/database/rows/table/2/";

impl World {
    /// Projects as somebody pastes them: no webhook tells of them.
    async fn pasted(&self, count: usize) -> anyhow::Result<Vec<RowKey>> {
        let rows = (0..count).map(|number| json!({"Nom": format!("Projet {number}")}));
        let rows = Value::Array(rows.collect());
        let added = self.baserow_control(Method::POST, "tables/projet/rows", rows).await?;
        let ids = added["ids"].as_array().cloned().unwrap_or_default();
        let keys = ids.iter().map(|id| Ok(format!("t2/r{id}").parse()?));
        keys.collect()
    }

    /// One attempt at a job with this lease.
    pub(crate) async fn attempt_under(&self, lease: &Lease, row: RowKey) -> Settlement {
        under_lease(lease.clone(), self.attempt(row)).await
    }

    /// The reads of projects so far: lists, and single ones.
    fn reads(&self) -> (usize, usize) {
        let calls = self.baserow.calls.list().into_iter();
        let reads = calls.filter(|call| call.method == "GET" && call.path.starts_with(PROJECTS));
        let (lists, single): (Vec<_>, Vec<_>) = reads.partition(|call| call.path == PROJECTS);
        (lists.len(), single.len())
    }
}

pub(crate) fn leased(roster: &Roster, row: RowKey) -> Lease {
    Lease::lasting(Duration::from_mins(5)).entered(roster.enter(&JobKey::Row(row)))
}

fn is_synced(settlement: &Settlement) -> bool {
    matches!(settlement.verdict, Verdict::Done(Outcome::Synced))
}

#[tokio::test]
async fn the_rows_of_all_leased_jobs_are_read_with_one_call_new_ones_and_ones_that_have_pages() {
    let world = World::start().await.unwrap();
    let rows = world.pasted(20).await.unwrap();
    let roster = Roster::default();
    for round in ["", " bis"] {
        for row in &rows {
            let name = json!({"Nom": format!("{row}{round}")});
            world.change(*row, name).await.unwrap();
        }
        let leases: Vec<Lease> = rows.iter().map(|row| leased(&roster, *row)).collect();
        let before = world.reads();
        let attempts = leases
            .iter()
            .zip(&rows)
            .map(|(lease, row)| world.attempt_under(lease, *row));
        let settlements = join_all(attempts).await;
        assert!(settlements.iter().all(is_synced), "{settlements:#?}");
        let (lists, single) = world.reads();
        assert_eq!((lists - before.0, single - before.1), (1, 0), "round {round:?}");
        let mut titles = world.titles().await.unwrap();
        let mut wanted: Vec<String> = rows
            .iter()
            .map(|row| format!("Projet {row}{round} - (sans client)"))
            .collect();
        titles.sort();
        wanted.sort();
        assert_eq!(titles, wanted);
    }
}

#[tokio::test]
async fn a_job_that_is_leased_after_a_list_was_read_reads_its_row_anew() {
    let world = World::start().await.unwrap();
    let rows = world.pasted(6).await.unwrap();
    let roster = Roster::default();
    let early: Vec<Lease> = rows[..4].iter().map(|row| leased(&roster, *row)).collect();
    // The list has all six rows, since none has a page.
    assert!(is_synced(&world.attempt_under(&early[0], rows[0]).await));
    world.change(rows[4], json!({"Nom": "Nouveau"})).await.unwrap();
    let late = leased(&roster, rows[4]);
    assert!(is_synced(&world.attempt_under(&late, rows[4]).await));
    let titles = world.titles().await.unwrap();
    assert_eq!(titles[1], "Projet Nouveau - (sans client)");
    // A row that was read is used once: the next attempt reads it anew.
    assert!(is_synced(&world.attempt_under(&early[1], rows[1]).await));
    world.change(rows[1], json!({"Nom": "Changé"})).await.unwrap();
    assert!(is_synced(&world.attempt_under(&early[1], rows[1]).await));
    let titles = world.titles().await.unwrap();
    assert!(
        titles.contains(&"Projet Changé - (sans client)".to_owned()),
        "{titles:?}"
    );
}

#[tokio::test]
async fn rows_that_a_list_lacks_are_read_by_themselves() {
    let world = World::start().await.unwrap();
    let rows = world.pasted(4).await.unwrap();
    world.delete(rows[1]).await.unwrap();
    // A list of two hundred rows without a page has not the last ones.
    let many = world.pasted(300).await.unwrap();
    let all: Vec<RowKey> = rows.into_iter().chain(many[296..].iter().copied()).collect();
    let roster = Roster::default();
    let leases: Vec<Lease> = all.iter().map(|row| leased(&roster, *row)).collect();
    for (at, (lease, row)) in leases.iter().zip(&all).enumerate() {
        let settlement = world.attempt_under(lease, *row).await;
        assert_eq!(is_synced(&settlement), at != 1, "{at}: {settlement:#?}");
    }
    let (lists, single) = world.reads();
    assert!(lists <= 4 && single <= 8, "{lists} lists, {single} single reads");
}

#[rstest]
#[case::over_which_baserow_breaks(500, "Internal Server Error")]
#[case::that_a_proxy_refuses(414, "<html>Request-URI Too Large</html>")]
#[tokio::test]
async fn a_list_costs_no_job_its_attempt(#[case] status: u16, #[case] body: &str) {
    let world = World::start().await.unwrap();
    let rows = world.pasted(4).await.unwrap();
    let kind = FaultKind::Status {
        status,
        headers: [("content-type".to_owned(), "text/html".to_owned())].into(),
        body: Some(json!(body)),
    };
    // The first read of a row is the list.
    let list = Fault {
        method: Some("GET".to_owned()),
        ..Fault::on(PROJECTS, kind)
    };
    world.baserow.faults.set(vec![list.times(1)]);
    let roster = Roster::default();
    let leases: Vec<Lease> = rows.iter().map(|row| leased(&roster, *row)).collect();
    for (lease, row) in leases.iter().zip(&rows) {
        let settlement = world.attempt_under(lease, *row).await;
        assert!(is_synced(&settlement), "{settlement:#?}");
    }
    assert_eq!(world.reads(), (1, 4), "one list that failed, and each row by itself");
}
