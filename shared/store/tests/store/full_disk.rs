//! A database that rolls back by itself (a full disk, an I/O error): nothing that it has not
//! committed leaves Redis, and it is written again as soon as there is room.

use std::io::Write as _;
use std::process::Command;

use anyhow::{Context as _, ensure};
use passerelle_model::id::Slot;
use passerelle_model::time::Timestamp;
use passerelle_store::{Store, take_ledger};

use crate::history::row;
use crate::intake::{World, has_items, take_all};

const EVENTS: u64 = 40;

async fn accept_all(world: &World, bytes: usize) -> anyhow::Result<()> {
    for number in 1..=EVENTS {
        world.accept(number, bytes).await?;
    }
    Ok(())
}

/// What a writer does while the disk is full: it tries again, and Redis keeps everything.
async fn fails_to_write(world: &World, store: &Store) -> anyhow::Result<()> {
    for _try in 0..3 {
        let error = take_ledger(&world.queue, store, 500).await.err();
        ensure!(error.is_some(), "a full disk was written to");
    }
    let kept = world.queue.read_ledger(None, 1000).await?;
    ensure!(
        u64::try_from(kept.len())? == EVENTS,
        "only {} entries are left in Redis",
        kept.len()
    );
    Ok(())
}

/// Everything is written once, and no connection is left that keeps others from writing.
async fn writes_all(world: &World, store: &Store) -> anyhow::Result<()> {
    take_all(world, store).await?;
    let another = world.open().await?;
    another.check_write().await.context("another program cannot write")?;
    has_items(&another, i64::try_from(EVENTS)?).await
}

/// Lets the next inserts fail as SQLite does: `ROLLBACK` ends the transaction (a full disk in the
/// middle), `FAIL` leaves it open (a full disk at its end).
async fn break_inserts(url: &str, how: &str) -> anyhow::Result<()> {
    let pool = sqlx::AnyPool::connect(url).await?;
    let full = format!("CREATE TRIGGER full BEFORE INSERT ON items BEGIN SELECT RAISE({how}, 'disk is full'); END");
    sqlx::query("DROP TRIGGER IF EXISTS full").execute(&pool).await?;
    if !how.is_empty() {
        sqlx::query(sqlx::AssertSqlSafe(full)).execute(&pool).await?;
    }
    pool.close().await;
    Ok(())
}

#[tokio::test]
async fn nothing_leaves_redis_while_the_database_rolls_back_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::start(folder.path()).unwrap();
    let store = world.open().await.unwrap();
    take_all(&world, &store).await.unwrap();
    accept_all(&world, 10).await.unwrap();
    // On one connection: after the first the driver no longer knows what is open, after the second
    // a transaction is open that no COMMIT of the driver ends.
    for how in ["ROLLBACK", "FAIL"] {
        break_inserts(&world.url, how).await.unwrap();
        assert!(take_ledger(&world.queue, &store, 500).await.is_err());
    }
    break_inserts(&world.url, "").await.unwrap();
    writes_all(&world, &store).await.unwrap();
}

/// A file system of 3 MB, unmounted when dropped. `None` without the right to mount one.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> anyhow::Result<Option<Self>> {
        let folder = tempfile::tempdir()?;
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=3m", "tmpfs"]).arg(folder.path());
        Ok(mount.output()?.status.success().then_some(Self(folder)))
    }

    /// Fills what is left with another file.
    fn fill(&self) -> anyhow::Result<()> {
        let mut file = std::fs::File::create(self.ballast())?;
        while file.write_all(&[1; 4096]).is_ok() {}
        Ok(())
    }

    fn ballast(&self) -> std::path::PathBuf {
        self.0.path().join("ballast")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).output();
    }
}

#[tokio::test]
async fn nothing_leaves_redis_while_the_disk_of_the_store_is_full() {
    let Some(disk) = SmallDisk::mount().unwrap() else {
        // Only root may mount; the test above holds the same without a disk.
        return;
    };
    let world = World::start(disk.0.path()).unwrap();
    let store = world.open().await.unwrap();
    take_all(&world, &store).await.unwrap();
    accept_all(&world, 20_000).await.unwrap();
    disk.fill().unwrap();
    fails_to_write(&world, &store).await.unwrap();
    std::fs::remove_file(disk.ballast()).unwrap();
    writes_all(&world, &store).await.unwrap();
}

#[tokio::test]
async fn an_intent_that_the_disk_had_no_room_for_is_an_error() {
    let Some(disk) = SmallDisk::mount().unwrap() else {
        // Only root may mount.
        return;
    };
    let world = World::start(disk.0.path()).unwrap();
    let (store, another) = (world.open().await.unwrap(), world.open().await.unwrap());
    disk.fill().unwrap();
    // The log of the database may have room that it used before.
    for number in 1..10_000 {
        let row = row(number).unwrap();
        let Ok(intent) = store.open_intent(row, &Slot::page(), Timestamp::now()).await else {
            return;
        };
        let stored = another.intent(row, &Slot::page()).await.unwrap();
        assert!(stored.is_some(), "the intent of row {number} is nowhere: {intent:?}");
    }
    panic!("the disk was never full");
}
