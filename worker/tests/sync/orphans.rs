//! Jobs that Redis has lost and the ledger knows.

use std::time::Duration;

use passerelle_model::event::EventKind;
use passerelle_model::id::RowKey;
use passerelle_model::outcome::Outcome;
use passerelle_model::time::{LongAgo, Timestamp};
use passerelle_queue::Queue;
use passerelle_store::{Intake, take_ledger};
use passerelle_worker::maintenance::tasks::orphans;

use serde_json::json;

use crate::world::World;

const PERSONNE: u64 = 5;
const ATTRIBUTION: u64 = 6;

/// Writes the ledger to the store.
async fn written(world: &World, queue: &Queue) -> anyhow::Result<()> {
    while take_ledger(queue, &world.context.store, 500).await? != Intake::Empty {}
    Ok(())
}

fn redis(world: &World) -> anyhow::Result<redis::Connection> {
    Ok(redis::Client::open(world.redis.url())?.get_connection()?)
}

/// Lets Redis lose the job of a row.
fn lose(world: &World, row: RowKey) -> anyhow::Result<()> {
    let mut delete = redis::cmd("HDEL");
    delete.arg("{bridge}:sync:records").arg(row.to_string());
    let lost: u32 = delete.query(&mut redis(world)?)?;
    anyhow::ensure!(lost == 1, "{row} had no job");
    Ok(())
}

/// Somebody was given a course; the store knows it, and Redis has lost the job.
async fn with_a_lost_notice() -> anyhow::Result<(World, Queue, RowKey)> {
    let world = World::start().await?;
    let queue = world.queue()?;
    let person = json!({"Nom": "Zoe", "Email": "zoe@example.org", "heures_max": 40});
    let zoe = world.create(PERSONNE, person).await?;
    let given = json!({"Libelle": "Rust", "Personne": [zoe.row.get()], "heures": 14});
    let row = world.create(ATTRIBUTION, given).await?;
    written(&world, &queue).await?;
    world.event_of(&queue, row, (EventKind::Created, "created")).await?;
    written(&world, &queue).await?;
    lose(&world, row)?;
    Ok((world, queue, row))
}

async fn notices(world: &World, row: RowKey) -> anyhow::Result<usize> {
    let about = world.context.store.notices_about(row, "attribution-mail").await?;
    Ok(about.len())
}

#[tokio::test]
async fn a_notice_whose_job_redis_has_lost_is_sent_by_whatever_job_of_its_row_comes_first() {
    let (world, queue, row) = with_a_lost_notice().await.unwrap();
    let outcome = world.sync_requested(&queue, row).await.unwrap();
    assert_eq!(outcome, Outcome::Synced);
    assert_eq!(notices(&world, row).await.unwrap(), 1);
}

#[tokio::test]
async fn a_store_that_may_be_an_older_copy_sends_no_notice_of_an_event_whose_job_is_not_there() {
    let (world, queue, row) = with_a_lost_notice().await.unwrap();
    // An older copy has not read what the stream has forgotten.
    let other = world.project("Site").await.unwrap();
    world.event(&queue, other, "forgotten").await.unwrap();
    let mut forget = redis::cmd("XTRIM");
    forget.arg("{bridge}:ledger").arg("MAXLEN").arg(0);
    forget.exec(&mut redis(&world).unwrap()).unwrap();
    let _outcome = world.sync_requested(&queue, row).await.unwrap();
    assert_eq!(notices(&world, row).await.unwrap(), 0);
}

#[tokio::test]
async fn an_open_event_whose_job_redis_has_lost_is_requested_again_once() {
    let world = World::start().await.unwrap();
    let row = world.project("Refonte").await.unwrap();
    let other = world.project("Site").await.unwrap();
    let queue = world.queue().unwrap();
    world.event(&queue, row, "lost").await.unwrap();
    world.event(&queue, other, "kept").await.unwrap();
    written(&world, &queue).await.unwrap();
    lose(&world, row).unwrap();

    let now = Timestamp::now().plus(Duration::from_secs(1));
    let old = LongAgo::of_age(Duration::ZERO, now);
    assert_eq!(orphans::run(&world.context, old).await.unwrap(), 1);
    assert_eq!(world.requested_rows().await.unwrap(), [row]);
    assert_eq!(orphans::run(&world.context, old).await.unwrap(), 0, "it has a job now");
}
