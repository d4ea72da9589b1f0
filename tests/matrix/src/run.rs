//! One seed from its schedule to its report.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use tokio::time::Instant;

use crate::check::{self, Violation};
use crate::play;
use crate::schedule::Schedule;
use crate::seed::Seed;
use crate::world::World;

/// What a world showed.
#[derive(Debug)]
pub struct Report {
    pub schedule: Schedule,
    /// What did not hold; nothing if the seed is green.
    pub violations: Vec<Violation>,
    /// How long it took.
    pub took: Duration,
    /// How long the bridge took to be whole again.
    pub healed_in: Duration,
    /// Why the world did not start at first, each time.
    pub false_starts: Vec<String>,
    /// Where the logs are, if it is red.
    pub logs: Option<PathBuf>,
}

impl Report {
    /// Whether something did not hold.
    pub fn is_red(&self) -> bool {
        !self.violations.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.is_red() { "RED" } else { "green" };
        let (seed, took, healed) = (
            &self.schedule.seed,
            self.took.as_secs_f32(),
            self.healed_in.as_secs_f32(),
        );
        write!(f, "seed {seed}: {word} in {took:.1} s, whole again after {healed:.1} s")?;
        for why in &self.false_starts {
            write!(f, "\n  it did not start at first: {why}")?;
        }
        for violation in self.violations.iter().take(12) {
            write!(f, "\n  {violation}")?;
        }
        if self.violations.len() > 12 {
            write!(f, "\n  … {} more", self.violations.len() - 12)?;
        }
        self.logs
            .as_ref()
            .map_or(Ok(()), |logs| write!(f, "\n  logs: {}", logs.display()))
    }
}

/// What this machine may refuse beside other work (a port that somebody else took, processes) says
/// nothing about the bridge. Whoever reads the report judges which it was.
const STARTS: usize = 3;

/// Plays a seed in a world of its own.
pub async fn run(seed: &Seed) -> Report {
    let schedule = Schedule::of(seed);
    let began = Instant::now();
    let (mut world, mut false_starts) = (World::start(&schedule).await, Vec::new());
    for _ in 1..STARTS {
        if let Err(error) = &world {
            false_starts.push(format!("{error:#}"));
            world = World::start(&schedule).await;
        }
    }
    let (violations, healed_in, logs) = match world {
        Ok(world) => {
            let (violations, healed_in) = play_and_judge(&world, &schedule).await;
            let logs = (!violations.is_empty()).then(|| world.keep());
            (violations, healed_in, logs)
        }
        Err(error) => (vec![unplayed(&error)], Duration::ZERO, None),
    };
    Report {
        schedule,
        violations,
        took: began.elapsed(),
        healed_in,
        false_starts,
        logs,
    }
}

async fn play_and_judge(world: &World, schedule: &Schedule) -> (Vec<Violation>, Duration) {
    let (deeds, mut violations) = match play::play(world, schedule).await {
        Ok(played) => played,
        Err(error) => return (vec![unplayed(&error)], Duration::ZERO),
    };
    let healed = Instant::now();
    let judged = async {
        world.heal().await?;
        check::judge(world, schedule, &deeds).await
    };
    match judged.await {
        Ok(found) => violations.extend(found),
        Err(error) => violations.push(unplayed(&error)),
    }
    violations.extend(world.panics().into_iter().map(|seen| Violation::new("I0", seen)));
    (violations, healed.elapsed())
}

fn unplayed(error: &anyhow::Error) -> Violation {
    Violation::new("I0", format!("the world could not be played or judged: {error:#}"))
}
