//! The lives of Redis' data: what is missing is known by its number, and a Redis that went back is
//! read again.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;
use passerelle_queue::{EndedLife, Queue};
use passerelle_store::{Deliveries, Intake, Store, take_ledger};
use redis::Connection;
use test_support::eventually;

use crate::intake::{World, has_items, take_all};

async fn world() -> anyhow::Result<(tempfile::TempDir, World, Store)> {
    let folder = tempfile::tempdir()?;
    let world = World::start(folder.path())?;
    let store = world.open().await?;
    take_all(&world, &store).await?;
    Ok((folder, world, store))
}

fn aside(world: &World) -> anyhow::Result<Connection> {
    Ok(redis::Client::open(world.server.url())?.get_connection()?)
}

/// The programs have noticed that Redis is back.
async fn answers(world: &World) {
    eventually("Redis answers", async || world.queue.life(None).await).await;
}

async fn deliveries(queue: &Queue, store: &Store) -> anyhow::Result<Deliveries> {
    store.deliveries(queue).await?.context("the life is not known")
}

#[tokio::test]
async fn while_deliveries_come_again_and_are_written_at_once_none_is_ever_missing() {
    let (_folder, world, store) = world().await.unwrap();
    let is_over = AtomicBool::new(false);
    let accepting = async {
        for number in 0..300 {
            world.accept(number % 200 + 1, 10).await.unwrap();
        }
        is_over.store(true, Ordering::Relaxed);
    };
    let writing = async {
        while !is_over.load(Ordering::Relaxed) {
            take_ledger(&world.queue, &store, 7).await.unwrap();
        }
    };
    let looking = async {
        while !is_over.load(Ordering::Relaxed) {
            let found = deliveries(&world.queue, &store).await.unwrap();
            assert_eq!(found.missing, 0, "{found:?}");
            assert!(found.answered >= found.recorded, "{found:?}");
        }
    };
    tokio::join!(accepting, writing, looking);
    take_all(&world, &store).await.unwrap();
    let expected = Deliveries {
        answered: 300,
        recorded: 300,
        on_the_way: 0,
        missing: 0,
    };
    assert_eq!(deliveries(&world.queue, &store).await.unwrap(), expected);
}

#[tokio::test]
async fn deliveries_that_left_the_stream_unread_are_missing_by_their_number() {
    let (_folder, world, store) = world().await.unwrap();
    for number in 1..=5 {
        world.accept(number, 10).await.unwrap();
    }
    take_all(&world, &store).await.unwrap();
    for number in 6..=8 {
        world.accept(number, 10).await.unwrap();
    }
    assert_eq!(deliveries(&world.queue, &store).await.unwrap().on_the_way, 3);
    let mut redis = aside(&world).unwrap();
    let trim = || {
        redis::cmd("XTRIM")
            .arg("{bridge}:ledger")
            .arg("MAXLEN")
            .arg(0)
            .to_owned()
    };
    trim().exec(&mut redis).unwrap();
    assert_eq!(
        deliveries(&world.queue, &store).await.unwrap().missing,
        3,
        "the stream is empty"
    );
    take_all(&world, &store).await.unwrap();
    assert_eq!(
        lost(&world, &store).await.unwrap(),
        3,
        "a new life begins, and its number stays known"
    );
    assert_eq!(deliveries(&world.queue, &store).await.unwrap().missing, 0);

    for number in 9..=10 {
        world.accept(number, 10).await.unwrap();
    }
    trim().exec(&mut redis).unwrap();
    world.accept(11, 10).await.unwrap();
    take_all(&world, &store).await.unwrap();
    assert_eq!(lost(&world, &store).await.unwrap(), 2, "the next entry shows the gap");
    has_items(&store, 6).await.unwrap();
}

/// How many deliveries of the life before are nowhere.
async fn lost(world: &World, store: &Store) -> anyhow::Result<i64> {
    let (life, former) = store.unrepaired_life().await?.context("nothing is to be repaired")?;
    let present = world.queue.life(None).await?.life.context("Redis has no life")?;
    Ok(life.lost_before(&former, &present))
}

/// Makes a copy of the store as it is; returns its URL.
async fn copied(world: &World) -> anyhow::Result<String> {
    let pool = sqlx::AnyPool::connect(&world.url).await?;
    let copy = world.url.replace(".sqlite", ".copy.sqlite");
    let file = copy.trim_start_matches("sqlite://").trim_end_matches("?mode=rwc");
    let vacuum = format!("VACUUM INTO '{file}'");
    sqlx::query(sqlx::AssertSqlSafe(vacuum)).execute(&pool).await?;
    pool.close().await;
    Ok(copy)
}

