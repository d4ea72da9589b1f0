//! The lease on reconciliation: it and the workers' own never run at once.

use std::time::Duration;

use passerelle_queue::schedule::{Schedule, Task, Turn};

use crate::trouble::Trouble;

/// How long a run that no longer renews its lease keeps others away.
const LEASE: Duration = Duration::from_secs(15);

/// The same name as the workers' own task.
const TURN: Task = Task {
    name: "reconcile",
    every: None,
    begins_at_once: true,
    lease: LEASE,
};

/// Takes the lease. Returns the workers' own checkpoint, which is kept for them.
pub(super) async fn take(schedule: &Schedule) -> Result<String, Trouble> {
    match schedule.take(&TURN).await? {
        Turn::Mine { memo } => Ok(memo),
        Turn::NotMine { holder, ask_after } => Err(Trouble::Failed(format!(
            "another reconciliation is running ({}); wait for its end, or use --dry-run. If it was killed, its \
             lease ends in {} s",
            holder.unwrap_or_else(|| "interrupted a moment ago".to_owned()),
            ask_after.as_secs() + 1
        ))),
    }
}

pub(super) async fn release(schedule: &Schedule, memo: &str) -> Result<(), Trouble> {
    if memo.is_empty() {
        schedule.done(&TURN).await?;
    } else {
        schedule.leave(&TURN, Duration::ZERO).await?;
    }
    Ok(())
}

/// Renews the lease; ends only if it is lost.
pub(super) async fn hold(schedule: &Schedule, memo: &str) -> Trouble {
    let mut beats = tokio::time::interval(LEASE / 3);
    loop {
        beats.tick().await;
        if let Ok(false) = schedule.keep(&TURN, memo).await {
            return Trouble::Failed("the lease was lost to another process".to_owned());
        }
    }
}
