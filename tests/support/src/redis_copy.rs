//! Copies of what a Redis has on its disk: to go back to an older state, as a restored backup or a
//! failover does.

use std::fs::File;
use std::path::Path;

use tempfile::TempDir;

use crate::TestRedis;

/// What a Redis had on its disk at a moment.
#[derive(Debug)]
pub struct RedisCopy(TempDir);

impl TestRedis {
    /// Copies its files as they are. It may run: an append-only file that is cut anywhere is a good
    /// one.
    pub fn copy(&self) -> anyhow::Result<RedisCopy> {
        let copy = tempfile::tempdir()?;
        copy_files(self.folder(), copy.path())?;
        Ok(RedisCopy(copy))
    }

    /// Kills it and starts it again with an older copy of its data.
    pub fn go_back_to(&mut self, copy: &RedisCopy) -> anyhow::Result<()> {
        self.kill()?;
        for entry in std::fs::read_dir(self.folder())? {
            let path = entry?.path();
            if path.is_dir() {
                std::fs::remove_dir_all(path)?;
            }
        }
        copy_files(copy.0.path(), self.folder())?;
        self.boot()
    }

    /// Kills it, cuts so many bytes from the end of its append-only file, and starts it again: what
    /// a power cut takes that came before a sync.
    pub fn lose_tail(&mut self, bytes: u64) -> anyhow::Result<()> {
        self.kill()?;
        for entry in std::fs::read_dir(self.folder().join("appendonlydir"))? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().ends_with(".incr.aof") {
                let length = entry.metadata()?.len().saturating_sub(bytes);
                File::options().write(true).open(entry.path())?.set_len(length)?;
            }
        }
        self.boot()
    }
}

fn copy_files(from: &Path, to: &Path) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            std::fs::create_dir_all(&target)?;
            copy_files(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