/// An entry of the ledger that is no delivery.
async fn act(world: &World) -> anyhow::Result<()> {
    Ok(world
        .queue
        .note_act("gate/docmost:write", "ramp", "lea", "it is well")
        .await?)
}

/// Makes the newest entry one of the release before: they have no number.
fn take_number_away(world: &World) -> anyhow::Result<()> {
    let (mut redis, ledger, life) = (aside(world)?, "{bridge}:ledger", "{bridge}:life");
    let newest: Vec<(String, Vec<Vec<u8>>)> = redis::cmd("XREVRANGE")
        .arg(&[ledger, "+", "-", "COUNT", "1"])
        .query(&mut redis)?;
    let (id, fields) = newest.into_iter().next().context("the ledger is empty")?;
    let (facts, number) = fields.split_at(fields.len() - 2);
    anyhow::ensure!(number[0] == b"e", "{number:?}");
    redis::cmd("XDEL").arg(&[ledger, &id]).exec(&mut redis)?;
    redis::cmd("XADD").arg(&[ledger, "*"]).arg(facts).exec(&mut redis)?;
    redis::cmd("HINCRBY").arg(&[life, "entries", "-1"]).exec(&mut redis)?;
    Ok(())
}

#[tokio::test]
async fn entries_of_the_release_before_are_read_among_numbered_ones_and_a_worker_of_it_leaves_no_gap() {
    let (_folder, world, store) = world().await.unwrap();
    for is_of_before in [true, true, false, true, false, false, true] {
        act(&world).await.unwrap();
        if is_of_before {
            take_number_away(&world).unwrap();
        }
    }
    while take_ledger(&world.queue, &store, 2).await.unwrap() != Intake::Empty {}
    let life = store.life().await.unwrap().unwrap();
    assert_eq!((life.number, life.entries), (1, Some(3)));

    // A worker of the release before reads on: it moves the position, and forgets what it has read.
    for _ in 0..2 {
        act(&world).await.unwrap();
    }
    let read = world.queue.read_ledger(None, 10).await.unwrap();
    let pool = sqlx::AnyPool::connect(&world.url).await.unwrap();
    let position = "UPDATE ledger_position SET position = $1 WHERE id = 1";
    let moved = sqlx::query(position).bind(read[1].id.clone()).execute(&pool).await;
    assert_eq!(moved.unwrap().rows_affected(), 1);
    world.queue.trim_ledger(&read[1].id).await.unwrap();
    assert_eq!(store.life().await.unwrap().unwrap().entries, None);
    act(&world).await.unwrap();
    take_all(&world, &store).await.unwrap();
    let life = store.life().await.unwrap().unwrap();
    assert_eq!((life.number, life.entries), (1, Some(6)));
    assert_eq!(store.unrepaired_life().await.unwrap(), None);
}

#[tokio::test]
async fn a_store_that_was_restored_to_an_older_copy_is_noticed_also_where_no_delivery_is_missing() {
    let (_folder, world, store) = world().await.unwrap();
    world.accept(1, 10).await.unwrap();
    act(&world).await.unwrap();
    take_all(&world, &store).await.unwrap();
    let url = copied(&world).await.unwrap();
    act(&world).await.unwrap();
    take_all(&world, &store).await.unwrap();
    assert_eq!(store.unrepaired_life().await.unwrap(), None);
    drop(store);
    let mut restored = World { url, ..world };
    let store = restored.open().await.unwrap();
    take_all(&restored, &store).await.unwrap();
    assert_eq!(lost(&restored, &store).await.unwrap(), 0, "the stream is empty");
    assert_eq!(store.life().await.unwrap().unwrap().number, 2);

    // The same where entries follow; the numbers are known again.
    act(&restored).await.unwrap();
    take_all(&restored, &store).await.unwrap();
    let url = copied(&restored).await.unwrap();
    act(&restored).await.unwrap();
    take_all(&restored, &store).await.unwrap();
    drop(store);
    restored.url = url;
    let store = restored.open().await.unwrap();
    act(&restored).await.unwrap();
    take_all(&restored, &store).await.unwrap();
    assert_eq!(store.life().await.unwrap().unwrap().number, 3);
}

