//! The numbers of the ledger, as gauges: its backlog, and the conservation lines of deliveries and items.

use std::time::Duration;

use passerelle_queue::Queue;
use passerelle_store::Store;
use tokio::time::{MissedTickBehavior, interval, timeout};

/// How often the numbers are measured.
const MEASURE_EVERY: Duration = Duration::from_secs(5);
/// A database that counts longer than this is left alone until the next time.
const LONGEST_COUNT: Duration = Duration::from_secs(20);

/// Measures until it is dropped, beside the writing: an alert on the backlog is wanted most while
/// the database is away. A number that cannot be had keeps its last value; the writer says why.
pub(super) async fn for_ever(queue: &Queue, store: &Store) {
    let mut ticks = interval(MEASURE_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Ok(stats) = queue.stats().await {
            let backlog = i64::try_from(stats.ledger_backlog).unwrap_or(i64::MAX);
            metrics::gauge!("passerelle_ledger_backlog_entries").set(as_gauge(backlog));
        }
        if let Ok(Ok(Some(deliveries))) = timeout(LONGEST_COUNT, store.deliveries(queue)).await {
            metrics::gauge!("passerelle_deliveries_answered").set(as_gauge(deliveries.answered));
            metrics::gauge!("passerelle_deliveries_recorded").set(as_gauge(deliveries.recorded));
            metrics::gauge!("passerelle_deliveries_on_the_way").set(as_gauge(deliveries.on_the_way));
            metrics::gauge!("passerelle_deliveries_missing").set(as_gauge(deliveries.missing));
        }
        if let Ok(Ok(counts)) = timeout(LONGEST_COUNT, store.counts()).await {
            metrics::gauge!("passerelle_ledger_items").set(as_gauge(counts.items));
            metrics::gauge!("passerelle_ledger_items_open").set(as_gauge(counts.open));
            metrics::gauge!("passerelle_ledger_items_missing").set(as_gauge(counts.missing()));
            for (outcome, items) in counts.outcomes {
                metrics::gauge!("passerelle_ledger_items_ended", "outcome" => outcome).set(as_gauge(items));
            }
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a gauge is a floating-point number; below 2^53 it is exact"
)]
fn as_gauge(number: i64) -> f64 {
    number as f64
}
