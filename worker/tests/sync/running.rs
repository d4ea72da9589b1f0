//! The runner over the real queue.

use std::time::Duration;

use passerelle_model::time::Timestamp;
use passerelle_queue::Queue;
use passerelle_sandbox::faults::{Fault, FaultKind};
use passerelle_worker::context::CurrentContext;
use passerelle_worker::runner::{self, RunnerSettings};
use test_support::eventually;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::world::World;

async fn run(world: &World, queue: &Queue) -> anyhow::Result<(CancellationToken, JoinHandle<anyhow::Result<()>>)> {
    let settings = RunnerSettings {
        concurrency: 4,
        grace: Duration::from_millis(100),
        lease: Duration::from_secs(30),
    };
    let (context, queue, stop) = (
        CurrentContext::new(world.replica().await?),
        queue.clone(),
        CancellationToken::new(),
    );
    let stopping = stop.clone();
    let running = tokio::spawn(async move { runner::run(settings, &queue, context, stopping).await });
    Ok((stop, running))
}

#[tokio::test]
async fn jobs_are_done_as_they_come_and_a_stop_ends_the_runner() {
    let world = World::start().await.unwrap();
    let queue = world.queue().unwrap();
    let (stop, running) = run(&world, &queue).await.unwrap();
    for number in 0..10 {
        let row = world.project(&format!("P{number}")).await.unwrap();
        world.event(&queue, row, &format!("event-{number}")).await.unwrap();
    }
    // A page exists before its job is over.
    eventually("ten pages, and no job", async || {
        let pages = world.pages().await.map_err(|error| error.to_string())?.len();
        let stats = queue.stats().await.map_err(|error| error.to_string())?;
        match (pages, stats.active + stats.running + stats.scheduled) {
            (10, 0) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    stop.cancel();
    running.await.unwrap().unwrap();
    assert_eq!(queue.stats().await.unwrap().dead, 0);
}

/// Lets all jobs that wait do so for ten minutes more; says how many they are.
fn delay(world: &World) -> anyhow::Result<usize> {
    const KEY: &str = "{bridge}:sync:scheduled";
    let mut redis = redis::Client::open(world.redis.url())?.get_connection()?;
    let waiting: Vec<String> = redis::cmd("ZRANGE").arg(KEY).arg(0).arg(-1).query(&mut redis)?;
    let later = Timestamp::now().plus(Duration::from_mins(10)).as_millis();
    for job in &waiting {
        redis::cmd("ZADD")
            .arg(KEY)
            .arg("XX")
            .arg(later)
            .arg(job)
            .exec(&mut redis)?;
    }
    Ok(waiting.len())
}

#[tokio::test]
async fn rows_that_wait_after_a_failure_run_as_soon_as_another_one_is_done_again() {
    let world = World::start().await.unwrap();
    let queue = world.queue().unwrap();
    let failed = FaultKind::Status {
        status: 500,
        headers: [].into(),
        body: None,
    };
    world.docmost_fault(Fault::on("/api/pages/create", failed));
    let mut rows = Vec::new();
    for number in 0..3 {
        let row = world.project(&format!("P{number}")).await.unwrap();
        world.event(&queue, row, &format!("event-{number}")).await.unwrap();
        rows.push(row);
    }
    let (stop, running) = run(&world, &queue).await.unwrap();
    eventually("three rows wait", async || match delay(&world) {
        Ok(3) => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
    world.docmost.faults.clear();
    world.event(&queue, rows[0], "again").await.unwrap();
    eventually("three pages", async || match world.pages().await {
        Ok(pages) if pages.len() == 3 => Ok(()),
        other => Err(other.map(|pages| pages.len())),
    })
    .await;
    stop.cancel();
    running.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_job_that_outlasts_the_grace_time_is_given_back_and_done_later() {
    let world = World::start().await.unwrap();
    let queue = world.queue().unwrap();
    let row = world.project("Refonte").await.unwrap();
    world.event(&queue, row, "event").await.unwrap();
    world.docmost_fault(Fault::on("/api/labels/pages", FaultKind::Hang));
    let (stop, running) = run(&world, &queue).await.unwrap();
    eventually("the job hangs", async || {
        match world.docmost.calls.count("/api/labels/pages") {
            0 => Err("not yet"),
            _ => Ok(()),
        }
    })
    .await;
    stop.cancel();
    running.await.unwrap().unwrap();
    let stats = queue.stats().await.unwrap();
    assert_eq!(
        (stats.active, stats.running, stats.scheduled),
        (1, 0, 0),
        "given back, not failed"
    );

    world.docmost.faults.clear();
    let (stop, running) = run(&world, &queue).await.unwrap();
    eventually("the page exists", async || match world.pages().await {
        Ok(pages) if pages.len() == 1 => Ok(()),
        other => Err(other.map(|pages| pages.len())),
    })
    .await;
    stop.cancel();
    running.await.unwrap().unwrap();
}
