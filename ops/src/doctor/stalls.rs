//! What waits too long, by the age of the oldest: a queue that moves slowly is long, one that does not move is old.

use std::time::Duration;

use passerelle_model::config::StallSettings;
use passerelle_model::time::Timestamp;

use super::Finding;
use crate::age::in_largest_unit;
use crate::operator::Operator;
use crate::trouble::Trouble;

const CHECK: &str = "stalls";

/// The oldest queued job and the oldest ledger entry.
pub(super) async fn in_redis(operator: &Operator, limits: StallSettings) -> Result<Vec<Finding>, Trouble> {
    let oldest = operator.queue.oldest().await?;
    let queued = "is there a worker, a pause or a stopped gate? passerelle workers, passerelle gates; if not, start \
        more workers";
    let ledger =
        "the workers cannot write the database: read their logs, and check that it is writable, fast and not full";
    Ok([
        stall("the oldest queued job waits", oldest.queued, limits.queued, queued),
        stall(
            "the oldest ledger entry waits for the database",
            oldest.ledger_entry,
            limits.ledger,
            ledger,
        ),
    ]
    .into_iter()
    .flatten()
    .collect())
}

/// The oldest open item.
pub(super) async fn in_store(operator: &Operator, limits: StallSettings) -> Result<Vec<Finding>, Trouble> {
    let oldest = operator.store().await?.oldest_open().await?;
    let fix =
        "passerelle trace of its row says what it waits for; passerelle reconcile requests rows whose job is lost";
    Ok(stall("the oldest open item waits", oldest, limits.open, fix)
        .into_iter()
        .collect())
}

fn stall(what: &str, since: Option<Timestamp>, longest: Duration, fix: &str) -> Option<Finding> {
    let since = since?;
    let age = Timestamp::now().since(since);
    let found = format!("{what} since {since} ({})", in_largest_unit(age));
    (age > longest).then(|| Finding::warn(CHECK, found, fix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_waits_longer_than_its_limit_is_a_stall() {
        let since = |seconds: u64| {
            let now = Timestamp::now().as_millis();
            Some(Timestamp::from_millis(now - i64::try_from(seconds * 1000).unwrap()))
        };
        let limit = Duration::from_mins(5);
        assert_eq!(stall("it waits", None, limit, "look"), None);
        assert_eq!(stall("it waits", since(200), limit, "look"), None);
        let found = stall("it waits", since(400), limit, "look").unwrap();
        assert!(found.found.ends_with("(6m)"), "{}", found.found);
    }
}
