//! What waits too long, by the age of the oldest: a queue that moves slowly is long, one that does
//! not move is old. Each worker measures it, shows it at `/metrics` and `/readyz`, and tells the
//! admin, once a day at most for each kind.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use passerelle_model::config::StallSettings;
use passerelle_model::id::EventId;
use passerelle_model::time::Timestamp;
use passerelle_queue::gate::{GateState, GateStatus, Gates};
use passerelle_queue::{Queue, QueueError, Redis};
use passerelle_store::{Store, StoreError};
use serde_json::json;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::content::notice::{NoticeKind, notice_values};
use crate::context::Context;
use crate::failure::Failure;

/// How often is looked.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// The admin gets one message of a kind in so long.
const NOTIFIED_ONCE_IN: Duration = Duration::from_hours(24);
/// A database that does not answer is a cause of its own.
const PATIENCE: Duration = Duration::from_secs(10);

/// One thing that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wait {
    /// `queued`, `ledger` or `open`.
    pub kind: &'static str,
    /// What it is.
    pub what: &'static str,
    /// Since when; `None`: nothing waits.
    pub since: Option<Timestamp>,
    /// How long it may.
    pub longest: Duration,
    /// What to do if it waits longer.
    pub fix: &'static str,
}

impl Wait {
    /// How long the oldest waits.
    pub fn age(&self) -> Duration {
        self.since.map_or(Duration::ZERO, |since| Timestamp::now().since(since))
    }

    /// Since when, if that is too long.
    pub fn stalled_since(&self) -> Option<Timestamp> {
        self.since.filter(|_| self.age() > self.longest)
    }
}

/// The oldest queued job and the oldest ledger entry.
pub async fn in_redis(queue: &Queue, limits: StallSettings) -> Result<[Wait; 2], QueueError> {
    let oldest = queue.oldest().await?;
    Ok([
        Wait {
            kind: "queued",
            what: "the oldest queued job waits",
            since: oldest.queued,
            longest: limits.queued,
            fix: "is there a worker, a pause or a stopped gate? passerelle workers, passerelle gates; if not, start more workers",
        },
        Wait {
            kind: "ledger",
            what: "the oldest ledger entry waits for the database",
            since: oldest.ledger_entry,
            longest: limits.ledger,
            fix: "the workers cannot write the database: read their logs, and check that it is writable, fast and not full",
        },
    ])
}

/// The oldest open item.
pub async fn in_store(store: &Store, limits: StallSettings) -> Result<Wait, StoreError> {
    Ok(Wait {
        kind: "open",
        what: "the oldest open item waits",
        since: store.oldest_open().await?,
        longest: limits.open,
        fix: "passerelle trace of its row says what it waits for; passerelle reconcile requests rows whose job is lost",
    })
}

/// What stands still at present, in words; shared with `/readyz`.
#[derive(Debug, Clone, Default)]
pub struct Stalls(Arc<Mutex<Vec<String>>>);

impl Stalls {
    /// One sentence each.
    pub fn list(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn replace(&self, stalls: Vec<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = stalls;
    }
}

/// Measures until it is dropped.
pub async fn watch(context: &Context, redis: &Redis, limits: StallSettings, stalls: &Stalls) {
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        let mut sentences = Vec::new();
        for wait in waits(context, limits).await {
            metrics::gauge!("passerelle_oldest_seconds", "what" => wait.kind).set(wait.age().as_secs_f64());
            let Some(since) = wait.stalled_since() else { continue };
            let cause = cause(context, wait.kind).await;
            sentences.push(format!("{} since {since}: {cause}", wait.what));
            if let Err(failure) = notify_admin(context, redis, &wait, &cause).await {
                tracing::debug!(%failure, "a stall could not be reported yet; the next look tries again");
            }
        }
        let gates = context.gates.list().await.unwrap_or_default();
        let stopped = gates.iter().filter_map(|gate| Some((gate, stopped_since(gate)?)));
        let longest = stopped.map(|(gate, since)| (Timestamp::now().since(since), gate, since));
        let longest = longest.max_by_key(|(age, ..)| *age);
        let age = longest.as_ref().map_or(Duration::ZERO, |(age, ..)| *age);
        metrics::gauge!("passerelle_oldest_seconds", "what" => "gate").set(age.as_secs_f64());
        if let Some((_, gate, since)) = longest.filter(|_| age > limits.gate) {
            sentences.push(stopped_in_words(gate, since));
        }
        stalls.replace(sentences);
    }
}

