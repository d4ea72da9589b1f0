//! A clock of Redis that jumps. Ahead: everything looks due and every lease expired. Back: what was
//! to happen soon lies far ahead.

use std::sync::Arc;
use std::time::Duration;

use passerelle_model::id::{ProcessName, RowKey};
use passerelle_model::ledger::Verdict;
use passerelle_queue::loops::{LoopPolicy, Loops};
use passerelle_queue::{Lock, WorkerInfo};
use rstest::rstest;
use test_support::{TestRedis, eventually};
use tokio::sync::Semaphore;

use crate::world::{Worker, World, failure, settlement, synced};

const HOUR: i64 = 3_600;
const MINUTE_MS: u64 = 60_000;

fn world(wrong_by: i64) -> anyhow::Result<World> {
    let server = TestRedis::start_with_clock()?;
    server.set_clock(wrong_by)?;
    World::start_on(server)
}

fn retried() -> Verdict {
    Verdict::Retry {
        after_ms: MINUTE_MS,
        failure: failure(),
    }
}

fn held() -> Verdict {
    Verdict::Hold {
        after_ms: MINUTE_MS,
        failure: failure(),
    }
}

#[rstest]
#[case::after_a_failure(retried())]
#[case::after_a_hold(held())]
#[tokio::test]
async fn a_job_that_waits_since_before_the_clock_went_back_is_due(#[case] verdict: Verdict) {
    let world = world(HOUR).unwrap();
    world.accept(&[1]).await.unwrap();
    let mut first = Some(verdict);
    let worker = world.worker(1, move |leased| {
        let ending = first.take().map_or_else(synced, settlement);
        async move {
            leased.settle(ending).await;
        }
    });
    eventually("the job waits", async || {
        let stats = world.queue.stats().await.map_err(|error| error.to_string())?;
        if stats.scheduled == 1 {
            Ok(())
        } else {
            Err(format!("{stats:?}"))
        }
    })
    .await;
    world.server.set_clock(0).unwrap();
    world.drained().await;
    worker.stop().await.unwrap();
    assert_eq!(world.each_item_ended_once().await.unwrap(), 1);
}

/// A handler that settles as soon as `gate` lets it.
fn gated(world: &World, gate: &Arc<Semaphore>) -> Worker {
    let gate = Arc::clone(gate);
    world.worker(4, move |leased| {
        let gate = Arc::clone(&gate);
        async move {
            if let Ok(pass) = gate.acquire().await {
                pass.forget();
                leased.settle(synced()).await;
            }
        }
    })
}

#[rstest]
#[case::two_minutes(120)]
#[case::an_hour(HOUR)]
#[tokio::test]
async fn a_clock_that_jumps_ahead_buries_nobody_and_runs_no_job_twice(#[case] by: i64) {
    let world = world(0).unwrap();
    let gate = Arc::new(Semaphore::new(0));
    let workers = [gated(&world, &gate), gated(&world, &gate)];
    let rows: Vec<u64> = (1..=8).collect();
    world.accept(&rows).await.unwrap();
    eventually("eight jobs run", async || world.running(8).await).await;
    world.server.set_clock(by).unwrap();
    // Wakes all workers: each sees eight leases that look expired.
    world.accept(&[9]).await.unwrap();
    eventually("every lease is renewed", async || {
        let now = world
            .queue
            .clock()
            .await
            .map_err(|error| error.to_string())?
            .as_millis();
        for row in &rows {
            let expiry = world
                .expiry_of(&format!("t12/r{row}"))
                .await
                .map_err(|error| error.to_string())?;
            if expiry <= now {
                return Err(format!("the lease of row {row} ended at {expiry}, it is {now}"));
            }
        }
        Ok(())
    })
    .await;
    gate.add_permits(1000);
    world.drained().await;
    for worker in workers {
        worker.stop().await.unwrap();
    }
    assert_eq!(world.crashes().await.unwrap(), 0);
    assert_eq!(world.each_item_ended_once().await.unwrap(), 9);
}

fn loops(world: &World) -> Loops {
    Loops::new(
        world.redis.clone(),
        LoopPolicy {
            events: 1,
            window: Duration::from_mins(1),
            cool_down: Duration::from_mins(5),
        },
    )
}

fn row() -> anyhow::Result<RowKey> {
    Ok("t12/r1".parse()?)
}

