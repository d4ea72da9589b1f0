//! A row changes that the pages of other rows show.

use futures::future::join_all;
use passerelle_model::event::EventKind;
use passerelle_model::id::{RowKey, TableId};
use passerelle_model::outcome::Outcome;
use passerelle_queue::{Lease, Roster};
use passerelle_worker::content::field::Described;
use passerelle_worker::content::row::Row;
use serde_json::json;

use crate::read_together::leased;
use crate::world::World;

#[tokio::test]
async fn a_renamed_client_renames_the_pages_of_its_projects() {
    let world = World::start().await.unwrap();
    let (row, client) = world.project_of_client("Refonte").await.unwrap();
    let other = world.project("Autre").await.unwrap();
    world.synced(row).await.unwrap();
    world.synced(other).await.unwrap();
    world.change(client, json!({"Name": "Atelier Sud"})).await.unwrap();

    assert_eq!(world.sync(client).await.unwrap(), Outcome::Synced);
    assert_eq!(world.requested_rows().await.unwrap(), [row], "only its own project");
    world.synced(row).await.unwrap();
    let titles: Vec<_> = world.titles().await.unwrap();
    assert_eq!(titles, ["Projet Refonte - Atelier Sud", "Projet Autre - Atelier Nord"]);
}

#[tokio::test]
async fn a_job_that_had_read_the_old_client_does_not_bring_its_name_back() {
    let world = World::start().await.unwrap();
    let (row, client) = world.project_of_client("Refonte").await.unwrap();
    world.synced(row).await.unwrap();
    let old = Row::from_json(&world.row(client).await.unwrap().to_string()).unwrap();
    world.change(client, json!({"Name": "Atelier Sud"})).await.unwrap();
    assert_eq!(world.sync(client).await.unwrap(), Outcome::Synced);
    world.context.cache.keep_row(client.table, &old).await;
    world.synced(row).await.unwrap();
    assert_eq!(world.titles().await.unwrap(), ["Projet Refonte - Atelier Sud"]);
}

/// As after a burst of new projects: Baserow tells of the client, too, at each of them.
#[tokio::test]
async fn projects_of_a_client_that_has_just_changed_read_it_once_for_all_that_are_leased() {
    let world = World::start().await.unwrap();
    let (first, client) = world.project_of_client("Refonte").await.unwrap();
    let mut rows = vec![first];
    for number in 0..5 {
        rows.push(world.project_for(&format!("Projet {number}"), client).await.unwrap());
    }
    let roster = Roster::default();
    let reads = |world: &World| {
        let path = format!("/api/database/rows/table/{}/{}/", client.table, client.row);
        let calls = world.baserow.calls.list().into_iter();
        calls.filter(|call| call.method == "GET" && call.path == path).count()
    };
    for name in ["Atelier Sud", "Atelier Est"] {
        let before = reads(&world);
        world.change(client, json!({"Name": name})).await.unwrap();
        world.context.cache.forget_row(client).await;
        let leases: Vec<Lease> = rows.iter().map(|row| leased(&roster, *row)).collect();
        let attempts = leases
            .iter()
            .zip(&rows)
            .map(|(lease, row)| world.attempt_under(lease, *row));
        join_all(attempts).await;
        assert_eq!(reads(&world) - before, 1, "{name}");
        let titles = world.titles().await.unwrap();
        assert!(titles.iter().all(|title| title.ends_with(name)), "{titles:?}");
    }
}

#[tokio::test]
async fn a_cached_row_is_known_by_the_number_of_its_table_because_two_tables_may_have_one_name() {
    let world = World::start().await.unwrap();
    let (_, client) = world.project_of_client("Refonte").await.unwrap();
    let row = Row::from_json(&world.row(client).await.unwrap().to_string()).unwrap();
    let row = row.described(&Described::default());
    let cache = &world.context.cache;
    cache.keep_row(client.table, &row).await;
    assert_eq!(cache.row(client).await, Some(row));
    let namesake = RowKey {
        table: TableId::new(client.table.get() + 100).unwrap(),
        ..client
    };
    assert_eq!(cache.row(namesake).await, None);
}

#[tokio::test]
async fn an_attempt_that_is_repeated_propagates_once() {
    let world = World::start().await.unwrap();
    let (row, client) = world.project_of_client("Refonte").await.unwrap();
    world.synced(row).await.unwrap();
    for _ in 0..3 {
        assert_eq!(world.sync(client).await.unwrap(), Outcome::Synced);
    }
    assert_eq!(world.events_accepted().await.unwrap(), 1);
}

#[tokio::test]
async fn a_woken_row_wakes_nobody_and_an_operator_may_wake() {
    let world = World::start().await.unwrap();
    let (_, client) = world.project_of_client("Refonte").await.unwrap();
    let woken = world
        .sync_as(client, EventKind::Forced, "bridge:linked-00ff")
        .await
        .unwrap();
    assert_eq!(woken, Outcome::NoChange);
    assert_eq!(world.events_accepted().await.unwrap(), 0);
    let forced = world.sync_as(client, EventKind::Forced, "force-1").await.unwrap();
    assert_eq!(forced, Outcome::Synced);
    assert_eq!(world.events_accepted().await.unwrap(), 1);
}

#[tokio::test]
async fn more_linking_rows_than_baserow_lists_at_once_are_all_requested_rows() {
    let world = World::start().await.unwrap();
    let (_, client) = world.project_of_client("Refonte").await.unwrap();
    for _ in 0..205 {
        world.project_for("Autre", client).await.unwrap();
    }
    assert_eq!(world.sync(client).await.unwrap(), Outcome::Synced);
    assert_eq!(world.requested_rows().await.unwrap().len(), 206);
}

#[tokio::test]
async fn a_client_without_projects_changes_nothing() {
    let world = World::start().await.unwrap();
    let client = world.create(1, json!({"Name": "Atelier Nord"})).await.unwrap();
    assert_eq!(world.sync(client).await.unwrap(), Outcome::NoChange);
}
