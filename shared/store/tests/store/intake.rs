//! Moving facts from a real Redis into the store: what Redis loses, and batches that are too heavy.

use std::path::Path;

use anyhow::{Context as _, ensure};
use passerelle_model::config::{Reader, RedisSettings, StoreSettings};
use passerelle_model::event::{Disposition, NewEvent};
use passerelle_model::ledger::LedgerRecord;
use passerelle_queue::{Queue, QueueName, Redis};
use passerelle_store::{Intake, Store, take_ledger};
use test_support::TestRedis;

use crate::history::accepted;

/// A Redis with its queue, and where a store of its own is.
pub(crate) struct World {
    pub(crate) queue: Queue,
    pub(crate) url: String,
    pub(crate) server: TestRedis,
}

impl World {
    pub(crate) fn start(folder: &Path) -> anyhow::Result<Self> {
        let server = TestRedis::start()?;
        let settings = [("REDIS_URL", server.url())];
        let redis = Redis::open(&RedisSettings::read(&mut Reader::from_pairs(settings)))?;
        Ok(Self {
            queue: Queue::new(redis, QueueName::Sync),
            url: format!("sqlite://{}/store.sqlite?mode=rwc", folder.display()),
            server,
        })
    }

    pub(crate) async fn open(&self) -> anyhow::Result<Store> {
        Ok(Store::open(&StoreSettings::at(self.url.as_str())).await?)
    }

    /// Accepts a delivery of one row with a payload that cannot be compressed.
    pub(crate) async fn accept(&self, number: u64, bytes: usize) -> anyhow::Result<()> {
        let event = accepted(1, &format!("event-{number}"), &[(number, Disposition::Sync)])?;
        let LedgerRecord::Accepted(event) = event else {
            anyhow::bail!("no accepted delivery");
        };
        let mut noise = number;
        let payload = (0..bytes)
            .map(|_| {
                noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                noise.to_be_bytes()[0]
            })
            .collect();
        let _durable = self.queue.accept(NewEvent { payload, ..event }).await?;
        Ok(())
    }

    /// The stream as a Redis has it that lost everything in it, and whose clock is far behind.
    fn go_back(&self) -> anyhow::Result<()> {
        let mut redis = redis::Client::open(self.server.url())?.get_connection()?;
        let streams: Vec<String> = redis::cmd("KEYS").arg("*ledger*").query(&mut redis)?;
        let ledger = streams.first().context("there is no ledger stream")?;
        let entry: redis::Value = redis::cmd("XRANGE").arg(ledger).arg("-").arg("+").query(&mut redis)?;
        let redis::Value::Array(entries) = entry else {
            anyhow::bail!("no entries");
        };
        redis::cmd("DEL").arg(ledger).exec(&mut redis)?;
        for (number, entry) in entries.into_iter().enumerate() {
            let (_, fields): (String, Vec<Vec<u8>>) = redis::from_redis_value(entry)?;
            let id = format!("1000-{number}");
            redis::cmd("XADD").arg(ledger).arg(id).arg(fields).exec(&mut redis)?;
        }
        Ok(())
    }
}

pub(crate) async fn take_all(world: &World, store: &Store) -> anyhow::Result<()> {
    while take_ledger(&world.queue, store, 500).await? != Intake::Empty {}
    Ok(())
}

/// Everything is in the store once, and the two ways to count agree.
pub(crate) async fn has_items(store: &Store, items: i64) -> anyhow::Result<()> {
    let (counts, recount) = (store.counts().await?, store.recount().await?);
    ensure!(
        counts == recount && counts.items == items && counts.missing() == 0,
        "{counts:?}\n{recount:?}"
    );
    Ok(())
}

#[tokio::test]
async fn entries_that_redis_stamped_before_the_position_are_read_and_not_trimmed() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::start(folder.path()).unwrap();
    let store = world.open().await.unwrap();
    world.accept(1, 10).await.unwrap();
    take_all(&world, &store).await.unwrap();
    for number in 2..=4 {
        world.accept(number, 10).await.unwrap();
    }
    world.go_back().unwrap();
    take_all(&world, &store).await.unwrap();
    has_items(&store, 4).await.unwrap();
    assert!(world.queue.read_ledger(None, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_the_store_has_already_is_not_written_twice_when_redis_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::start(folder.path()).unwrap();
    let store = world.open().await.unwrap();
    for number in 1..=3 {
        world.accept(number, 10).await.unwrap();
    }
    let entries = world.queue.read_ledger(None, 100).await.unwrap();
    store.record(&entries, None).await.unwrap();
    let position = store.ledger_position().await.unwrap();
    store.record(&entries, position.as_deref()).await.unwrap();
    has_items(&store, 3).await.unwrap();
}

#[tokio::test]
async fn another_delivery_under_an_id_that_redis_has_used_before_is_kept_too() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::start(folder.path()).unwrap();
    let store = world.open().await.unwrap();
    for number in 1..=2 {
        world.accept(number, 10).await.unwrap();
    }
    let entries = world.queue.read_ledger(None, 100).await.unwrap();
    let [first, second] = &entries[..] else {
        panic!("two entries, not {}", entries.len());
    };
    store.record(std::slice::from_ref(first), None).await.unwrap();
    let mut other = second.clone();
    (other.id, other.seq) = (first.id.clone(), first.seq);
    store.record(&[other], Some(&first.id)).await.unwrap();
    has_items(&store, 2).await.unwrap();
}

#[tokio::test]
async fn a_batch_of_heavy_deliveries_is_cut_by_its_weight() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::start(folder.path()).unwrap();
    let store = world.open().await.unwrap();
    for number in 1..=10 {
        world.accept(number, 300_000).await.unwrap();
    }
    let life_begins = [
        take_ledger(&world.queue, &store, 1).await.unwrap(),
        take_ledger(&world.queue, &store, 1).await.unwrap(),
    ];
    assert_eq!(life_begins, [Intake::Moved; 2]);
    // Twenty entries may weigh 1.25 MB together: four of these.
    assert_eq!(take_ledger(&world.queue, &store, 20).await.unwrap(), Intake::Taken(4));
    // A batch of one entry takes it, whatever it weighs.
    assert_eq!(take_ledger(&world.queue, &store, 1).await.unwrap(), Intake::Taken(1));
    take_all(&world, &store).await.unwrap();
    has_items(&store, 10).await.unwrap();
}
