//! Libraries that are preloaded into a server: built from C when a test needs them.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};

/// Builds a library from this source into a folder, and returns its path.
pub fn build_preload(source: &Path, folder: &Path) -> anyhow::Result<PathBuf> {
    let name = source.file_stem().context("the source has no name")?;
    let library = folder.join(name).with_extension("so");
    let mut compiler = Command::new("cc");
    compiler
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .args([&library, source]);
    let status = compiler
        .status()
        .context("cc could not be started: install a C compiler")?;
    ensure!(status.success(), "{} could not be compiled", source.display());
    Ok(library)
}
