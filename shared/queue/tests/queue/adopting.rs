//! Tasks of a stock apalis-redis 1.0.0 producer become jobs of ours. These tests also pin the part
//! of its layout that adoption relies on.

use std::collections::{HashMap, HashSet};

use apalis::prelude::TaskSink as _;
use apalis_redis::{Config, RedisStorage};
use passerelle_model::event::EventKind;
use passerelle_model::ledger::LedgerRecord;
use passerelle_queue::{Leased, Redis};
use serde_json::{Value, json};
use test_support::eventually;
use tokio::sync::mpsc;

use crate::world::{World, synced};

fn producer(world: &World) -> RedisStorage<Value, Redis> {
    RedisStorage::new(world.redis.clone()).with_config(Config::default().queue("{bridge}:sync"))
}

#[tokio::test]
async fn a_stock_push_writes_data_meta_and_a_waiting_second() {
    let world = World::start().unwrap();
    producer(&world).push(json!({ "table": 12, "row": 345 })).await.unwrap();
    let data: HashMap<String, String> = world
        .ask(redis::cmd("HGETALL").arg("{bridge}:sync:data"))
        .await
        .unwrap();
    let (id, arguments) = data.iter().next().unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(arguments).unwrap(),
        json!({ "table": 12, "row": 345 })
    );
    let second: i64 = world
        .ask(redis::cmd("ZSCORE").arg("{bridge}:sync:scheduled").arg(id))
        .await
        .unwrap();
    assert!(second < 100_000_000_000, "a stock task waits by the second");
    let meta: i64 = world
        .ask(redis::cmd("EXISTS").arg(format!("{{bridge}}:sync:meta:{id}")))
        .await
        .unwrap();
    assert_eq!(meta, 1);
    let active: i64 = world.ask(redis::cmd("LLEN").arg("{bridge}:sync:active")).await.unwrap();
    assert_eq!(active, 0);
}

#[tokio::test]
async fn twenty_thousand_tasks_of_a_stock_producer_are_run_once_each_by_two_workers() {
    const TASKS: u64 = 20_000;
    let world = World::start().unwrap();
    let mut producer = producer(&world);
    for from in (1..=TASKS).step_by(500) {
        let tasks = (from..from + 500).map(|row| json!({ "table": 12, "row": row }));
        producer.push_bulk(tasks.collect()).await.unwrap();
    }
    let (sender, mut runs) = mpsc::unbounded_channel();
    let handler = || {
        let sender = sender.clone();
        move |leased: Leased| {
            let _ = sender.send(leased.job().clone());
            async move {
                leased.settle(synced()).await;
            }
        }
    };
    let workers = [world.worker(64, handler()), world.worker(64, handler())];
    let mut rows = HashSet::new();
    while (rows.len() as u64) < TASKS {
        let job = runs.recv().await.unwrap();
        assert!(job.kinds.contains(EventKind::Forced));
        assert!(rows.insert(job.key), "run twice");
    }
    world.drained().await;
    for worker in workers {
        worker.stop().await.unwrap();
    }
    assert!(runs.try_recv().is_err(), "run twice");
    let left: Vec<String> = world.ask(redis::cmd("KEYS").arg("{bridge}:sync:[dms]*")).await.unwrap();
    assert_eq!(left, Vec::<String>::new(), "nothing of the producer is left behind");
    let facts = world.facts().await.unwrap();
    let adopted = facts
        .iter()
        .filter(|fact| matches!(fact, LedgerRecord::Accepted(event) if event.source.as_str() == "apalis"));
    assert_eq!(adopted.count() as u64, TASKS);
    assert!(!facts.iter().any(|fact| matches!(fact, LedgerRecord::Duplicate { .. })));
}

#[tokio::test]
async fn a_task_with_unreadable_arguments_is_a_dead_letter_and_stops_nobody() {
    let world = World::start().unwrap();
    world.errors.expect("arguments cannot be read");
    let mut producer = producer(&world);
    producer.push(json!({ "table": 0, "row": "x" })).await.unwrap();
    producer.push(json!({ "table": 12, "row": 1 })).await.unwrap();
    let worker = world.worker(1, |leased| async move {
        leased.settle(synced()).await;
    });
    world.drained().await;
    eventually("the other one is done", async || world.facts_of(3).await).await;
    worker.stop().await.unwrap();
    let letters = world.queue.dead_letters(None, 10).await.unwrap();
    assert_eq!(letters.len(), 1);
    assert!(letters[0].job.to_string().starts_with("apalis/"));
    assert!(letters[0].failure.body.as_ref().unwrap().contains("table"));
    assert_eq!(world.each_item_ended_once().await.unwrap(), 2);
}
