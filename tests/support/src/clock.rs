//! A wall clock that can be wrong: preloaded into a process, which maps the offset from a file
//! (`clock/clock.c`).

use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::preload::build_preload;

/// The clock of one process. Clocks that measure spans of time stay right, as on a machine whose
/// time was set.
#[derive(Debug, Clone)]
pub struct WrongClock {
    library: PathBuf,
    file: PathBuf,
}

impl WrongClock {
    /// A clock of this name that is right so far. All clocks of a folder share the library that is
    /// preloaded.
    ///
    /// # Errors
    /// There is no C compiler, or the folder cannot be written.
    pub fn new(folder: &Path, name: &str) -> anyhow::Result<Self> {
        let clock = Self {
            library: folder.join("clock.so"),
            file: folder.join(name).with_extension("clock"),
        };
        if !clock.library.exists() {
            let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("clock/clock.c");
            build_preload(&source, folder)?;
        }
        clock.set(0)?;
        Ok(clock)
    }

    /// What the environment of its process must have, from the start.
    pub fn environment(&self) -> [(String, String); 2] {
        let value = |path: &Path| path.display().to_string();
        [
            ("LD_PRELOAD".to_owned(), value(&self.library)),
            ("MATRIX_CLOCK".to_owned(), value(&self.file)),
        ]
    }

    /// Makes it wrong by so many seconds from now on.
    pub fn set(&self, by: i64) -> anyhow::Result<()> {
        // Written in place: a mapped file must not become shorter.
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.create(true).truncate(false).write(true).open(&self.file)?;
        Ok(file.write_all(&by.to_ne_bytes())?)
    }
}
