//! What `accept` promises.

use passerelle_model::event::{Disposition, EventKind, Item};
use passerelle_model::ledger::{LedgerEntry, LedgerRecord};
use passerelle_model::outcome::{IgnoredReason, Outcome};
use passerelle_queue::AcceptStatus;
use tokio::sync::Notify;

use crate::world::{World, delivery};

#[tokio::test]
async fn a_delivery_becomes_a_claim_a_fact_and_one_job_per_row() {
    let world = World::start().unwrap();
    let event = delivery("abc", &[1, 2]).unwrap();
    assert_eq!(
        world.queue.accept(event.clone()).await.unwrap().status(),
        AcceptStatus::Queued
    );
    assert_eq!(world.queue.stats().await.unwrap().active, 2);
    let seconds: i64 = world
        .ask(redis::cmd("TTL").arg("bridge:webhook:event:7-abc-0"))
        .await
        .unwrap();
    assert!((86_000..=86_400).contains(&seconds), "{seconds}");
    let facts = world.facts().await.unwrap();
    let [LedgerRecord::Accepted(record)] = facts.as_slice() else {
        panic!("{facts:?}")
    };
    assert_eq!((&record.key, &record.payload), (&event.key, &event.payload));
}

#[tokio::test]
async fn the_same_delivery_five_times_is_one_job_and_four_duplicates() {
    let world = World::start().unwrap();
    let mut statuses = Vec::new();
    for _ in 0..5 {
        statuses.push(
            world
                .queue
                .accept(delivery("abc", &[1]).unwrap())
                .await
                .unwrap()
                .status(),
        );
    }
    assert_eq!(statuses[0], AcceptStatus::Queued);
    assert!(statuses[1..].iter().all(|status| *status == AcceptStatus::Duplicate));
    assert_eq!(world.queue.stats().await.unwrap().active, 1);
    let duplicates = world
        .facts()
        .await
        .unwrap()
        .into_iter()
        .filter(|fact| matches!(fact, LedgerRecord::Duplicate { .. }));
    assert_eq!(duplicates.count(), 4);
}

#[tokio::test]
async fn the_same_delivery_many_times_at_once_is_new_exactly_once() {
    let world = World::start().unwrap();
    let accepting = (0..200).map(|_| world.queue.accept(delivery("abc", &[1]).unwrap()));
    let statuses = futures::future::join_all(accepting).await;
    let queued = statuses
        .iter()
        .filter(|status| status.as_ref().unwrap().status() == AcceptStatus::Queued);
    assert_eq!(queued.count(), 1);
    assert_eq!(world.queue.stats().await.unwrap().active, 1);
}

#[tokio::test]
async fn a_delivery_of_two_hundred_rows_and_a_thousand_at_once_are_all_accepted() {
    let world = World::start().unwrap();
    let rows: Vec<u64> = (1..=200).collect();
    world.accept(&rows).await.unwrap();
    let rows: Vec<u64> = (201..=1200).collect();
    let accepting = rows.chunks(1).map(|row| world.accept(row));
    assert!(futures::future::join_all(accepting).await.iter().all(Result::is_ok));
    assert_eq!(world.queue.stats().await.unwrap().active, 1200);
    assert_eq!(world.facts().await.unwrap().len(), 1001);
}

#[tokio::test]
async fn the_first_fact_of_an_empty_ledger_wakes_whoever_writes_it_down() {
    let world = World::start().unwrap();
    let wake = Notify::new();
    let told = async {
        wake.notified().await;
        for row in 1..=3 {
            world.accept(&[row]).await.unwrap();
            wake.notified().await;
            let written = world.queue.read_ledger(None, 10).await.unwrap();
            world.queue.trim_ledger(&written.last().unwrap().id).await.unwrap();
        }
    };
    tokio::select! {
        () = told => {}
        () = world.queue.listen_to_ledger(&wake) => {}
    }
}

#[tokio::test]
async fn a_delivery_without_work_is_recorded_and_ignored() {
    let world = World::start().unwrap();
    let mut event = delivery("test-call", &[]).unwrap();
    event.kind = EventKind::Other;
    event.table = None;
    event.items = vec![Item {
        row: None,
        disposition: Disposition::Closed(Outcome::Ignored(IgnoredReason::TestCall)),
    }];
    assert_eq!(world.queue.accept(event).await.unwrap().status(), AcceptStatus::Ignored);
    assert_eq!(world.queue.stats().await.unwrap().active, 0);
    assert_eq!(world.facts().await.unwrap().len(), 1);
}

#[tokio::test]
async fn pages_of_every_size_hold_each_ledger_entry_once() {
    let world = World::start().unwrap();
    for row in 1..=5 {
        world.accept(&[row]).await.unwrap();
    }
    world.queue.pause("anna", "maintenance").await.unwrap();
    world.accept(&[6]).await.unwrap();
    let all = world.queue.read_ledger(None, 100).await.unwrap();
    assert_eq!(all.len(), 7);
    for size in 1..=14 {
        let mut pages = Vec::new();
        loop {
            let last = pages.last().map(|entry: &LedgerEntry| entry.id.clone());
            let page = world.queue.read_ledger(last.as_deref(), size).await.unwrap();
            assert!(page.len() <= size);
            if page.is_empty() {
                break;
            }
            pages.extend(page);
        }
        assert_eq!(pages, all, "pages of {size}");
    }
}

#[tokio::test]
async fn trimmed_ledger_entries_are_gone_and_the_next_one_is_not() {
    let world = World::start().unwrap();
    for row in 1..=3 {
        world.accept(&[row]).await.unwrap();
    }
    let entries = world.queue.read_ledger(None, 4).await.unwrap();
    assert_eq!(entries.len(), 2);
    world.queue.trim_ledger(&entries[1].id).await.unwrap();
    let left = world.queue.read_ledger(None, 10).await.unwrap();
    assert_eq!(left.len(), 1);
    assert!(left[0].seq > entries[1].seq);
    assert!(world.queue.read_ledger(Some(&left[0].id), 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_server_that_keeps_its_data_is_recognised() {
    let world = World::start().unwrap();
    let facts = world.redis.server_facts().await.unwrap();
    assert!(facts.append_only && facts.append_fsync.is_some());
    assert_eq!((facts.eviction_policy.as_str(), facts.max_memory), ("noeviction", 0));
    world.redis.check_write().await.unwrap();
}

#[tokio::test]
async fn a_redis_that_allows_no_transactions_is_not_ready() {
    let world = World::start().unwrap();
    let _: () = world
        .ask(redis::cmd("ACL").arg("SETUSER").arg("default").arg("-multi"))
        .await
        .unwrap();
    assert!(world.redis.check_write().await.is_err());
}
