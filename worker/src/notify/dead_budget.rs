//! Dead letters are never removed by themselves, so their growth must be visible. Each worker
//! measures them, and logs once when the budget is passed and once when it is kept again. The admin
//! gets one notice a day at most. The start of the present alert is kept in Redis for a day and is
//! the notice's idempotency key, so that all workers post the same one.

use std::time::Duration;

use passerelle_model::config::DeadLetterSettings;
use passerelle_model::id::EventId;
use passerelle_model::time::Timestamp;
use passerelle_queue::{DeadLoad, QueueName, Redis};
use serde_json::{Map, Value, json};
use tokio::time::{MissedTickBehavior, interval};

use crate::content::notice::{NoticeKind, notice_values};
use crate::context::Context;
use crate::failure::Failure;

/// How often the dead letters are weighed.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// The admin gets one notice in so long.
const NOTIFIED_ONCE_IN: Duration = Duration::from_hours(24);

/// What dead letters may weigh, and whether they did at the last look.
#[derive(Debug)]
struct DeadBudget {
    bytes: u64,
    is_passed: bool,
}

/// What a look has shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    None,
    /// The budget has been passed since the last look.
    Passed,
    /// It is kept again.
    Kept,
}

impl DeadBudget {
    /// With the limit of the settings.
    fn new(settings: DeadLetterSettings) -> Self {
        Self {
            bytes: settings.budget_bytes,
            is_passed: false,
        }
    }

    /// Shows the numbers as gauges, and says what has changed.
    fn look(&mut self, load: DeadLoad) -> Change {
        metrics::gauge!("passerelle_dead_letters").set(as_gauge(load.letters));
        metrics::gauge!("passerelle_dead_letters_bytes").set(as_gauge(load.bytes));
        metrics::gauge!("passerelle_dead_letters_budget_bytes").set(as_gauge(self.bytes));
        let (letters, bytes, budget_bytes) = (load.letters, load.bytes, self.bytes);
        let change = match (self.is_passed, bytes > self.bytes) {
            (false, true) => Change::Passed,
            (true, false) => Change::Kept,
            _ => Change::None,
        };
        match change {
            Change::Passed => {
                tracing::error!(
                    letters,
                    bytes,
                    budget_bytes,
                    "dead letters are above their budget; replay or discard them (passerelle dead list)"
                );
            }
            Change::Kept => tracing::info!(letters, bytes, "dead letters are within their budget again"),
            Change::None => {}
        }
        self.is_passed = bytes > self.bytes;
        change
    }
}

/// Weighs the dead letters, and notifies the admin while the budget is passed. Runs until it is
/// dropped.
pub async fn watch(context: &Context, redis: &Redis, settings: DeadLetterSettings) {
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut budget, mut notified) = (DeadBudget::new(settings), None);
    loop {
        looks.tick().await;
        // Numbers that cannot be had keep their last values.
        let Ok(loads) = redis.dead_loads().await else { continue };
        budget.look(loads.iter().map(|(_, load)| *load).sum());
        if !budget.is_passed {
            continue;
        }
        match notify_admin(context, redis, &values(&loads, budget.bytes), notified).await {
            Ok(since) => notified = Some(since),
            Err(failure) => {
                tracing::debug!(%failure, "the notice of the dead letters could not be stored; the next look tries again");
            }
        }
    }
}

/// Posts the notice of the present alert, unless this process has. Returns which alert it is.
async fn notify_admin(
    context: &Context,
    redis: &Redis,
    values: &Map<String, Value>,
    notified: Option<Timestamp>,
) -> Result<Timestamp, Failure> {
    let since = redis.alert("dead", NOTIFIED_ONCE_IN).await?;
    if notified == Some(since) {
        return Ok(since);
    }
    let event = EventId::parse(&format!("dead-letters-{}", since.as_millis()));
    let (kind, rule) = (NoticeKind::DeadLetters, "dead-letters");
    context.outbox.notify_admin_of_own(kind, values, rule, event).await?;
    tracing::info!(%since, "the admin is notified of the dead letters");
    Ok(since)
}

fn values(loads: &[(QueueName, DeadLoad)], budget: u64) -> Map<String, Value> {
    let load: DeadLoad = loads.iter().map(|(_, load)| *load).sum();
    let dead = loads.iter().filter(|(_, load)| load.letters > 0);
    let queues: Vec<Value> = dead
        .map(|(name, load)| json!({"queue": name.as_str(), "letters": load.letters}))
        .collect();
    notice_values(json!({
        "letters": load.letters,
        "mebibytes": mebibytes(load.bytes),
        "budget_mebibytes": mebibytes(budget),
        "queues": queues,
    }))
}

/// Begun ones: nothing that is there weighs nothing.
fn mebibytes(bytes: u64) -> u64 {
    bytes.div_ceil(1024 * 1024)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a gauge is a floating-point number; below 2^53 it is exact"
)]
fn as_gauge(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passing_the_budget_is_said_once_and_keeping_it_again_once() {
        let mut budget = DeadBudget::new(DeadLetterSettings { budget_bytes: 100 });
        let mut look = |bytes| budget.look(DeadLoad { letters: 1, bytes });
        let seen = [100, 101, 500, 100, 3].map(&mut look);
        assert_eq!(
            seen,
            [Change::None, Change::Passed, Change::None, Change::Kept, Change::None]
        );
    }
}
