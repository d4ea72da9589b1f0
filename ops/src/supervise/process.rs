//! A process that may be no child of this one. It is held by a descriptor of its own: a signal
//! reaches it or nobody, never another process that has got its number.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, Signal, pidfd_getfd, pidfd_open, pidfd_send_signal};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::timeout;

/// How long the system may take to end a process that was killed.
const KILLED_WITHIN: Duration = Duration::from_mins(1);

/// When a process was started, in ticks of this boot. `None` if it has ended, also while its parent
/// has not collected its exit status.
pub(crate) fn started(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The program's name may hold anything; behind it come the state and, 19 fields later, the start.
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    Some(format!("{}@{}", fields.nth(18)?, boot.trim()))
}

/// A running process.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    start: String,
    descriptor: AsyncFd<OwnedFd>,
}

/// How a process came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Asked,
    Killed,
    /// It does not end.
    None,
}

impl Process {
    /// The process with this number, if it was started then.
    pub(crate) fn noted(pid: u32, start: &str) -> Option<Self> {
        let process = Self::open(pid).ok()?;
        // Looked at after it was opened: what is held is the one that is looked at.
        (process.start == start).then_some(process)
    }

    /// The process that has this number now.
    pub(crate) fn open(pid: u32) -> io::Result<Self> {
        let number = i32::try_from(pid).ok().and_then(Pid::from_raw);
        let number = number.ok_or_else(|| io::Error::other("no number of a process"))?;
        let descriptor = pidfd_open(number, PidfdFlags::empty())?;
        #[expect(
            deprecated,
            reason = "an owned descriptor is what the newer constructor, an unsafe one, asks for"
        )]
        let descriptor = AsyncFd::with_interest(descriptor, Interest::READABLE)?;
        let start = started(pid).ok_or_else(|| io::Error::other("it has ended"))?;
        Ok(Self { pid, start, descriptor })
    }

    /// A copy of its standard input.
    pub(crate) fn stdin(&self) -> io::Result<OwnedFd> {
        Ok(pidfd_getfd(self.descriptor.get_ref(), 0, PidfdGetfdFlags::empty())?)
    }

    pub(crate) fn runs(&self) -> bool {
        started(self.pid).as_ref() == Some(&self.start)
    }

    /// Waits for its end.
    pub(crate) async fn ended(&self) {
        if let Err(error) = self.descriptor.readable().await {
            tracing::error!(pid = self.pid, %error, "nobody notices the end of this process");
            std::future::pending::<()>().await;
        }
    }

    fn signal(&self, signal: Signal) {
        // One that has ended needs none.
        let _ = pidfd_send_signal(self.descriptor.get_ref(), signal);
    }

    /// Asks it to end, waits, and only then kills it.
    pub(crate) async fn stop(&self, patience: Duration) -> End {
        self.signal(Signal::TERM);
        if timeout(patience, self.ended()).await.is_ok() {
            return End::Asked;
        }
        self.kill().await
    }

    pub(crate) async fn kill(&self) -> End {
        self.signal(Signal::KILL);
        match timeout(KILLED_WITHIN, self.ended()).await {
            Ok(()) => End::Killed,
            Err(_) => End::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt as _;
    use std::process::Command;

    use super::*;

    #[tokio::test]
    async fn a_process_is_found_by_number_and_start_and_never_by_its_number_alone() {
        let mut child = Command::new("sleep").arg("600").spawn().unwrap();
        let start = started(child.id()).unwrap();
        assert!(Process::noted(child.id(), "1@another-boot").is_none());
        assert!(Process::noted(child.id(), "").is_none());
        let process = Process::noted(child.id(), &start).unwrap();
        assert!(process.runs());
        assert_eq!(process.stop(Duration::from_mins(1)).await, End::Asked);
        // Nobody has collected its exit status yet.
        assert!(!process.runs());
        assert!(Process::noted(child.id(), &start).is_none());
        child.wait().unwrap();
    }

    #[tokio::test]
    async fn a_process_that_does_not_end_when_it_is_asked_is_killed() {
        let mut child = Command::new("sh")
            .args(["-c", "trap '' TERM; echo ready; while :; do sleep 600; done"])
            .process_group(0)
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        // It says when it knows what the signal means.
        let mut said = [0; 5];
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut said).unwrap();
        let process = Process::open(child.id()).unwrap();
        assert_eq!(process.stop(Duration::from_millis(50)).await, End::Killed);
        let group = rustix::process::Pid::from_child(&child);
        child.wait().unwrap();
        rustix::process::kill_process_group(group, Signal::KILL).unwrap();
    }
}
