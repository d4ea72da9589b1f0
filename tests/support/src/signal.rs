//! Signals to processes.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};

/// Sends a signal by name, e.g. `TERM`, `STOP`, `CONT`. The shell's own `kill` does it: the program
/// of that name is not on every machine.
pub fn signal(pid: u32, name: &str) -> anyhow::Result<()> {
    let status = Command::new("sh")
        .args(["-c", "kill -\"$0\" \"$1\"", name, &pid.to_string()])
        .stderr(Stdio::null())
        .status()?;
    ensure!(status.success(), "process {pid} could not be signalled with {name}");
    Ok(())
}

/// The processes whose parent is this one.
pub fn children_of(parent: u32) -> anyhow::Result<Vec<u32>> {
    let processes = std::fs::read_dir("/proc").context("there is no /proc")?.flatten();
    let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    Ok(numbers.filter(|pid| parent_of(*pid) == Some(parent)).collect())
}

/// Whether a process runs. One that has ended may still wait for somebody to ask how.
pub fn is_alive(pid: u32) -> bool {
    let state = stat_of(pid).and_then(|fields| fields.chars().next());
    state.is_some_and(|state| !matches!(state, 'Z' | 'X'))
}

/// None if it has ended meanwhile.
fn parent_of(pid: u32) -> Option<u32> {
    stat_of(pid)?.split(' ').nth(1)?.parse().ok()
}

/// The fields behind the program's name, which may hold anything: the state, the parent, …
fn stat_of(pid: u32) -> Option<String> {
    let stat = std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat")).ok()?;
    Some(stat.rsplit_once(") ")?.1.to_owned())
}
