//! Few calls at once over all replicas, whatever becomes of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use passerelle_queue::gate::{GatePolicy, GateTarget, Permits};
use test_support::{PATIENCE, eventually};
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::world::World;

const MOST: usize = 4;
/// How long a quick call of Docmost takes: the work of a call, not a wait for something.
const CALL: Duration = Duration::from_millis(5);

/// The target: how many calls are under way, and how many were at most.
#[derive(Debug, Default)]
struct Target {
    now: AtomicUsize,
    most: AtomicUsize,
    done: AtomicUsize,
}

impl Target {
    async fn answer(&self, takes: impl Future<Output = ()>) {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        takes.await;
        self.now.fetch_sub(1, Ordering::SeqCst);
        self.done.fetch_add(1, Ordering::SeqCst);
    }

    fn most(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }

    fn done(&self) -> usize {
        self.done.load(Ordering::SeqCst)
    }
}

fn permits(world: &World, most: usize) -> Permits {
    Permits::new(&world.replica().gates, GateTarget::Docmost, most)
}

/// `callers` at once make one call after the other, `calls` each.
fn load(permits: &Permits, target: &Arc<Target>, callers: usize, calls: usize) -> JoinSet<()> {
    let mut load = JoinSet::new();
    for _ in 0..callers {
        let (permits, target) = (permits.clone(), Arc::clone(target));
        load.spawn(async move {
            for _ in 0..calls {
                permits.acquire().await.during(target.answer(sleep(CALL))).await;
            }
        });
    }
    load
}

#[tokio::test(flavor = "multi_thread")]
async fn all_replicas_together_make_no_more_calls_at_once_than_allowed_and_one_alone_makes_as_many() {
    let world = World::start(GatePolicy::default()).unwrap();
    let alone = Arc::new(Target::default());
    load(&permits(&world, MOST), &alone, 16, 10).join_all().await;
    assert_eq!((alone.most(), alone.done()), (MOST, 160));

    let together = Arc::new(Target::default());
    let mut replicas: Vec<_> = (0..5)
        .map(|_| load(&permits(&world, MOST), &together, 16, 10))
        .collect();
    for replica in &mut replicas {
        while replica.join_next().await.is_some() {}
    }
    assert_eq!((together.most(), together.done()), (MOST, 800));
}

