//! Whose turn it is, and what is written at the end of it.

use std::time::Duration;

use passerelle_model::event::{DeliveryKey, Disposition, EventKind, Item, NewEvent};
use passerelle_model::id::{EventId, RowId, SourceName, TableId};
use passerelle_model::ledger::{LedgerEntry, LedgerRecord};
use passerelle_model::outcome::Outcome;
use passerelle_model::seq::Seq;
use passerelle_model::time::Timestamp;
use rstest::rstest;
use test_support::{Line, eventually};

use crate::world::{Database, World, store_behind};

#[rstest]
#[case::sqlite(Database::sqlite())]
#[case::postgres(Database::postgres())]
#[tokio::test]
async fn a_stopping_writer_takes_what_came_in_the_last_moment_and_lets_its_lease_go(
    #[case] database: anyhow::Result<Database>,
) {
    let world = World::start(database).await.unwrap();
    for round in 1..=5 {
        let writer = world.writer("writer").unwrap();
        world.is_held_by("writer").await;
        world.accept(700).await.unwrap();
        writer.stop().await.unwrap();
        assert_eq!(world.store.counts().await.unwrap().items, 700 * round);
        assert_eq!(world.holder().await.unwrap(), None);
    }
    world.adds_up().await.unwrap();
}

#[tokio::test]
async fn while_one_writer_has_the_lease_the_other_waits_and_takes_over_when_it_vanishes() {
    let world = World::start(Database::sqlite()).await.unwrap();
    let first = world.writer("first").unwrap();
    world.is_held_by("first").await;
    let second = world.writer("second").unwrap();
    for round in 1..=20 {
        world.accept(20).await.unwrap();
        world.is_written(20 * round).await;
        assert_eq!(world.holder().await.unwrap().as_deref(), Some("first"));
    }
    first.kill();
    world.accept(50).await.unwrap();
    world.is_written(450).await;
    world.is_held_by("second").await;
    second.stop().await.unwrap();
    world.adds_up().await.unwrap();
}

#[tokio::test]
async fn a_writer_that_cannot_reach_the_database_leaves_its_turn_to_one_that_can() {
    let world = World::start(Database::postgres()).await.unwrap();
    let Database::Postgres(server) = &world.database else {
        panic!("it is PostgreSQL");
    };
    let line = Line::to(server.port()).await.unwrap();
    let store = store_behind(&line, Duration::from_secs(30)).await.unwrap();
    let cut_off = world.writer_on("cut-off", store, None).unwrap();
    world.is_held_by("cut-off").await;
    world.accept(10).await.unwrap();
    world.is_written(10).await;
    let connected = world.writer("connected").unwrap();
    line.cut();
    world.accept(10).await.unwrap();
    world.is_written(20).await;
    connected.stop().await.unwrap();
    cut_off.stop().await.unwrap();
    world.adds_up().await.unwrap();
}

#[tokio::test]
async fn a_database_that_is_too_slow_for_a_batch_is_given_smaller_ones_until_one_is_written() {
    let world = World::start(Database::postgres()).await.unwrap();
    let Database::Postgres(server) = &world.database else {
        panic!("it is PostgreSQL");
    };
    // All of it takes six seconds, and a transaction is given up after three.
    let noise: Vec<u8> = (0..30_000_u64)
        .flat_map(|at| at.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes()[..2].to_vec())
        .collect();
    world.accept_with(100, &noise).await.unwrap();
    let line = Line::slow(server.port(), 1000).await.unwrap();
    let store = store_behind(&line, Duration::from_secs(3)).await.unwrap();
    let writer = world.writer_on("slow", store, None).unwrap();
    world.is_written(100).await;
    writer.stop().await.unwrap();
    world.adds_up().await.unwrap();
}

