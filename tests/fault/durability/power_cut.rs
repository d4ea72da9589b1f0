//! A power cut under load: Redis is killed, and its file cut to what it had synced.

use system_tests::System;
use test_support::{FragileRedis, Fsync, eventually};

use crate::load::{Answered, Load, spool_is_empty};

struct Outcome {
    answered: Vec<Answered>,
    lost: Vec<String>,
    bytes: u64,
}

/// Cuts the power when `is_time` says so, of how many were answered and how many bytes are synced;
/// then looks what is left.
async fn cut(fsync: Fsync, mut is_time: impl FnMut(usize, u64) -> bool) -> anyhow::Result<Outcome> {
    let mut redis = FragileRedis::start(fsync)?;
    let system = System::builder()
        .workers(0)
        .without_webhook()
        .variable("REDIS_URL", &redis.server.url())
        .variable("LOOP_EVENTS", "0")
        .start()
        .await?;
    let load = Load::start(&system, 50);
    load.goes_on(300).await;
    eventually("the time of the cut", async || {
        let (answered, (synced, _)) = (load.answered(), redis.synced().map_err(|error| error.to_string())?);
        if is_time(answered, synced) {
            Ok(())
        } else {
            Err(format!("{answered} answered, {synced} bytes synced"))
        }
    })
    .await;
    let bytes = redis.cut_power()?;
    load.goes_on(100).await;
    redis.server.boot()?;
    load.goes_on(100).await;
    let answered = load.stop().await?;
    spool_is_empty(&system).await;
    let accepted = system.accepted().await?;
    system.expect_open(50);
    anyhow::ensure!(accepted.values().all(|times| *times == 1), "{accepted:?}");
    let is_lost = |answered: &&Answered| !accepted.contains_key(&answered.event);
    let lost = answered
        .iter()
        .filter(is_lost)
        .map(|answered| answered.event.clone())
        .collect();
    Ok(Outcome { answered, lost, bytes })
}

#[tokio::test]
async fn a_power_cut_loses_no_answered_delivery_where_redis_syncs_always() {
    let Outcome { answered, lost, bytes } = cut(Fsync::Always, |answered, _| answered >= 600).await.unwrap();
    println!(
        "always: {} of {} answered deliveries lost; the cut took {bytes} bytes",
        lost.len(),
        answered.len()
    );
    assert!(lost.is_empty(), "answered 200 and lost: {lost:?}");
}

/// What it costs to sync once per second only. It also shows that the cut is one.
#[tokio::test]
async fn a_power_cut_loses_what_was_answered_since_the_last_sync_where_redis_syncs_every_second() {
    let mut last = (0, 0);
    let cut = cut(Fsync::Everysec, |answered, synced| {
        if synced != last.1 {
            last = (answered, synced);
        }
        answered >= last.0 + 40
    });
    let Outcome { answered, lost, bytes } = cut.await.unwrap();
    println!(
        "everysec: {} of {} answered deliveries lost; the cut took {bytes} bytes",
        lost.len(),
        answered.len()
    );
    assert!(!lost.is_empty(), "40 deliveries were answered since the last sync");
}