#[tokio::test]
async fn a_row_that_was_parked_before_the_clock_went_back_is_free() {
    let world = world(HOUR).unwrap();
    let loops = loops(&world);
    assert!(loops.count(row().unwrap(), 7, 2).await.unwrap());
    assert!(loops.parked(row().unwrap()).await.unwrap().is_some());
    world.server.set_clock(0).unwrap();
    assert_eq!(loops.parked(row().unwrap()).await.unwrap(), None);
    assert_eq!(loops.list(10).await.unwrap(), []);
    assert!(
        loops.count(row().unwrap(), 8, 2).await.unwrap(),
        "it can be parked again"
    );
}

#[rstest]
#[case::behind(-HOUR)]
#[case::ahead(HOUR)]
#[tokio::test]
async fn how_long_a_row_is_parked_is_told_by_the_clock_of_redis_alone(#[case] wrong_by: i64) {
    let world = world(wrong_by).unwrap();
    let loops = loops(&world);
    assert!(loops.count(row().unwrap(), 7, 2).await.unwrap());
    let parked = loops.parked(row().unwrap()).await.unwrap().expect("it is parked");
    assert!(
        parked.left > Duration::from_mins(4) && parked.left <= Duration::from_mins(5),
        "{parked:?}"
    );
    let listed = loops.list(10).await.unwrap();
    assert!(listed.len() == 1 && listed[0].until == parked.until, "{listed:?}");
}

#[tokio::test]
async fn events_that_were_counted_before_the_clock_went_back_are_forgotten_after_their_window() {
    let world = world(HOUR).unwrap();
    let loops = loops(&world);
    assert!(!loops.count(row().unwrap(), 7, 1).await.unwrap());
    world.server.set_clock(0).unwrap();
    assert!(!loops.count(row().unwrap(), 7, 0).await.unwrap());
    let keys: Vec<String> = world.ask(redis::cmd("KEYS").arg("*0000000000000007")).await.unwrap();
    let left: i64 = world.ask(redis::cmd("PTTL").arg(&keys)).await.unwrap();
    assert!(left > 0 && left <= 60_000, "{left}");
}

#[tokio::test]
async fn a_lock_whose_holder_vanished_before_the_clock_went_back_lasts_no_longer_than_its_length() {
    let world = world(HOUR).unwrap();
    let lock = |name: &str| {
        let key = "bridge:lock".to_owned();
        Lock::new(
            world.redis.clone(),
            key,
            ProcessName::unique(name),
            Duration::from_secs(1),
        )
    };
    let (vanished, heir) = (lock("vanished"), lock("heir"));
    assert!(vanished.take().await.unwrap());
    assert!(!heir.take().await.unwrap() && !heir.let_go().await.unwrap());
    world.server.set_clock(0).unwrap();
    eventually("the heir has the lock", async || match heir.take().await {
        Ok(true) => Ok(()),
        other => Err(other),
    })
    .await;
    assert!(!vanished.take().await.unwrap() && heir.let_go().await.unwrap());
}

#[tokio::test]
async fn what_was_counted_before_the_clock_went_back_is_forgotten_after_its_window() {
    let world = world(HOUR).unwrap();
    let window = Duration::from_mins(1);
    let count = || world.redis.count_within("bridge:logins", window);
    assert_eq!(count().await.unwrap().0, 1);
    world.server.set_clock(0).unwrap();
    let (count, left) = count().await.unwrap();
    assert!(count == 2 && left <= window, "{count} {left:?}");
}

#[tokio::test]
async fn a_worker_that_vanished_before_the_clock_went_back_does_not_look_alive_for_ever() {
    let world = world(HOUR).unwrap();
    let worker = |name| WorkerInfo::of_this_process(ProcessName::unique(name), 4);
    let (vanished, living) = (worker("vanished"), worker("living"));
    world.queue.beat(&vanished).await.unwrap();
    world.server.set_clock(0).unwrap();
    world.queue.beat(&living).await.unwrap();
    eventually("one worker is left", async || {
        world.queue.beat(&living).await.map_err(|error| error.to_string())?;
        let workers = world.queue.workers().await.map_err(|error| error.to_string())?;
        if workers == [living.clone()] {
            Ok(())
        } else {
            Err(format!("{workers:?}"))
        }
    })
    .await;
}

#[tokio::test]
async fn the_alert_about_dead_letters_is_told_anew_after_its_length_although_the_clock_went_back() {
    let world = world(HOUR).unwrap();
    let day = Duration::from_hours(24);
    let since = world.redis.alert("dead", day).await.unwrap();
    world.server.set_clock(0).unwrap();
    assert_eq!(world.redis.alert("dead", day).await.unwrap(), since);
    let left: u64 = world.ask(redis::cmd("PTTL").arg("{bridge}:dead-alert")).await.unwrap();
    assert!(Duration::from_millis(left) <= day, "{left}");
}