#[tokio::test]
async fn whoever_is_done_keeps_nothing_back() {
    let world = World::start(GatePolicy::default()).unwrap();
    let used = async || -> usize {
        let mut count = redis::cmd("ZCARD");
        world.ask(count.arg("{bridge}:gate:permits:docmost")).await.unwrap()
    };
    let permits = permits(&world, MOST);
    let permit = permits.acquire().await;
    assert_eq!(used().await, 1);
    permit.during(std::future::ready(())).await;
    assert_eq!(used().await, 0);
    load(&permits, &Arc::default(), 16, 10).join_all().await;
    assert_eq!(used().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_always_has_calls_leaves_permits_to_the_others() {
    let world = World::start(GatePolicy::default()).unwrap();
    let target = Arc::new(Target::default());
    let _greedy = load(&permits(&world, MOST), &target, 64, usize::MAX);
    eventually("all permits are used", async || {
        if target.most() == MOST {
            Ok(())
        } else {
            Err(target.most())
        }
    })
    .await;
    let others: Vec<_> = (0..3).map(|_| load(&permits(&world, MOST), &target, 1, 10)).collect();
    for other in others {
        timeout(PATIENCE, other.join_all()).await.expect("it is starved");
    }
    assert_eq!(target.most(), MOST);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_call_keeps_its_permit_and_a_replica_that_vanished_does_not() {
    let world = World::start(GatePolicy::default()).unwrap();
    let target = Arc::new(Target::default());
    let (vanishing, other) = (permits(&world, 1), permits(&world, 1));
    let end = Arc::new(Notify::new());
    let call = {
        let (permits, target, end) = (vanishing.clone(), Arc::clone(&target), Arc::clone(&end));
        tokio::spawn(async move { permits.acquire().await.during(target.answer(end.notified())).await })
    };
    eventually("the call is under way", async || {
        if target.most() == 1 { Ok(()) } else { Err(()) }
    })
    .await;
    // Longer than an unattended permit lives.
    let long = timeout(Duration::from_secs(5), other.acquire()).await;
    assert!(long.is_err(), "a permit in use was given to another replica");
    end.notify_one();
    call.await.unwrap();
    other.acquire().await.give_back().await;

    // This permit is never used and never renewed, as after a kill.
    let taken = Instant::now();
    let _vanished = vanishing.acquire().await;
    timeout(PATIENCE, other.acquire())
        .await
        .expect("its permit never expired")
        .give_back()
        .await;
    assert!(taken.elapsed() > Duration::from_secs(1), "it had not vanished yet");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_each_replica_keeps_to_the_limit_by_itself() {
    let mut world = World::start(GatePolicy::default()).unwrap();
    let target = Arc::new(Target::default());
    let permits = permits(&world, MOST);
    // Calls that are under way when Redis goes away, and calls after that.
    let may_end = Arc::new(Semaphore::new(0));
    let mut first = JoinSet::new();
    for _ in 0..MOST {
        let (permits, target, may_end) = (permits.clone(), Arc::clone(&target), Arc::clone(&may_end));
        first.spawn(async move {
            let end = async { drop(may_end.acquire().await) };
            permits.acquire().await.during(target.answer(end)).await;
        });
    }
    eventually("they are under way", async || {
        if target.most() == MOST {
            Ok(())
        } else {
            Err(target.most())
        }
    })
    .await;
    world.server.kill().unwrap();
    let later = load(&permits, &target, 16, 2);
    may_end.add_permits(MOST);
    timeout(PATIENCE, first.join_all()).await.expect("the first calls hang");
    timeout(PATIENCE, later.join_all()).await.expect("calls wait for Redis");
    assert_eq!((target.most(), target.done()), (MOST, MOST + 32));

    world.server.boot().unwrap();
    load(&permits, &target, 16, 2).join_all().await;
    assert_eq!((target.most(), target.done()), (MOST, MOST + 64));
}

/// As if the clock of Redis had been put forward (or back) by so many seconds: every moment that
/// was written shifts the other way.
async fn put_clock_forward(world: &World, seconds: i64) -> anyhow::Result<()> {
    const USED: &str = "{bridge}:gate:permits:docmost";
    let shift = "for _, token in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do redis.call('ZINCRBY', KEYS[1], ARGV[1], token) end
        if redis.call('EXISTS', KEYS[2]) == 1 then redis.call('INCRBY', KEYS[2], ARGV[1]) end";
    let mut eval = redis::cmd("EVAL");
    eval.arg(shift)
        .arg(2)
        .arg(USED)
        .arg(format!("{USED}:last-run"))
        .arg(-seconds * 1000);
    let () = world.ask(&eval).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_goes_back_ten_minutes_blocks_no_call_for_longer_than_a_lease() {
    let world = World::start(GatePolicy::default()).unwrap();
    let (vanishing, other) = (permits(&world, 1), permits(&world, 1));
    let _vanished = vanishing.acquire().await;
    put_clock_forward(&world, -600).await.unwrap();
    timeout(PATIENCE, other.acquire())
        .await
        .expect("the permit of a vanished process lasts until the clock is where it was")
        .give_back()
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumps_two_minutes_ahead_takes_no_permit_from_a_call() {
    let world = World::start(GatePolicy::default()).unwrap();
    let target = Arc::new(Target::default());
    let (calling, other) = (permits(&world, 1), permits(&world, 1));
    let end = Arc::new(Notify::new());
    let call = {
        let (permits, target, end) = (calling.clone(), Arc::clone(&target), Arc::clone(&end));
        tokio::spawn(async move { permits.acquire().await.during(target.answer(end.notified())).await })
    };
    eventually("the call is under way", async || {
        if target.most() == 1 { Ok(()) } else { Err(()) }
    })
    .await;
    put_clock_forward(&world, 120).await.unwrap();
    // Longer than the one more lease that a vanished call would get.
    let taken = timeout(Duration::from_secs(4), other.acquire()).await;
    assert!(taken.is_err(), "a permit in use was given to another replica");
    end.notify_one();
    call.await.unwrap();
    timeout(PATIENCE, other.acquire())
        .await
        .expect("the permit was given back")
        .give_back()
        .await;
}
