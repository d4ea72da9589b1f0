//! A power cut: what a server has written and not synced is gone.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use tempfile::TempDir;

use crate::preload::build_preload;
use crate::{Fsync, RedisOptions, TestRedis};

/// A Redis on a disk whose power can be cut.
#[derive(Debug)]
pub struct FragileRedis {
    /// The server.
    pub server: TestRedis,
    notes: PathBuf,
    _folder: TempDir,
}

impl FragileRedis {
    /// Starts one.
    pub fn start(fsync: Fsync) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("preload/synced.c");
        let library = build_preload(&source, folder.path())?;
        let notes = folder.path().join("synced");
        let variables = [("LD_PRELOAD", &library), ("SYNCED_NOTES", &notes)];
        let environment = variables.map(|(name, path)| (name.to_owned(), path.display().to_string()));
        Ok(Self {
            server: TestRedis::start_as(RedisOptions {
                fsync,
                environment: environment.into(),
                ..RedisOptions::default()
            })?,
            notes,
            _folder: folder,
        })
    }

    /// How much of the append-only file was synced last, in bytes, and which file that is.
    pub fn synced(&self) -> anyhow::Result<(u64, PathBuf)> {
        let notes = std::fs::read_to_string(&self.notes)?;
        let mut lines = notes.lines().rev().filter_map(|line| line.split_once(' '));
        let (size, path) = lines
            .find(|(_, path)| path.ends_with(".incr.aof"))
            .context("Redis has synced no append-only file yet")?;
        Ok((size.parse()?, PathBuf::from(path)))
    }

    /// Cuts the power: the server is gone, and with it all that it had not synced. Returns how many
    /// bytes that was.
    pub fn cut_power(&mut self) -> anyhow::Result<u64> {
        self.server.kill()?;
        let (synced, path) = self.synced()?;
        let written = std::fs::metadata(&path)?.len();
        OpenOptions::new().write(true).open(&path)?.set_len(synced)?;
        Ok(written.saturating_sub(synced))
    }
}
