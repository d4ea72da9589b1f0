//! The life of the data in Redis: what is counted, and how it is noticed that Redis went back.

use passerelle_queue::{EndedLife, LAYOUT, LifeWatch, Queue, QueueError, QueueName};

use test_support::eventually;

use crate::world::{World, delivery};

/// What is counted in the present life, and its name.
async fn counted(queue: &Queue) -> Result<(u64, Option<String>), QueueError> {
    let look = queue.life(None).await?;
    Ok((look.answered, look.life.map(|life| life.epoch)))
}

#[tokio::test]
async fn new_deliveries_and_repetitions_are_counted_and_what_redis_refused_is_not() {
    let world = World::start().unwrap();
    for _time in 0..3 {
        let _durable = world.queue.accept(delivery("e1", &[1]).unwrap()).await.unwrap();
    }
    let _nothing_to_do = world.queue.accept(delivery("e2", &[]).unwrap()).await.unwrap();
    assert_eq!(counted(&world.queue).await.unwrap().0, 4);

    let _: () = world
        .ask(redis::cmd("RENAME").arg("{bridge}:sync:records").arg("aside"))
        .await
        .unwrap();
    let _: () = world
        .ask(redis::cmd("SET").arg("{bridge}:sync:records").arg("no hash"))
        .await
        .unwrap();
    let refused = world.queue.accept(delivery("e3", &[2]).unwrap()).await;
    assert!(matches!(refused, Err(QueueError::Refused(_))), "{refused:?}");
    assert_eq!(counted(&world.queue).await.unwrap().0, 4);
    let _: () = world
        .ask(redis::cmd("RENAME").arg("aside").arg("{bridge}:sync:records"))
        .await
        .unwrap();
    let _durable = world.queue.accept(delivery("e3", &[2]).unwrap()).await.unwrap();
    let entries = world.queue.read_ledger(None, 100).await.unwrap();
    let counts: Vec<(u64, u64)> = entries
        .iter()
        .filter_map(|entry| entry.answered.map(|count| (count.before, count.total)))
        .collect();
    assert_eq!(counts, [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5)]);
}

#[tokio::test]
async fn of_many_programs_that_start_at_once_one_begins_the_first_life() {
    let world = World::start().unwrap();
    let mut epochs = Vec::new();
    let looks = (0..5).map(|_| async {
        let queue = Queue::new(world.redis.by_another_connection(), QueueName::Sync);
        LifeWatch::new(queue.clone()).look().await.unwrap();
        counted(&queue).await.unwrap().1
    });
    for epoch in futures::future::join_all(looks).await {
        epochs.push(epoch.unwrap());
    }
    epochs.dedup();
    assert_eq!(epochs.len(), 1, "{epochs:?}");
}

#[tokio::test]
async fn a_redis_that_lost_what_it_had_answered_to_this_process_begins_one_new_life() {
    let mut world = World::start().unwrap();
    let queues = [
        world.queue.clone(),
        Queue::new(world.redis.by_another_connection(), QueueName::Sync),
    ];
    let mut watches: Vec<LifeWatch> = queues.iter().cloned().map(LifeWatch::new).collect();
    for watch in &mut watches {
        watch.look().await.unwrap();
    }
    world.accept(&[1]).await.unwrap();
    let copy = world.server.copy().unwrap();
    for queue in &queues {
        for row in 2..=4 {
            let event = world.delivery(&[row]).unwrap();
            let _durable = queue.accept(event).await.unwrap();
        }
    }
    let (seven, first) = counted(&world.queue).await.unwrap();
    assert_eq!(seven, 7);
    world.server.go_back_to(&copy).unwrap();
    // Others make up for the number before anybody looks.
    let other = Queue::new(world.redis.by_another_connection(), QueueName::Sync);
    for queue in [&world.queue, &queues[1], &other] {
        eventually("Redis answers", async || queue.life(None).await).await;
    }
    for row in 10..=20 {
        let event = world.delivery(&[row]).unwrap();
        let _durable = other.accept(event).await.unwrap();
    }
    // What tells it is that Redis has forgotten this caller's last call.
    world.accept(&[5]).await.unwrap();
    for _time in 0..2 {
        for watch in &mut watches {
            watch.look().await.unwrap();
        }
    }
    let look = world.queue.life(None).await.unwrap();
    let life = look.life.unwrap();
    assert_ne!(Some(&life.epoch), first.as_ref());
    assert_eq!(life.former, first, "one new life, not two");
    assert_eq!(life.known, 7, "the highest count that anybody was told before");
}

#[tokio::test]
async fn a_redis_that_is_killed_and_started_again_keeps_its_life() {
    let mut world = World::start().unwrap();
    let mut watch = LifeWatch::new(world.queue.clone());
    watch.look().await.unwrap();
    world.accept(&[1]).await.unwrap();
    let before = counted(&world.queue).await.unwrap();
    world.server.kill().unwrap();
    world.server.boot().unwrap();
    eventually("Redis answers", async || world.queue.life(None).await).await;
    world.accept(&[2]).await.unwrap();
    watch.look().await.unwrap();
    assert_eq!(counted(&world.queue).await.unwrap(), (2, before.1));
}

#[tokio::test]
async fn a_former_layout_is_raised_and_a_later_one_is_refused_in_one_sentence() {
    let world = World::start().unwrap();
    // As the former releases left it: jobs, and no record.
    world.accept(&[1]).await.unwrap();
    let _: u64 = world.ask(redis::cmd("DEL").arg("{bridge}:life")).await.unwrap();
    let mut watch = LifeWatch::new(world.queue.clone());
    watch.look().await.unwrap();
    let layout: u64 = world
        .ask(redis::cmd("HGET").arg("{bridge}:life").arg("layout"))
        .await
        .unwrap();
    assert_eq!(layout, LAYOUT);

    let later = LAYOUT + 1;
    let _: u64 = world
        .ask(redis::cmd("HSET").arg("{bridge}:life").arg("layout").arg(later))
        .await
        .unwrap();
    let before = counted_raw(&world).await.unwrap();
    let refused = watch.look().await.unwrap_err();
    assert!(matches!(refused, QueueError::NewerLayout { .. }), "{refused:?}");
    assert!(refused.to_string().contains("docs/UPGRADING.md"), "{refused}");
    let begun = world.queue.begin_life(&EndedLife::default()).await;
    assert!(matches!(begun, Err(QueueError::NewerLayout { .. })), "{begun:?}");
    assert_eq!(
        counted_raw(&world).await.unwrap(),
        before,
        "nothing of a later version is touched"
    );
}

async fn counted_raw(world: &World) -> anyhow::Result<Vec<String>> {
    let mut fields: Vec<String> = world.ask(redis::cmd("HGETALL").arg("{bridge}:life")).await?;
    fields.sort_unstable();
    Ok(fields)
}
