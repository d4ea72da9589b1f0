//! Jobs whose worker or handler vanished: how long each rests, when it is given up, and that it
//! runs alone meanwhile.
//!
//! When a process dies, all its jobs look alike: any of them may have killed it. So each that
//! crashed runs alone from then on; the next crash names the culprit, and only a job that ran alone
//! is ever buried as poison.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

use crate::server::backoff::around;

/// What follows from crashes. The worker decides it (`worker/src/failure.rs`), the queue carries it
/// out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CrashPolicy {
    /// How long a job rests after its first and after its second crash in a row, each half longer
    /// or shorter by chance. After the third it is a dead letter.
    pub waits: [Duration; 2],
}

impl CrashPolicy {
    /// Rests of so many seconds after the first and after the second crash.
    pub const fn of_seconds(first: u64, second: u64) -> Self {
        Self {
            waits: [Duration::from_secs(first), Duration::from_secs(second)],
        }
    }

    /// The wait of a job that had crashed so often before; `None`: it is given up.
    pub(crate) fn wait(&self, crashes_before: u32) -> Option<Duration> {
        let wait = self.waits.get(usize::try_from(crashes_before).ok()?)?;
        Some(around(*wait))
    }
}

/// Lets one job of a process run alone. All backends of a process share one; clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Solo(Arc<RwLock<()>>);

/// Held with a lease: what else may run in this process meanwhile.
#[derive(Debug, Clone)]
pub(crate) enum Company {
    /// Others.
    Shared { _others: Arc<OwnedRwLockReadGuard<()>> },
    /// Nothing.
    Alone { _nothing: Arc<OwnedRwLockWriteGuard<()>> },
}

impl Company {
    pub(crate) fn is_alone(&self) -> bool {
        matches!(self, Self::Alone { .. })
    }
}

impl Solo {
    /// Waits until no job of the process runs alone.
    pub(crate) async fn among_others(&self) -> Company {
        Company::Shared {
            _others: Arc::new(Arc::clone(&self.0).read_owned().await),
        }
    }

    /// Waits until no job of the process runs; meanwhile none begins.
    pub(crate) async fn alone(&self) -> Company {
        Company::Alone {
            _nothing: Arc::new(Arc::clone(&self.0).write_owned().await),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_that_crashed_together_come_back_apart_and_the_third_crash_is_the_last() {
        let policy = CrashPolicy::of_seconds(1, 10);
        let waits: Vec<Duration> = (0..20).filter_map(|_| policy.wait(0)).collect();
        assert!(waits.iter().all(|wait| (500..=1501).contains(&wait.as_millis())));
        assert!(waits.iter().any(|wait| *wait != waits[0]));
        assert!(policy.wait(1).is_some());
        assert_eq!((policy.wait(2), policy.wait(u32::MAX)), (None, None));
    }
}
