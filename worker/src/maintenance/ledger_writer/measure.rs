//! The numbers of the ledger, as gauges: its backlog, and the conservation lines of deliveries and
//! items.

use std::time::Duration;

use passerelle_queue::Queue;
use passerelle_store::{Backlog, Store};
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
        if let Some(Backlog { unread, kept }) = backlog(queue, store).await {
            metrics::gauge!("passerelle_ledger_backlog_entries").set(as_gauge(unread));
            metrics::gauge!("passerelle_ledger_kept_entries").set(as_gauge(kept));
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

/// While the database is away, all that waits in Redis.
async fn backlog(queue: &Queue, store: &Store) -> Option<Backlog> {
    if let Ok(Ok(backlog)) = timeout(LONGEST_COUNT, store.backlog(queue)).await {
        return Some(backlog);
    }
    let held = queue.stats().await.ok()?.ledger_backlog;
    Some(Backlog {
        unread: i64::try_from(held).unwrap_or(i64::MAX),
        kept: 0,
    })
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a gauge is a floating-point number; below 2^53 it is exact"
)]
fn as_gauge(number: i64) -> f64 {
    number as f64
}
