//! `make soak`: one world for a long time, under load and faults, to see whether anything grows.
//!
//! People change rows and pages all the time, and the faults of one schedule after the other come
//! and go: those that lose nothing and end no process of the bridge, so that its memory is measured
//! from beginning to end. After each schedule all is mended and a sample is taken.

mod chart;
mod figures;
mod sample;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::Parser;
use tokio::time::Instant;

use crate::check;
use crate::play::{self, People};
use crate::schedule::{ApiFault, Change, Database, FaultKind, Schedule};
use crate::seed::Seed;
use crate::world::World;
use figures::{FIGURES, Judgement};
use sample::Sample;

/// How long Redis may take to start.
const MENDED_WITHIN: Duration = Duration::from_mins(1);
/// How many rows of each table there are at most.
const ROWS: usize = 40;

/// Plays schedules in one world for so long, and says what grows. See docs/FAULT-MATRIX.md.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Options {
    /// For how long.
    #[arg(long, default_value_t = 30)]
    minutes: u64,
    /// Where the table of samples and the chart go.
    #[arg(long, default_value = "target/soak")]
    folder: PathBuf,
}

/// Does it; the exit code is 1 if something grows, ends by itself, or does not end.
pub async fn run(options: Options) -> anyhow::Result<ExitCode> {
    std::fs::create_dir_all(&options.folder).with_context(|| options.folder.display().to_string())?;
    let world = World::start(&empty()).await?;
    let (samples, mut wrong) = soak(&world, &options).await?;
    mend(&world).await?;
    wrong.extend(check::is_done(&world).await?.iter().map(ToString::to_string));
    wrong.extend(world.panics());
    let judgements: Vec<Judgement> = FIGURES.iter().map(|figure| figure.judge(&samples)).collect();
    for judgement in &judgements {
        say(&judgement.to_string());
    }
    say(&format!(
        "{} samples; table and chart: {}",
        samples.len(),
        options.folder.display()
    ));
    let grows = judgements.iter().any(|judgement| judgement.grows);
    if wrong.is_empty() && !grows {
        return Ok(ExitCode::SUCCESS);
    }
    say(&format!("wrong: {wrong:#?}\nlogs: {}", world.keep().display()));
    Ok(ExitCode::FAILURE)
}

/// Samples, and what went wrong beside the plan.
async fn soak(world: &World, options: &Options) -> anyhow::Result<(Vec<Sample>, Vec<String>)> {
    let mut people = People::new(world);
    people.set_up().await.context("the world did not come to life")?;
    let (began, lasts) = (Instant::now(), Duration::from_secs(options.minutes * 60));
    let (mut samples, mut wrong, mut disturbed) = (Vec::new(), Vec::new(), 0);
    for schedule in (0..).filter_map(gentle) {
        let seen = async {
            let seen = play::round(&mut people, world, &schedule).await?;
            people.tidy(ROWS).await?;
            Ok::<_, anyhow::Error>(seen)
        };
        match seen.await {
            Ok(seen) => {
                let fallen = seen.iter().filter(|seen| seen.law == "I0");
                wrong.extend(fallen.map(|seen| format!("seed {}: {seen}", schedule.seed)));
            }
            // On a machine that has too much to do the sandbox may not answer people in time.
            Err(error) => {
                let why: String = format!("{error:#}").chars().take(300).collect();
                say(&format!("seed {} was not played to its end: {why}", schedule.seed));
                disturbed += 1;
            }
        }
        mend(world).await?;
        samples.push(sample::take(world, began.elapsed()).await?);
        chart::write(&options.folder, &samples)?;
        if began.elapsed() >= lasts {
            break;
        }
    }
    if disturbed * 5 > samples.len() {
        wrong.push(format!(
            "{disturbed} of {} schedules were not played to their end",
            samples.len()
        ));
    }
    Ok((samples, wrong))
}

/// Mends everything. A schedule that was not played to its end may have left Redis as it starts.
async fn mend(world: &World) -> anyhow::Result<()> {
    let deadline = Instant::now() + MENDED_WITHIN;
    loop {
        match world.heal().await {
            Err(_) if Instant::now() < deadline => tokio::time::sleep(Duration::from_millis(200)).await,
            mended => return mended,
        }
    }
}

fn empty() -> Schedule {
    Schedule {
        seed: Seed::whole(0),
        database: Database::Sqlite,
        changes: Vec::new(),
        faults: Vec::new(),
    }
}

/// The schedule of this number, without what would hide growth; `None` if it is for another
/// database.
fn gentle(number: u64) -> Option<Schedule> {
    let mut schedule = Schedule::of(&Seed::whole(number));
    // The list of all deliveries, of which one is repeated, becomes very long.
    schedule
        .changes
        .retain(|step| !matches!(step.change, Change::Repeat(_)));
    schedule.faults.retain(|fault| is_gentle(&fault.kind));
    (schedule.database == Database::Sqlite).then_some(schedule)
}

fn is_gentle(kind: &FaultKind) -> bool {
    let ends_or_holds = matches!(
        kind,
        FaultKind::Stop(_)
            | FaultKind::Clock(..)
            | FaultKind::Api {
                fault: ApiFault::RetryAfter(_),
                ..
            }
    );
    !kind.is_kill() && !kind.loses_data() && !ends_or_holds
}

fn say(text: &str) {
    // Nobody who reads it is no reason to stop.
    let _ = writeln!(std::io::stdout(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_soak_plays_faults_and_none_that_ends_a_process_of_the_bridge() {
        let faults = (0..200).filter_map(gentle).flat_map(|schedule| schedule.faults);
        let kinds: Vec<FaultKind> = faults.map(|fault| fault.kind).collect();
        assert!(kinds.len() > 100);
        assert!(kinds.iter().all(|kind| !kind.is_kill() && !kind.loses_data()));
    }
}