#[tokio::test]
async fn a_store_that_was_restored_to_an_older_copy_is_told_how_many_deliveries_it_lacks() {
    let (_folder, world, store) = world().await.unwrap();
    world.accept(1, 10).await.unwrap();
    take_all(&world, &store).await.unwrap();
    let url = copied(&world).await.unwrap();
    for number in 2..=5 {
        world.accept(number, 10).await.unwrap();
    }
    take_all(&world, &store).await.unwrap();
    drop(store);
    let restored = World { url, ..world };
    let store = restored.open().await.unwrap();
    restored.accept(6, 10).await.unwrap();
    take_all(&restored, &store).await.unwrap();
    assert_eq!(lost(&restored, &store).await.unwrap(), 4);
    has_items(&store, 2).await.unwrap();
}

#[tokio::test]
async fn a_redis_that_was_replaced_by_an_older_copy_begins_a_new_life_and_nothing_is_written_twice() {
    let (_folder, mut world, store) = world().await.unwrap();
    for number in 1..=3 {
        world.accept(number, 10).await.unwrap();
    }
    let copy = world.server.copy().unwrap();
    take_all(&world, &store).await.unwrap();
    for number in 4..=6 {
        world.accept(number, 10).await.unwrap();
    }
    take_all(&world, &store).await.unwrap();
    let first = store.life().await.unwrap().unwrap();
    world.server.go_back_to(&copy).unwrap();
    answers(&world).await;
    world.accept(7, 10).await.unwrap();
    take_all(&world, &store).await.unwrap();
    has_items(&store, 7).await.unwrap();
    let second = store.life().await.unwrap().unwrap();
    assert_eq!((first.number, second.number), (1, 2));
    assert_eq!(second.missing(), 0, "{second:?}");
    let (present, former) = store.unrepaired_life().await.unwrap().unwrap();
    assert_eq!((present.epoch, former.epoch), (second.epoch.clone(), first.epoch));
    store.end_repair(&second, 0).await.unwrap();
    assert_eq!(store.unrepaired_life().await.unwrap(), None);
    world.accept(8, 10).await.unwrap();
    take_all(&world, &store).await.unwrap();
    assert_eq!(deliveries(&world.queue, &store).await.unwrap().missing, 0);
}

#[tokio::test]
async fn a_redis_that_counts_on_past_the_store_before_anybody_looked_is_found_by_the_gap() {
    let (_folder, mut world, store) = world().await.unwrap();
    world.accept(1, 10).await.unwrap();
    let copy = world.server.copy().unwrap();
    for number in 2..=4 {
        world.accept(number, 10).await.unwrap();
    }
    take_all(&world, &store).await.unwrap();
    world.server.go_back_to(&copy).unwrap();
    answers(&world).await;
    for number in 5..=10 {
        world.accept(number, 10).await.unwrap();
    }
    take_all(&world, &store).await.unwrap();
    has_items(&store, 10).await.unwrap();
    assert_eq!(store.life().await.unwrap().unwrap().number, 2);
}

#[tokio::test]
async fn a_redis_that_lost_everything_begins_a_new_life() {
    let (_folder, world, store) = world().await.unwrap();
    for number in 1..=3 {
        world.accept(number, 10).await.unwrap();
    }
    take_all(&world, &store).await.unwrap();
    redis::cmd("FLUSHALL").exec(&mut aside(&world).unwrap()).unwrap();
    for number in 3..=5 {
        world.accept(number, 10).await.unwrap();
    }
    take_all(&world, &store).await.unwrap();
    assert_eq!(store.life().await.unwrap().unwrap().number, 2);
    // The third came again, and its claim was gone: it is another event.
    has_items(&store, 6).await.unwrap();
    assert_eq!(deliveries(&world.queue, &store).await.unwrap().missing, 0);
}

#[tokio::test]
async fn two_writers_that_see_a_new_life_at_once_begin_it_once() {
    let (_folder, world, store) = world().await.unwrap();
    let life = store.life().await.unwrap().unwrap();
    let ended = EndedLife {
        replaced: Some(life.epoch.clone()),
        former: Some(life.epoch),
        known: 0,
    };
    world.queue.begin_life(&ended).await.unwrap();
    let other = world.open().await.unwrap();
    let both = tokio::join!(
        take_ledger(&world.queue, &store, 10),
        take_ledger(&world.queue, &other, 10)
    );
    let both = (both.0.unwrap(), both.1.unwrap());
    assert!(both.0 == Intake::Moved || both.1 == Intake::Moved, "{both:?}");
    take_all(&world, &store).await.unwrap();
    assert_eq!(store.life().await.unwrap().unwrap().number, 2);
}
