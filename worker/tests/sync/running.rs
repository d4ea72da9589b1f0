//! The runner over the real queue.

use std::time::Duration;

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