#[tokio::test]
async fn a_database_that_another_program_has_locked_makes_the_ledger_late_and_nothing_is_lost() {
    let world = World::start(Database::sqlite()).await.unwrap();
    let Database::Sqlite(folder) = &world.database else {
        panic!("it is SQLite");
    };
    let writer = world.writer("writer").unwrap();
    world.accept(10).await.unwrap();
    world.is_written(10).await;
    let other = sqlx::AnyPool::connect(&format!("sqlite://{}/store.sqlite", folder.path().display()))
        .await
        .unwrap();
    let mut locked = other.acquire().await.unwrap();
    sqlx::query("BEGIN EXCLUSIVE").execute(&mut *locked).await.unwrap();
    world.accept(600).await.unwrap();
    // Each by itself: a group of one, and its receipt.
    assert_eq!(world.queue.stats().await.unwrap().ledger_backlog, 1200);
    // The writer takes its hands off only when its own patience with the lock is over.
    eventually("the writer has given up a step", async || match world.holder().await {
        Ok(None) => Ok(()),
        other => Err(other),
    })
    .await;
    sqlx::query("COMMIT").execute(&mut *locked).await.unwrap();
    world.is_written(610).await;
    writer.stop().await.unwrap();
    world.adds_up().await.unwrap();
}

/// An event of the past that had nothing to do.
fn past_event(number: u64, received: Timestamp) -> anyhow::Result<LedgerEntry> {
    let id = format!("{}-{number}", received.as_millis());
    Ok(LedgerEntry {
        seq: Seq::from_stream_id(&id)?,
        id,
        answered: None,
        number: None,
        records: vec![Ok(LedgerRecord::Accepted(NewEvent {
            key: DeliveryKey {
                webhook: None,
                event: EventId::parse(&format!("past-{number}"))?,
                batch: 0,
            },
            source: SourceName::parse("test")?,
            kind: EventKind::Updated,
            table: Some(TableId::new(2)?),
            received,
            trace: None,
            items: vec![Item {
                row: Some(RowId::new(number)?),
                disposition: Disposition::Closed(Outcome::Echo),
            }],
            payload: Vec::new(),
        }))],
    })
}

#[tokio::test]
async fn what_is_older_than_wanted_is_removed_by_the_writer_while_it_goes_on_writing() {
    let world = World::start(Database::sqlite()).await.unwrap();
    let (day, now) = (Duration::from_hours(24), Timestamp::now());
    let past: Vec<LedgerEntry> = (1..=450)
        .map(|number| past_event(number, now.minus(day * 91)).unwrap())
        .collect();
    world.store.record(&past, None).await.unwrap();
    let recent = [past_event(451, now.minus(day * 89)).unwrap()];
    let position = past.last().map(|entry| entry.id.as_str());
    world.store.record(&recent, position).await.unwrap();

    let for_ever = world.writer_on("for-ever", world.store.clone(), None).unwrap();
    world.accept(10).await.unwrap();
    world.is_written(461).await;
    for_ever.stop().await.unwrap();
    let is_there = async |event: &str| {
        let stories = world.store.trace_event(&EventId::parse(event).unwrap()).await;
        !stories.unwrap().is_empty()
    };
    assert!(is_there("past-1").await);

    let writer = world.writer_on("90-days", world.store.clone(), Some(day * 90)).unwrap();
    eventually("the past is gone", async || {
        if is_there("past-450").await {
            Err("it is there")
        } else {
            Ok(())
        }
    })
    .await;
    world.accept(10).await.unwrap();
    world.is_written(471).await;
    writer.stop().await.unwrap();
    assert!(!is_there("past-1").await);
    assert!(is_there("past-451").await);
    world.adds_up().await.unwrap();
}

#[tokio::test]
async fn a_redis_that_takes_no_more_writes_is_drained_into_the_store() {
    let world = World::start(Database::sqlite()).await.unwrap();
    world.accept(20).await.unwrap();
    world.limit_memory("1").await.unwrap();
    assert!(world.accept(1).await.is_err(), "Redis is full");
    let writer = world.writer("writer").unwrap();
    world.is_written(20).await;
    assert_eq!(world.holder().await.unwrap(), None, "no lease could be written");
    world.limit_memory("0").await.unwrap();
    writer.stop().await.unwrap();
    world.adds_up().await.unwrap();
}
