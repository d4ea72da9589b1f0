//! Whoever is newly linked to a row is told once, by whichever event it shows (L1); the admin hears
//! of a shortage once.

use passerelle_model::id::RowKey;
use serde_json::{Value, json};
use system_tests::System;
use system_tests::people::ADMIN;

use crate::world::{builder, given, person, settled_notices};

/// Who got a mail so far, in order.
async fn told(system: &System) -> anyhow::Result<Vec<String>> {
    system.drain().await;
    settled_notices(system).await?;
    let mails = system.people.mails().await?;
    Ok(mails.into_iter().flat_map(|mail| mail.to).collect())
}

/// A row as people type it in the grid: created empty, then one cell after the other.
async fn typed(system: &System, table: &str, cells: &[(&str, Value)]) -> anyhow::Result<RowKey> {
    let row = system.baserow.create(table, json!({})).await?;
    system.drain().await;
    for (field, value) in cells {
        system.baserow.update(row, json!({ *field: value })).await?;
        system.drain().await;
    }
    Ok(row)
}

async fn link(system: &System, row: RowKey, people: &[RowKey]) -> anyhow::Result<()> {
    let ids: Vec<u64> = people.iter().map(|person| person.row.get()).collect();
    system.baserow.update(row, json!({ "Personne": ids })).await?;
    system.drain().await;
    Ok(())
}

#[tokio::test]
async fn a_trainer_of_a_row_that_is_typed_in_the_grid_is_told_once() {
    let system = builder().start().await.unwrap();
    let zoe = person(&system, "Zoe", 40).await.unwrap();
    let cells = [
        ("Libelle", json!("Rust")),
        ("Personne", json!([zoe.row.get()])),
        ("heures", json!(3)),
    ];
    typed(&system, "attribution", &cells).await.unwrap();
    assert_eq!(told(&system).await.unwrap(), ["zoe@example.org"]);
}

#[tokio::test]
async fn whoever_replaces_a_trainer_is_told_and_whoever_comes_back_is_not_told_again() {
    let system = builder().start().await.unwrap();
    let (zoe, ali) = (
        person(&system, "Zoe", 40).await.unwrap(),
        person(&system, "Ali", 40).await.unwrap(),
    );
    let row = given(&system, "attribution", zoe, 3).await.unwrap();
    system.drain().await;
    for people in [&[ali][..], &[zoe], &[], &[zoe, ali]] {
        link(&system, row, people).await.unwrap();
    }
    assert_eq!(told(&system).await.unwrap(), ["zoe@example.org", "ali@example.org"]);
}

#[tokio::test]
async fn a_trainer_who_is_linked_from_the_trainers_side_is_told_and_those_of_old_rows_are_not() {
    let system = builder().start().await.unwrap();
    let (zoe, ali) = (
        person(&system, "Zoe", 40).await.unwrap(),
        person(&system, "Ali", 40).await.unwrap(),
    );
    let old = json!({"Libelle": "Avant", "Personne": [ali.row.get()], "heures": "1.00"});
    let old = system.baserow.import("attribution", old).await.unwrap();
    let new = system
        .baserow
        .create("attribution", json!({"Libelle": "Neuf"}))
        .await
        .unwrap();
    system.drain().await;
    system.baserow.update(old, json!({"heures": 2})).await.unwrap();
    system.drain().await;
    let both = json!({"attribution": [old.row.get(), new.row.get()]});
    system.baserow.update(zoe, both).await.unwrap();
    // Who was linked to the old row before is not known; its trainer of old is not told.
    assert_eq!(told(&system).await.unwrap(), ["zoe@example.org"]);
}

#[tokio::test]
async fn two_webhooks_that_tell_of_one_link_make_one_mail() {
    let system = builder().start().await.unwrap();
    system.watch_all_tables().await.unwrap();
    let zoe = person(&system, "Zoe", 40).await.unwrap();
    given(&system, "attribution", zoe, 3).await.unwrap();
    assert_eq!(told(&system).await.unwrap(), ["zoe@example.org"]);
}

#[tokio::test]
async fn the_admin_hears_of_a_shortage_once_until_there_are_hours_again() {
    let system = builder().start().await.unwrap();
    system.watch_all_tables().await.unwrap();
    let zoe = person(&system, "Zoe", 10).await.unwrap();
    for table in ["attribution", "intervention", "attribution"] {
        given(&system, table, zoe, 11).await.unwrap();
        system.drain().await;
    }
    let to_admin = async || {
        let told = told(&system).await.unwrap();
        told.iter().filter(|to| *to == ADMIN).count()
    };
    assert_eq!(to_admin().await, 1);
    // Her contract grows, and is used up again.
    system.baserow.update(zoe, json!({"heures_max": 100})).await.unwrap();
    system.drain().await;
    given(&system, "attribution", zoe, 90).await.unwrap();
    assert_eq!(to_admin().await, 2);
}