/// What could be looked at.
async fn waits(context: &Context, limits: StallSettings) -> Vec<Wait> {
    let mut waits = Vec::new();
    if let Ok(found) = in_redis(&context.queue, limits).await {
        waits.extend(found);
    }
    if let Ok(Ok(open)) = timeout(PATIENCE, in_store(&context.store, limits)).await {
        waits.push(open);
    }
    waits
}

fn stopped_since(gate: &GateStatus) -> Option<Timestamp> {
    matches!(gate.state, GateState::Stopped | GateState::Probing)
        .then_some(gate.down_since.or(gate.since))
        .flatten()
}

fn stopped_in_words(gate: &GateStatus, since: Timestamp) -> String {
    let why = gate.why.as_deref().unwrap_or("no reason is known");
    format!("the gate {} is stopped since {since}: {why}", gate.gate)
}

/// Why it waits, as far as a worker can see.
async fn cause(context: &Context, kind: &str) -> String {
    let unwritable = match timeout(PATIENCE, context.store.check_write()).await {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(error.to_string()),
        Err(_) => Some(format!("the database does not answer within {PATIENCE:?}")),
    };
    if let Some(unwritable) = unwritable {
        return unwritable;
    }
    if kind == "ledger" {
        return "the database takes writes, but too slowly".to_owned();
    }
    if let Ok(stats) = context.queue.stats().await
        && let Some(pause) = stats.paused
    {
        return format!("the queue is {pause}, since {}", pause.since);
    }
    if let Some(gate) = stopped_gate(&context.gates).await {
        return gate;
    }
    broken_rule(&context.queue)
        .await
        .unwrap_or_else(|| "no pause and no stopped gate: the workers are too slow, too few, or hang".to_owned())
}

async fn broken_rule(queue: &Queue) -> Option<String> {
    let held = queue.held_tables().await.ok()?.into_iter().next()?;
    let (table, since, why) = (held.table, held.since, held.why);
    Some(format!("the rule of table {table} is broken since {since}: {why}"))
}

async fn stopped_gate(gates: &Gates) -> Option<String> {
    let gates = gates.list().await.ok()?;
    let mut stopped = gates
        .iter()
        .filter_map(|gate| Some(stopped_in_words(gate, stopped_since(gate)?)));
    stopped.next()
}

/// Whoever is first names the alert after its moment; the others post the same notice.
async fn notify_admin(context: &Context, redis: &Redis, wait: &Wait, cause: &str) -> Result<(), Failure> {
    let alert = redis.alert(&format!("stalled-{}", wait.kind), NOTIFIED_ONCE_IN).await?;
    let event = EventId::parse(&format!("stalled-{}-{}", wait.kind, alert.as_millis()));
    let values = notice_values(json!({
        "what": wait.what,
        "since": wait.since.map(|since| since.to_string()),
        "minutes": wait.age().as_secs() / 60,
        "cause": cause,
        "fix": wait.fix,
    }));
    let kind = NoticeKind::Stalled;
    context
        .outbox
        .notify_admin_of_own(kind, &values, "stalled", event)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_waits_longer_than_its_limit_is_stalled() {
        let wait = |seconds: i64| Wait {
            kind: "queued",
            what: "it waits",
            since: Some(Timestamp::from_millis(Timestamp::now().as_millis() - seconds * 1000)),
            longest: Duration::from_mins(5),
            fix: "look",
        };
        assert_eq!(wait(200).stalled_since(), None);
        assert_eq!(wait(400).stalled_since(), wait(400).since);
        assert_eq!(
            Wait {
                since: None,
                ..wait(400)
            }
            .stalled_since(),
            None
        );
    }
}
