//! The laws of the queue, as properties: random histories on a real Redis beside a small model of
//! what ought to be.
//!
//! - Law 1: an accepted event ends exactly once, as long as workers run.
//! - Law 2: a key never runs twice at once.
//! - Law 3: a key that changed while it ran runs again.
//! - Law 4: a row that died has one letter, which says how often; nothing but replay or discard removes it.
//! - Law 6: a script repeated after a lost answer changes nothing more.
//! - Law 7: the entries of the ledger are numbered without a gap.
//! - Law 8: a Redis that lost its tail is as it was, and whoever held a job before holds it no more.
//!
//! Law 5, the flat cost, is measured by the bench.

#![cfg(test)]

mod judge;
mod model;
mod power_cut;
mod world;

use crate::accepting::accept::Prepared;
use crate::accepting::submission::Submission;
use passerelle_model::id::{RowId, RowKey, TableId};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::sync::atomic::{AtomicUsize, Ordering};
use test_support::TestRedis;

use model::{step, updated};
use world::World;

#[test]
fn the_laws_hold_in_every_history() {
    let server = TestRedis::start().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let histories = AtomicUsize::new(0);
    let config = Config {
        cases: 40,
        max_shrink_iters: 300,
        failure_persistence: None,
        ..Config::default()
    };
    let history = prop::collection::vec(step(), 1..80);
    TestRunner::new(config)
        .run(&history, |steps| {
            let prefix = format!("history{}", histories.fetch_add(1, Ordering::Relaxed));
            runtime.block_on(async {
                let mut world = World::new(&server, prefix);
                for step in &steps {
                    world.take(step).await?;
                    world.check().await?;
                }
                world.drain().await
            })
        })
        .unwrap();
}

/// Law 6 for calls that lay in a socket for a while: a newer call has replaced the answer that was
/// kept.
#[tokio::test]
async fn a_call_that_is_carried_out_once_more_after_a_newer_one_changes_nothing() {
    let server = TestRedis::start().unwrap();
    let world = World::new(&server, "late".to_owned());
    let redis = &world.queue.inner.redis;
    let submission = |row: u64| {
        let key = RowKey {
            table: TableId::new(1).unwrap(),
            row: RowId::new(row).unwrap(),
        };
        let event = updated(key, &format!("e{row}")).unwrap();
        Submission::new(Prepared::new(&event, None).unwrap())
    };
    let early = world
        .acceptor
        .call(&[submission(1), submission(2), submission(1)])
        .unwrap();
    let newer = world.acceptor.call(&[submission(3)]).unwrap();
    assert_eq!(early.send::<String>(redis).await.unwrap(), "110 3 ");
    assert_eq!(newer.send::<String>(redis).await.unwrap(), "1 4 3");
    let before = world.snapshot().await.unwrap();
    assert_eq!(early.send::<String>(redis).await.unwrap(), "110");
    assert_eq!(world.snapshot().await.unwrap(), before);
    let ledger = world.queue.read_ledger(None, 10).await.unwrap();
    let facts: Vec<usize> = ledger.iter().map(|entry| entry.records.len()).collect();
    assert_eq!(facts, [3, 1]);
}
