//! `up`, `restart`, `status`, `down`: a whole bridge in the background of this machine.
//!
//! | module | decides |
//! |---|---|
//! | [`part`], [`plan`] | which parts there are; how each is started, and where it listens |
//! | [`process`], [`folders`] | which process a part is: never one that has got its number |
//! | [`ready`] | whether a part works |
//! | [`keeper`] | when a part is started again |
//! | [`supervisor`] | the process that looks after all parts |
//! | [`handover`] | how the next supervisor takes its place, without refusing a connection |
//! | [`own_redis`] | a Redis of our own, where none is named |

pub(crate) mod folders;
mod handover;
mod keeper;
mod own_redis;
mod part;
mod plan;
mod process;
mod ready;
pub mod supervisor;

use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use clap::Args;
pub use folders::OtherFolders;
pub use own_redis::OwnRedis;
pub(crate) use own_redis::with_own_redis;
use passerelle_model::config::Reader;
use serde::Serialize;
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::console::Console;
use crate::trouble::Trouble;
use folders::{Folders, SUPERVISOR};
use part::Part;
use plan::Plan;
pub(crate) use plan::from_here;
use ready::Readiness;
use supervisor::Report;

/// How often a command looks whether another one has given way.
const TRY_EVERY: Duration = Duration::from_millis(50);

/// `up`.
#[derive(Debug, Args)]
pub struct Up {
    /// How many workers.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub workers: u16,
    #[command(flatten)]
    pub folders: OtherFolders,
}

/// `restart`, `status` and `down`.
#[derive(Debug, Args)]
pub struct Background {
    #[command(flatten)]
    pub folders: OtherFolders,
}

/// `idle`.
#[derive(Debug, Args)]
pub struct Idle {
    /// A folder of programs, which shall not run either.
    pub built: PathBuf,
    #[command(flatten)]
    pub folders: OtherFolders,
}

/// Starts what is missing, with the settings of now, and stops the workers that are too many.
pub async fn up(verb: Up, reader: Reader, console: &mut Console) -> Result<(), Trouble> {
    let folders = verb.folders.or(&reader);
    Plan::read(reader.clone(), &folders, verb.workers)?;
    let _alone = folders.alone(console).await?;
    succeed(
        &folders,
        Wanted {
            workers: verb.workers,
            renew: false,
        },
        reader,
        console,
    )
    .await?;
    let logs = folders.run_folder.join("log");
    console.note(&format!("Logs: {}. Stop with: passerelle down", logs.display()));
    Ok(())
}

/// Restarts what was started, one process after the other: the workers, the ingress, the console.
pub async fn restart(verb: Background, reader: Reader, console: &mut Console) -> Result<(), Trouble> {
    let folders = verb.folders.or(&reader);
    let _alone = folders.alone(console).await?;
    let parts = folders.parts();
    let workers = parts.iter().filter_map(|part| match part {
        Part::Worker(number) => Some(*number),
        _ => None,
    });
    let workers = workers.max().unwrap_or(0);
    if parts.is_empty() {
        return Err(nothing_runs());
    }
    succeed(&folders, Wanted { workers, renew: true }, reader, console).await
}

fn nothing_runs() -> Trouble {
    Trouble::Failed("nothing was started here: `passerelle up` starts the bridge".to_owned())
}

struct Wanted {
    workers: u16,
    renew: bool,
}

/// Puts a new supervisor in the place of the one that runs, and waits until all is as it is wanted.
async fn succeed(folders: &Folders, wanted: Wanted, reader: Reader, console: &mut Console) -> Result<(), Trouble> {
    let failed = |error: std::io::Error| Trouble::Failed(format!("the supervisor cannot be started: {error}"));
    Plan::read(reader.clone(), folders, wanted.workers)?;
    let entrance = handover::dismiss(folders).await;
    let log = folders.log(SUPERVISOR);
    let mut command = tokio::process::Command::new(std::env::current_exe().map_err(failed)?);
    command
        .args(["supervise", "--workers", &wanted.workers.to_string()])
        .args(wanted.renew.then_some("--renew"))
        .arg("--run-folder")
        .arg(&folders.run_folder)
        .arg("--data-folder")
        .arg(&folders.data_folder)
        .envs(
            reader
                .optional("PASSERELLE_ENV_FILE")
                .map(|file| ("PASSERELLE_ENV_FILE", file)),
        )
        .stdin(entrance.map_or_else(Stdio::null, |listener| {
            Stdio::from(std::os::fd::OwnedFd::from(listener))
        }))
        .stdout(Stdio::piped())
        .stderr(
            OpenOptions::new()
                .create(true)
                .append(true)
                .open(&log)
                .map_err(failed)?,
        );
    let mut supervisor = command.spawn().map_err(failed)?;
    let told = supervisor
        .stdout
        .take()
        .ok_or_else(|| failed(std::io::Error::other("no pipe")))?;
    // Only the supervisor holds the socket of the deliveries now.
    drop(command);
    let mut lines = BufReader::new(told).lines();
    while let Some(line) = lines.next_line().await.map_err(failed)? {
        match serde_json::from_str(&line) {
            Ok(Report::Progress(line)) => console.note(&line),
            Ok(Report::Done) => return Ok(()),
            Ok(Report::Failed(why)) if wanted.renew => return Err(Trouble::Failed(why)),
            Ok(Report::Failed(why)) => {
                return Err(Trouble::Failed(format!(
                    "{why}\n`passerelle down` stops what has started"
                )));
            }
            Err(_) => console.note(&line),
        }
    }
    let log = log.display();
    Err(Trouble::Failed(format!(
        "another command has taken over, or the supervisor has ended: see `passerelle status` and {log}"
    )))
}

