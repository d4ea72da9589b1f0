//! A worker whose lease is over writes nothing: another one may have the job.

use std::time::Duration;

use passerelle_model::ledger::Verdict;
use passerelle_queue::Lease;
use passerelle_sandbox::faults::{Fault, FaultKind};
use passerelle_worker::clients::lease::under_lease;
use passerelle_worker::context::{Context, CurrentContext};
use passerelle_worker::runner::{self, RunnerSettings};
use test_support::{Line, eventually};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::world::{World, attempt};

const CREATE: &str = "/api/pages/create";
/// The last look-up before a first create.
const LOOK_UP: &str = "/api/spaces";

/// The first such call is answered when the fault is lifted.
fn held_back(path: &str) -> Fault {
    let held = FaultKind::ZombieWrite {
        after_ms: None,
        after_release_ms: 0,
    };
    Fault::on(path, held).times(1)
}

struct Worker {
    stop: CancellationToken,
    running: JoinHandle<anyhow::Result<()>>,
}

impl Worker {
    fn start(context: Context) -> Self {
        let settings = RunnerSettings {
            concurrency: 1,
            grace: Duration::from_mins(1),
            lease: Duration::from_secs(1),
        };
        let (queue, stop) = (context.queue.clone(), CancellationToken::new());
        let stopped = stop.clone();
        let running =
            tokio::spawn(async move { runner::run(settings, &queue, CurrentContext::new(context), stopped).await });
        Self { stop, running }
    }

    /// Ends when its jobs have ended.
    async fn stop(self) -> anyhow::Result<()> {
        self.stop.cancel();
        self.running.await?
    }
}

fn has_calls(world: &World, path: &str, least: usize) -> Result<(), usize> {
    match world.docmost.calls.count(path) {
        count if count >= least => Ok(()),
        count => Err(count),
    }
}

#[tokio::test]
async fn a_worker_that_lost_only_redis_for_longer_than_its_lease_creates_no_page() {
    let world = World::start().await.unwrap();
    let (row, queue) = (world.project("Refonte").await.unwrap(), world.queue().unwrap());
    let line = Line::to(world.redis.port()).await.unwrap();
    world.docmost_fault(held_back(LOOK_UP));
    let first = Worker::start(world.patient_replica(line.port()).await.unwrap());
    world.event(&queue, row, "event").await.unwrap();
    eventually("the first worker has found no page", async || {
        has_calls(&world, LOOK_UP, 1)
    })
    .await;

    line.cut();
    let second = Worker::start(world.patient_replica(world.redis.port()).await.unwrap());
    eventually("the second worker has made the page", async || {
        match world.row(row).await {
            Ok(row) if row["docmost_page_id"].is_string() => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    // The first worker gets its answer, and reaches everything but Redis; then Redis too.
    world.docmost.faults.clear();
    let stopping = tokio::spawn(first.stop());
    line.restore();
    stopping.await.unwrap().unwrap();
    second.stop().await.unwrap();

    assert_eq!(world.docmost.calls.count(CREATE), 1);
    assert_eq!(world.pages().await.unwrap().len(), 1);
    let stats = queue.stats().await.unwrap();
    assert_eq!((stats.running, stats.dead), (0, 0), "{stats:?}");
}

#[tokio::test]
async fn nothing_is_sent_under_a_lease_that_is_over() {
    let world = World::start().await.unwrap();
    let row = world.project("Refonte").await.unwrap();
    let reads = world.baserow.calls.list().len();
    let settlement = under_lease(Lease::lasting(Duration::ZERO), world.attempt(row)).await;
    assert!(
        matches!(settlement.verdict, Verdict::Hold { .. }),
        "no attempt is counted: {settlement:?}"
    );
    assert_eq!(
        (world.docmost.calls.count("/api/"), world.baserow.calls.list().len()),
        (0, reads)
    );
}

#[tokio::test]
async fn a_page_that_another_attempt_made_after_the_look_up_is_not_made_twice() {
    let world = World::start().await.unwrap();
    let row = world.project("Refonte").await.unwrap();
    let slow = world.patient_replica(world.redis.port()).await.unwrap();
    world.docmost_fault(held_back(LOOK_UP));
    let late = async {
        let settlement = attempt(&slow, row).await;
        assert!(matches!(settlement.verdict, Verdict::Done(_)), "{settlement:#?}");
    };
    let other = async {
        eventually("the slow attempt has found no page", async || {
            has_calls(&world, LOOK_UP, 1)
        })
        .await;
        world.synced(row).await.unwrap();
        world.docmost.faults.clear();
    };
    tokio::join!(late, other);
    assert_eq!(world.docmost.calls.count(CREATE), 1);
    assert_eq!(world.pages().await.unwrap().len(), 1);
}
