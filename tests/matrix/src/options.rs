//! What can be asked of the program.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

use crate::campaign::{Campaign, Done};
use crate::cover;
use crate::schedule::Schedule;
use crate::seed::{Seed, seeds_of};

/// Breaks worlds of real processes on schedule, and judges them by what their clients saw. See
/// docs/FAULT-MATRIX.md.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Options {
    /// Only this seed: a number, or a number and some of its faults, like 17/2,5.
    #[arg(long)]
    seed: Option<Seed>,
    /// The seeds of this file instead of numbers.
    #[arg(long)]
    file: Option<PathBuf>,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// How many seeds.
    #[arg(long, default_value_t = 20)]
    rounds: u64,
    /// How many worlds at once; by default one per core.
    #[arg(long)]
    jobs: Option<usize>,
    /// At most so many worlds to make a red seed smaller; 0 leaves it as it is.
    #[arg(long, default_value_t = 8)]
    shrink: usize,
    /// Where to note which seeds are done, so that a run that was interrupted goes on.
    #[arg(long)]
    state: Option<PathBuf>,
    /// Print the schedules and play nothing.
    #[arg(long)]
    print: bool,
    /// Print at most so many of the seeds that together make each pair of kinds of faults meet, and
    /// play nothing.
    #[arg(long)]
    cover: Option<usize>,
}

/// Does what is asked; the exit code is 1 if a seed is red.
pub async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let seeds = options.seeds()?;
    if let Some(most) = options.cover {
        let (chosen, covered) = cover::choose(seeds.into_iter(), most);
        let line = |seed: &Seed| format!("{seed} # {}", Schedule::of(seed).classes());
        let text: Vec<String> = chosen.iter().map(line).collect();
        say(&format!(
            "# {} seeds, {} pairs\n{}",
            chosen.len(),
            covered.len(),
            text.join("\n")
        ));
        return Ok(ExitCode::SUCCESS);
    }
    if options.print {
        for seed in &seeds {
            say(&Schedule::of(seed).to_string());
        }
        return Ok(ExitCode::SUCCESS);
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let campaign = Campaign {
        seeds,
        jobs: options.jobs.unwrap_or(cores).max(1),
        shrink: options.shrink,
        state: options.state,
    };
    let mut terminate = signal(SignalKind::terminate())?;
    let Done { green, red } = tokio::select! {
        done = campaign.run(&say) => done?,
        // Everything that was started is killed as it is dropped.
        _ = tokio::signal::ctrl_c() => return Ok(ExitCode::from(130)),
        _ = terminate.recv() => return Ok(ExitCode::from(143)),
    };
    say(&format!("{green} seeds are green, {} are red", red.len()));
    for seed in &red {
        say(&format!("  red: make test-faults SEED={seed}"));
    }
    Ok(if red.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

impl Options {
    fn seeds(&self) -> anyhow::Result<Vec<Seed>> {
        if let Some(seed) = &self.seed {
            return Ok(vec![seed.clone()]);
        }
        let Some(file) = &self.file else {
            let numbers = self.from..self.from.saturating_add(self.rounds);
            return Ok(numbers.map(Seed::whole).collect());
        };
        let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
        seeds_of(&text)
            .map_err(anyhow::Error::msg)
            .with_context(|| file.display().to_string())
    }
}

fn say(text: &str) {
    // Nobody who reads it is no reason to stop.
    let _ = writeln!(std::io::stdout(), "{text}");
}
