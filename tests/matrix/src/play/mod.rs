//! Plays a schedule in a world: people change things, one after the other; beside them each fault
//! waits for its fact, begins, and ends.

mod faults;
mod people;
mod stalls;

use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::watch;

use crate::check::Violation;
use crate::schedule::{Fact, Fault, Schedule};
use crate::world::World;
pub(crate) use people::{Deeds, People};

/// A fact that has not come true by then is not waited for any longer.
const LONGEST_WAIT: Duration = Duration::from_secs(6);

/// Plays it to its end; gives what people have done, and what went wrong beside the plan.
pub(crate) async fn play(world: &World, schedule: &Schedule) -> anyhow::Result<(Deeds, Vec<Violation>)> {
    let mut people = People::new(world);
    people.set_up().await.context("the world did not come to life")?;
    let broken = round(&mut people, world, schedule).await?;
    Ok((people.deeds, broken))
}

/// The changes and the faults of a schedule, by people who live there already.
pub(crate) async fn round(
    people: &mut People<'_>,
    world: &World,
    schedule: &Schedule,
) -> anyhow::Result<Vec<Violation>> {
    let done = watch::Sender::new(0);
    let changes = async {
        for step in &schedule.changes {
            tokio::time::sleep(step.pause).await;
            people.make(step.change).await?;
            done.send_modify(|count| *count += 1);
        }
        Ok::<_, anyhow::Error>(())
    };
    let faults = schedule.faults.iter().map(async |fault| {
        comes_true(world, fault, done.subscribe()).await;
        let happened = faults::happen(world, fault).await;
        happened.with_context(|| format!("fault {}: {fault}", fault.number))
    });
    let faults = futures::future::try_join_all(faults);
    let (worked, broken) = tokio::join!(changes, watched(world, faults));
    worked.context("people could not do what they wanted")?;
    broken
}

async fn comes_true(world: &World, fault: &Fault, mut done: watch::Receiver<usize>) {
    let fact = async {
        match fault.when {
            Fact::Changes(count) => {
                // An error would mean that people have finished.
                let _ = done.wait_for(|made| *made >= count).await;
            }
            Fact::Carried(line, chunks) => {
                let carrier = world.links.get(line);
                carrier.carried(carrier.count() + chunks).await;
            }
        }
    };
    let _ = tokio::time::timeout(LONGEST_WAIT, fact).await;
}

/// Waits for the faults to end, and meanwhile starts again whatever ends by itself.
async fn watched(
    world: &World,
    faults: impl Future<Output = anyhow::Result<Vec<Vec<Violation>>>>,
) -> anyhow::Result<Vec<Violation>> {
    let mut ticks = tokio::time::interval(Duration::from_millis(100));
    let mut fallen = Vec::new();
    tokio::pin!(faults);
    loop {
        tokio::select! {
            ended = &mut faults => return Ok(ended?.into_iter().flatten().chain(fallen).collect()),
            _ = ticks.tick() => fallen.extend(world.fallen()?.into_iter().map(|seen| Violation::new("I0", seen))),
        }
    }
}