/// How a part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Ready,
    NotReady,
    Dead,
}

#[derive(Debug, Serialize)]
struct Status {
    parts: Vec<PartStatus>,
}

#[derive(Debug, Serialize)]
struct PartStatus {
    part: String,
    state: State,
    #[serde(skip_serializing_if = "Option::is_none")]
    process: Option<u32>,
    log: PathBuf,
}

/// Shows how each part is; fails if one is not as it should be.
pub async fn status(verb: Background, reader: Reader, console: &mut Console) -> Result<(), Trouble> {
    let folders = verb.folders.or(&reader);
    let parts = folders.parts();
    if parts.is_empty() {
        return Err(nothing_runs());
    }
    let plan = Plan::read(reader, &folders, 0)?;
    let readiness = Readiness::new(&plan)?;
    let mut answer = Status { parts: Vec::new() };
    for (name, part) in parts
        .into_iter()
        .map(|part| (part.to_string(), Some(part)))
        .chain([(SUPERVISOR.to_owned(), None)])
    {
        let process = folders.process_of(&name).map(|process| process.pid);
        let state = match (process, part) {
            (None, _) => State::Dead,
            (Some(_), None) => State::Ready,
            (Some(pid), Some(part)) if readiness.of(&plan, part, pid).await => State::Ready,
            _ => State::NotReady,
        };
        let log = folders.log(&name);
        answer.parts.push(PartStatus {
            part: name,
            state,
            process,
            log,
        });
    }
    console.answer(&answer, |answer| in_words(&answer.parts))?;
    if answer.parts.iter().all(|part| part.state == State::Ready) {
        return Ok(());
    }
    Err(Trouble::Failed(
        "not everything is ready: `passerelle up` starts what is missing".to_owned(),
    ))
}

fn in_words(parts: &[PartStatus]) -> String {
    let mut text = String::new();
    for PartStatus {
        part,
        state,
        process,
        log,
    } in parts
    {
        let process = process.map(|pid| format!(", process {pid}")).unwrap_or_default();
        let log = log.display();
        let _ = match state {
            State::Ready => writeln!(text, "{part:<12} ready{process}"),
            State::NotReady => writeln!(text, "{part:<12} not ready{process}; see {log}"),
            State::Dead => writeln!(text, "{part:<12} has died; see {log}"),
        };
    }
    text
}

/// Stops everything; what is in hand is finished. It waits for no command that starts something.
pub async fn down(verb: Background, reader: Reader, console: &mut Console) -> Result<(), Trouble> {
    let folders = verb.folders.or(&reader);
    let _alone = loop {
        // Whoever starts parts ends as soon as its supervisor has gone.
        handover::dismiss(&folders).await;
        if let Some(alone) = folders.try_alone()? {
            break alone;
        }
        tokio::time::sleep(TRY_EVERY).await;
    };
    // One that was started in between.
    let entrance = handover::dismiss(&folders).await;
    let stopped = supervisor::stop_all(&folders, plan::patience(&reader), |line| console.note(line)).await;
    drop(entrance);
    stopped
}

/// For `make clean`: fails and says what runs, if something does: by its note, or out of a folder
/// of programs. Else the answer is the folder of logs, which may be removed.
pub fn idle(verb: &Idle, reader: &Reader, console: &mut Console) -> Result<(), Trouble> {
    let folders = verb.folders.or(reader);
    let parts = folders.parts().into_iter().map(|part| part.to_string());
    let mut found = false;
    for name in parts.chain([SUPERVISOR.to_owned()]) {
        if let Some(process) = folders.process_of(&name) {
            console.note(&format!("{name} runs (process {})", process.pid));
            found = true;
        }
    }
    let built = verb.built.canonicalize().unwrap_or_else(|_| verb.built.clone());
    for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let name = process.file_name();
        let pid = name.to_str().and_then(|name| name.parse::<u32>().ok());
        let (Some(pid), Ok(program)) = (pid, fs::read_link(process.path().join("exe"))) else {
            continue;
        };
        if program.starts_with(&built) && pid != std::process::id() {
            console.note(&format!("{} runs (process {pid})", program.display()));
            found = true;
        }
    }
    if found {
        return Err(Trouble::Failed(
            "Stop it first: passerelle down, or Ctrl-C where it runs.".to_owned(),
        ));
    }
    own_redis::keep_data(&folders).map_err(Trouble::Failed)?;
    console.answer(&folders.run_folder, |folder| folder.display().to_string())
}
