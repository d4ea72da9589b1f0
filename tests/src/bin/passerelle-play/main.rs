//! `passerelle play`: plays scenarios of rules, or is the playground where none is named. It is no
//! part of the bridge: it brings a sandbox of both products, and a bridge that is thrown away.

mod playground;
mod told;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use passerelle_model::config::Problems;
use system_tests::scenario::{self, Told};
use tokio::signal::unix::{Signal, SignalKind, signal};

use told::Teller;

/// Plays scenarios of rules through a bridge and a sandbox of its own, which are thrown away.
/// Without a file: the playground, until Ctrl-C.
#[derive(Debug, Parser)]
#[command(name = "passerelle-play", version)]
struct Options {
    /// The scenarios.
    files: Vec<PathBuf>,
    /// The folder of bridge.toml and its templates.
    #[arg(long, value_name = "DIR")]
    rules: Option<PathBuf>,
    /// Print the JSON Schema of scenarios.
    #[arg(long)]
    schema: bool,
    /// Tell of each step as one line of JSON.
    #[arg(long)]
    json: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    let mut teller = Teller::new(options.json);
    if options.schema {
        let written = say(scenario::schema().trim_end());
        return written.map_or_else(|error| teller.failed(&error.into()).into(), |()| ExitCode::SUCCESS);
    }
    let ended = match Ends::new() {
        Ok(mut ends) if options.files.is_empty() => {
            let folder = options.rules.as_deref().unwrap_or(Path::new("."));
            let played = playground::run(&folder.join("bridge.toml"), &mut ends).await;
            played.map(|()| 0)
        }
        Ok(mut ends) => tokio::select! {
            played = play(&options, &mut teller) => Ok(played),
            () = ends.wanted() => Ok(teller.interrupted()),
        },
        Err(error) => Err(error.into()),
    };
    ExitCode::from(ended.unwrap_or_else(|error| teller.failed(&error)))
}

/// All of them, whatever becomes of one; the worst exit status.
async fn play(options: &Options, teller: &mut Teller) -> u8 {
    let mut worst = 0;
    for file in &options.files {
        let status = match play_one(file, options.rules.as_deref(), teller).await {
            Ok(true) => 0,
            Ok(false) => teller.is_wrong(file),
            Err(error) => match error.downcast::<Problems>() {
                Ok(problems) => teller.problems(&problems),
                Err(error) => teller.failed(&error),
            },
        };
        worst = worst.max(status);
        if status == told::UNREAD {
            break;
        }
    }
    worst
}

async fn play_one(file: &Path, rules: Option<&Path>, teller: &mut Teller) -> anyhow::Result<bool> {
    teller.begins(file)?;
    let is_true = scenario::play(file, rules, |told: &Told| teller.step(told)).await?;
    if is_true {
        teller.is_true()?;
    }
    Ok(is_true)
}

/// The signals that end it: Ctrl-C, a closed terminal, `kill`.
struct Ends {
    interrupt: Signal,
    hang_up: Signal,
    terminate: Signal,
}

impl Ends {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn wanted(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.hang_up.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// An error: nobody reads it any more, or it cannot be written.
fn say(line: &str) -> std::io::Result<()> {
    writeln!(std::io::stdout(), "{line}")
}
