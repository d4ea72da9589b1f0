//! Jobs that Redis has lost and the ledger knows.

use std::time::Duration;

use passerelle_model::time::{LongAgo, Timestamp};
use passerelle_store::{Intake, take_ledger};
use passerelle_worker::maintenance::tasks::orphans;

use crate::world::World;

#[tokio::test]
async fn an_open_event_whose_job_redis_has_lost_is_requested_again_once() {
    let world = World::start().await.unwrap();
    let row = world.project("Refonte").await.unwrap();
    let other = world.project("Site").await.unwrap();
    let queue = world.queue().unwrap();
    world.event(&queue, row, "lost").await.unwrap();
    world.event(&queue, other, "kept").await.unwrap();
    while take_ledger(&queue, &world.context.store, 500).await.unwrap() != Intake::Empty {}
    let mut redis = redis::Client::open(world.redis.url())
        .unwrap()
        .get_connection()
        .unwrap();
    let lost: u32 = redis::cmd("HDEL")
        .arg("{bridge}:sync:records")
        .arg(row.to_string())
        .query(&mut redis)
        .unwrap();
    assert_eq!(lost, 1);

    let now = Timestamp::now().plus(Duration::from_secs(1));
    let old = LongAgo::of_age(Duration::ZERO, now);
    assert_eq!(orphans::run(&world.context, old).await.unwrap(), 1);
    assert_eq!(world.requested_rows().await.unwrap(), [row]);
    assert_eq!(orphans::run(&world.context, old).await.unwrap(), 0, "it has a job now");
}
