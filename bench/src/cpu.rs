//! CPU time and memory of a process, as the kernel counts them: the steadiest figures on a shared
//! machine.

use std::time::Duration;

use anyhow::Context as _;

/// The unit of `/proc/<pid>/stat`: on Linux 100 per second for user space.
const TICK: Duration = Duration::from_millis(10);

/// User and system time that a process has used so far, its finished children included.
pub(crate) fn used(pid: u32) -> anyhow::Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The second field is the name in parentheses, which may contain blanks: count from behind it.
    let (_, fields) = stat.rsplit_once(')').context("/proc/pid/stat is not as expected")?;
    let field = |index: usize| -> anyhow::Result<u32> {
        Ok(fields
            .split_whitespace()
            .nth(index)
            .context("/proc/pid/stat is too short")?
            .parse()?)
    };
    Ok(TICK * (field(11)? + field(12)? + field(13)? + field(14)?))
}

/// Time that the main thread of a process has run so far, to the nanosecond: for short samples.
pub(crate) fn used_by_main_thread(pid: u32) -> anyhow::Result<Duration> {
    let ran = std::fs::read_to_string(format!("/proc/{pid}/schedstat"))?;
    let nanos = ran.split_whitespace().next().context("/proc/pid/schedstat is empty")?;
    Ok(Duration::from_nanos(nanos.parse()?))
}

/// Resident memory in MiB.
pub(crate) fn resident_mib(pid: u32) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .context("no VmRSS")?;
    let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib / 1024.0)
}

/// CPU milliseconds per 1,000 operations.
#[expect(clippy::cast_precision_loss, reason = "figures for people")]
pub(crate) fn millis_per_thousand(used: Duration, operations: u64) -> f64 {
    used.as_secs_f64() * 1e6 / operations.max(1) as f64
}
