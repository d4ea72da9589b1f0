//! The folder of what runs in the background: logs, and which process each part is.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::PathBuf;

use clap::Args;
use passerelle_model::config::Reader;

use super::TRY_EVERY;
use super::part::Part;
use super::process::{Process, started};
use crate::console::Console;
use crate::trouble::Trouble;

/// The name under which the supervisor's own process is noted.
pub(crate) const SUPERVISOR: &str = "supervisor";

/// The folders, where a command names others than the settings.
#[derive(Debug, Default, Args)]
pub struct OtherFolders {
    /// Where logs and the numbers of processes are. Default: RUN_FOLDER, else .run.
    #[arg(long, value_name = "FOLDER")]
    pub run_folder: Option<PathBuf>,
    /// Where a Redis of its own keeps its data. Default: DATA_FOLDER, else data.
    #[arg(long, value_name = "FOLDER")]
    pub data_folder: Option<PathBuf>,
}

impl OtherFolders {
    /// The folders of the command, else those of the settings.
    pub(crate) fn or(&self, reader: &Reader) -> Folders {
        let setting = |name, default| PathBuf::from(reader.text(name, default));
        Folders {
            run_folder: self.run_folder.clone().unwrap_or_else(|| setting("RUN_FOLDER", ".run")),
            data_folder: self
                .data_folder
                .clone()
                .unwrap_or_else(|| setting("DATA_FOLDER", "data")),
        }
    }
}

/// Where a bridge in the background keeps what is its own.
#[derive(Debug, Clone)]
pub(crate) struct Folders {
    /// Where logs and the numbers of processes are.
    pub(crate) run_folder: PathBuf,
    /// Where a Redis of its own keeps its data.
    pub(crate) data_folder: PathBuf,
}

/// Held by the one command that starts or stops parts.
#[derive(Debug)]
pub(crate) struct Alone {
    _lock: File,
}

impl Folders {
    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.run_folder.join("log").join(format!("{name}.log"))
    }

    fn pid_file(&self, name: &str) -> PathBuf {
        self.run_folder.join(format!("{name}.pid"))
    }

    /// Where other commands find the address of a Redis of our own.
    pub(crate) fn redis_url(&self) -> PathBuf {
        self.run_folder.join("redis.url")
    }

    /// Where the supervisor listens for the one that follows it.
    pub(crate) fn socket(&self) -> PathBuf {
        self.run_folder.join("supervisor.socket")
    }

    pub(crate) fn make(&self) -> Result<(), Trouble> {
        let folder = self.run_folder.join("log");
        fs::create_dir_all(&folder)
            .map_err(|error| Trouble::Failed(format!("{} cannot be made (RUN_FOLDER): {error}", folder.display())))
    }

    /// The process that is noted under this name, if it still runs: its number may belong to
    /// another by now.
    pub(crate) fn process_of(&self, name: &str) -> Option<Process> {
        let noted = fs::read_to_string(self.pid_file(name)).ok()?;
        let (pid, start) = noted.trim().split_once(' ')?;
        Process::noted(pid.parse().ok()?, start)
    }

    /// Notes a process, so that later commands find this one and no other.
    pub(crate) fn note(&self, name: &str, pid: u32) -> io::Result<()> {
        let new = self.run_folder.join(format!("{name}.pid.new"));
        let start = started(pid).unwrap_or_else(|| "ended".to_owned());
        fs::write(&new, format!("{pid} {start}\n"))?;
        fs::rename(new, self.pid_file(name))
    }

    /// Keeps a place for the note of a part that is wanted: until it is started, it counts as dead. A
    /// note that is there stays.
    pub(crate) fn note_wanted(&self, name: &str) -> io::Result<()> {
        let note = OpenOptions::new().create(true).append(true).open(self.pid_file(name));
        note.map(drop)
    }

    pub(crate) fn forget(&self, name: &str) {
        let _ = fs::remove_file(self.pid_file(name));
    }

    /// What was to be started and was not stopped, in the order in which it starts.
    pub(crate) fn parts(&self) -> Vec<Part> {
        let files = fs::read_dir(&self.run_folder).into_iter().flatten().flatten();
        let mut parts: Vec<Part> = files
            .filter_map(|file| Part::named(file.file_name().to_str()?.strip_suffix(".pid")?))
            .collect();
        parts.sort();
        parts
    }

    /// Tries to be the only command that starts or stops parts.
    pub(crate) fn try_alone(&self) -> Result<Option<Alone>, Trouble> {
        self.make()?;
        let path = self.run_folder.join("lock");
        let failed = |error: io::Error| Trouble::Failed(format!("{} cannot be locked: {error}", path.display()));
        let lock = File::create(&path).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(Some(Alone { _lock: lock })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }

    /// Waits until no other command starts or stops parts.
    pub(crate) async fn alone(&self, console: &mut Console) -> Result<Alone, Trouble> {
        let mut has_told = false;
        loop {
            if let Some(alone) = self.try_alone()? {
                return Ok(alone);
            }
            if !has_told {
                console.note("waiting for another command to finish (`passerelle down` ends it)");
                has_told = true;
            }
            tokio::time::sleep(TRY_EVERY).await;
        }
    }
}
