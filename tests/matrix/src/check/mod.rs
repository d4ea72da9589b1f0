//! The judge: what must hold after healing, seen by clients alone. It reads what the ingress
//! answered, what the sandbox has, and what the operator's program prints; never the store or
//! Redis.

mod ledger;
mod notices;
mod pages;
mod queue;
mod repair;

use std::fmt;
use std::time::Duration;

use crate::play::Deeds;
use crate::schedule::Schedule;
use crate::world::World;

/// How often the judge looks before it gives up. On a quiet machine that is a minute; on a busy one
/// each look takes longer, as everything does.
const LOOKS: usize = 100;
const PAUSE: Duration = Duration::from_millis(500);
/// However busy the machine is.
const LONGEST: Duration = Duration::from_mins(4);
/// How long everything must stay as it is: calls that the wiki carries out late end within this.
const STAYS_FOR: Duration = Duration::from_millis(2_600);

/// A law that a world broke.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// Which: `I1` to `I9`; `I0` for a process that ended by itself, and for a world that could not
    /// be played.
    pub law: &'static str,
    /// What was seen, with the row, page or delivery.
    pub seen: String,
}

impl Violation {
    pub(crate) fn new(law: &'static str, seen: impl Into<String>) -> Self {
        let seen = seen.into();
        Self { law, seen }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.law, self.seen)
    }
}

/// Waits until every law holds and goes on holding; gives what does not when the time is over.
pub(crate) async fn judge(world: &World, schedule: &Schedule, deeds: &Deeds) -> anyhow::Result<Vec<Violation>> {
    let deadline = tokio::time::Instant::now() + LONGEST;
    if schedule.holds_long() {
        repair::release_gates(world).await?;
    }
    let mut looks = 0;
    loop {
        looks += 1;
        repair::replay_poisoned(world).await?;
        repair::switch_on_webhooks(world).await?;
        let is_last = looks == LOOKS || tokio::time::Instant::now() > deadline;
        let mut violations = look(world, schedule, deeds, is_last).await?;
        if violations.is_empty() {
            tokio::time::sleep(STAYS_FOR).await;
            violations = look(world, schedule, deeds, true).await?;
        }
        // What is wrong for good will not be mended by waiting.
        let is_final = violations.iter().any(|violation| matches!(violation.law, "I6" | "I7"));
        if is_last || is_final || violations.is_empty() {
            return Ok(violations);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// What is still open, queued, leased or spooled, after all was mended; waits until nothing is, as
/// long as the judge does.
pub(crate) async fn is_done(world: &World) -> anyhow::Result<Vec<Violation>> {
    let deadline = tokio::time::Instant::now() + LONGEST;
    loop {
        let violations = queue::look(world).await?;
        if violations.is_empty() || tokio::time::Instant::now() > deadline {
            return Ok(violations);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// One look. Unless all is asked for, only at the laws that are cheap to look at, and no further
/// than those that do not hold.
async fn look(world: &World, schedule: &Schedule, deeds: &Deeds, all: bool) -> anyhow::Result<Vec<Violation>> {
    let mut violations: Vec<Violation> = Vec::new();
    let fallen = world.fallen()?;
    violations.extend(fallen.into_iter().map(|seen| Violation::new("I0", seen)));
    if !world.sandbox.is_idle().await? {
        violations.push(Violation::new("I8", "Baserow still has deliveries to make"));
    }
    violations.extend(pages::look(world, deeds).await?);
    if !all && !violations.is_empty() {
        return Ok(violations);
    }
    violations.extend(queue::look(world).await?);
    if !all {
        return Ok(violations);
    }
    violations.extend(ledger::look(world, schedule).await?);
    violations.extend(notices::look(world, schedule, deeds).await?);
    Ok(violations)
}
