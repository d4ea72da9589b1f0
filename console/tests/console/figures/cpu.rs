//! The processor time of processes: on a machine that others use too, the steadiest figure.

use std::time::Duration;

use anyhow::Context as _;

/// The unit of `/proc/<pid>/stat`: on Linux 100 per second for user space.
const TICK: Duration = Duration::from_millis(10);

/// What processes have used so far, with their children that have ended.
pub(super) fn used(pids: &[u32]) -> anyhow::Result<Duration> {
    pids.iter().map(|pid| used_by(*pid)).sum()
}

fn used_by(pid: u32) -> anyhow::Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name, in parentheses, may hold anything.
    let (_, fields) = stat.rsplit_once(") ").context("/proc tells nothing of a process")?;
    let fields: Vec<u32> = fields.split(' ').skip(11).take(4).flat_map(str::parse).collect();
    Ok(TICK * fields.iter().sum::<u32>())
}
