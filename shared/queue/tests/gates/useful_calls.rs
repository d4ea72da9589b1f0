//! As many calls at once as are useful, over all replicas: whatever the target gains or loses by
//! more.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use passerelle_queue::gate::{GatePolicy, GateTarget, Permits};
use rstest::rstest;
use test_support::eventually;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use crate::world::World;

const MOST: usize = 16;

/// A target whose answers take their time.
#[derive(Debug)]
enum Nature {
    /// Each call takes as long as any other: more at once is always more.
    Gains,
    /// So many calls at once; the others wait in its line.
    Lines(Semaphore),
    /// Calls hinder each other: two at once are done later than one after the other.
    Suffers,
}

#[derive(Debug)]
struct Target {
    nature: Nature,
    under_way: AtomicUsize,
    done: AtomicUsize,
}

impl Target {
    fn new(nature: Nature) -> Arc<Self> {
        Arc::new(Self {
            nature,
            under_way: AtomicUsize::new(0),
            done: AtomicUsize::new(0),
        })
    }

    async fn answer(&self) {
        const CALL: Duration = Duration::from_millis(100);
        let at_once = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        match &self.nature {
            Nature::Gains => sleep(CALL).await,
            Nature::Lines(line) => {
                let turn = line.acquire().await;
                sleep(CALL).await;
                drop(turn);
            }
            Nature::Suffers => {
                let at_once = u32::try_from(at_once).map_or(f64::INFINITY, f64::from);
                sleep(CALL.mul_f64(0.5 * at_once.powf(1.5))).await;
            }
        }
        self.under_way.fetch_sub(1, Ordering::SeqCst);
        self.done.fetch_add(1, Ordering::SeqCst);
    }

    /// Calls that end within a while.
    async fn throughput(&self) -> usize {
        const WHILE: Duration = Duration::from_secs(2);
        let (before, until) = (self.done.load(Ordering::SeqCst), Instant::now() + WHILE);
        sleep_until(until).await;
        self.done.load(Ordering::SeqCst) - before
    }
}

/// Three replicas with more callers than calls that may be under way.
fn load(world: &World, target: &Arc<Target>, most: usize) -> JoinSet<()> {
    let mut load = JoinSet::new();
    for _ in 0..3 {
        let permits = Permits::new(&world.replica().gates, GateTarget::Docmost, most);
        for _ in 0..MOST {
            let (permits, target) = (permits.clone(), Arc::clone(target));
            load.spawn(async move {
                loop {
                    permits.acquire().await.during(target.answer()).await;
                }
            });
        }
    }
    load
}

#[rstest]
#[case::gains(|| Nature::Gains, 12..=16)]
#[case::has_a_line(|| Nature::Lines(Semaphore::new(3)), 2..=6)]
#[case::suffers(|| Nature::Suffers, 1..=2)]
#[tokio::test(flavor = "multi_thread")]
async fn as_many_calls_are_made_at_once_as_the_target_gains_by(
    #[case] nature: fn() -> Nature,
    #[case] useful: std::ops::RangeInclusive<usize>,
) {
    let world = World::start(GatePolicy::default()).unwrap();
    let mut best = 0;
    for fixed in [1, 2, 4, 8, 16] {
        best = best.max(fixed_throughput(nature(), fixed).await);
    }
    let target = Target::new(nature());
    let _load = load(&world, &target, MOST);
    let found = eventually("it is as fast as with the best fixed number", async || {
        let found = target.throughput().await;
        let mut get = redis::cmd("HGET");
        get.arg("{bridge}:gate:permits:docmost:limit").arg("limit");
        let limit: Option<usize> = world.ask(&get).await.map_err(|error| error.to_string())?;
        // Nine tenths on a quiet machine: on a busy one, permits take their time too.
        if found * 10 >= best * 8 && limit.is_some_and(|limit| useful.contains(&limit)) {
            Ok(found)
        } else {
            Err(format!("{found} of {best} with {limit:?}"))
        }
    })
    .await;
    println!("{found} calls in 2 s, {best} with the best fixed number");
}

/// Without permits: so many callers, one call after the other.
async fn fixed_throughput(nature: Nature, at_once: usize) -> usize {
    let target = Target::new(nature);
    let mut load = JoinSet::new();
    for _ in 0..at_once {
        let target = Arc::clone(&target);
        load.spawn(async move {
            loop {
                target.answer().await;
            }
        });
    }
    target.throughput().await
}
