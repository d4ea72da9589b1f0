//! Clocks that can be wrong: each process maps the offset of its clock from a file of its own
//! (`clock/clock.c`).

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::schedule::{Clock, FaultKind, Schedule};

/// The clocks of a world that its schedule breaks.
#[derive(Debug)]
pub(crate) struct Clocks {
    library: PathBuf,
    folder: PathBuf,
    broken: Vec<Clock>,
}

impl Clocks {
    /// Builds what is preloaded, if a clock will be wrong.
    pub(crate) fn of(schedule: &Schedule, folder: &Path) -> anyhow::Result<Self> {
        let clocks = schedule.faults.iter().filter_map(|fault| match fault.kind {
            FaultKind::Clock(clock, _) => Some(clock),
            _ => None,
        });
        let mut clocks = Self {
            library: folder.join("clock.so"),
            folder: folder.to_owned(),
            broken: clocks.collect(),
        };
        if clocks.broken.is_empty() {
            return Ok(clocks);
        }
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("clock/clock.c");
        clocks.library = test_support::build_preload(&source, folder)?;
        clocks.heal()?;
        Ok(clocks)
    }

    /// The environment of the process that has this clock.
    pub(crate) fn preload(&self, clock: Clock) -> BTreeMap<String, String> {
        if !self.broken.contains(&clock) {
            return BTreeMap::new();
        }
        let variables = [
            ("LD_PRELOAD", self.library.display().to_string()),
            ("MATRIX_CLOCK", self.file(clock).display().to_string()),
        ];
        variables.map(|(name, value)| (name.to_owned(), value)).into()
    }

    /// Makes a clock wrong by so many seconds from now on.
    pub(crate) fn set(&self, clock: Clock, by: i64) -> anyhow::Result<()> {
        // Written in place: a mapped file must not become shorter.
        let mut options = std::fs::OpenOptions::new();
        let mut file = options
            .create(true)
            .truncate(false)
            .write(true)
            .open(self.file(clock))?;
        Ok(file.write_all(&by.to_ne_bytes())?)
    }

    /// All clocks are right.
    pub(crate) fn heal(&self) -> anyhow::Result<()> {
        self.broken.iter().try_for_each(|clock| self.set(*clock, 0))
    }

    fn file(&self, clock: Clock) -> PathBuf {
        let name = match clock {
            Clock::OfRedis => "redis".to_owned(),
            Clock::Of(program) => program.to_string().replace(' ', "-"),
        };
        self.folder.join(name).with_extension("clock")
    }
}
