//! What the ingress counts. Labels hold one of a few fixed words; what each metric says is in
//! [`passerelle_model::metrics`]. The queue counts its own (`passerelle_queue_…`).

use std::sync::LazyLock;
use std::time::Duration;

use metrics::{Counter, Histogram, counter, gauge, histogram};
use passerelle_model::event::{Disposition, Item};
use passerelle_queue::AcceptStatus;

/// The word for items that are work.
const SYNC: &str = "sync";

/// The word for a status, in answers, logs and labels.
pub(crate) fn word(status: AcceptStatus) -> &'static str {
    match status {
        AcceptStatus::Queued => "queued",
        AcceptStatus::Duplicate => "duplicate",
        AcceptStatus::Ignored => "ignored",
    }
}

/// The items of one delivery, counted by what is to be done for them.
#[derive(Debug, Default)]
pub(crate) struct ItemCounts(Vec<(&'static str, u64)>);

impl ItemCounts {
    pub(crate) fn of(items: &[Item]) -> Self {
        let mut counts: Vec<(&'static str, u64)> = Vec::with_capacity(1);
        for item in items {
            let word = match &item.disposition {
                Disposition::Sync | Disposition::Job(_) => SYNC,
                Disposition::Closed(outcome) => outcome.name(),
            };
            match counts.iter_mut().find(|(counted, _)| *counted == word) {
                Some((_, count)) => *count += 1,
                None => counts.push((word, 1)),
            }
        }
        Self(counts)
    }
}

/// What nearly every delivery is counted by, looked up once.
struct Usual {
    queued: Counter,
    synced: Counter,
    seconds: Histogram,
}

static USUAL: LazyLock<Usual> = LazyLock::new(|| Usual {
    queued: counter!("passerelle_ingress_deliveries_total", "status" => word(AcceptStatus::Queued)),
    synced: counter!("passerelle_ingress_items_total", "disposition" => SYNC),
    seconds: histogram!("passerelle_ingress_accept_seconds"),
});

/// Counts an accepted delivery.
pub(crate) fn accepted(status: AcceptStatus, items: &ItemCounts, took: Duration) {
    USUAL.seconds.record(took);
    match status {
        AcceptStatus::Queued => USUAL.queued.increment(1),
        AcceptStatus::Duplicate | AcceptStatus::Ignored => {
            counter!("passerelle_ingress_deliveries_total", "status" => word(status)).increment(1);
        }
    }
    count_items(status, items);
}

/// Counts a delivery that waits in the spool. Its items are counted when it is drained: until then
/// it may be a repetition.
pub(crate) fn spooled() {
    counter!("passerelle_ingress_deliveries_total", "status" => "spooled").increment(1);
}

/// Shows what the spool holds.
pub(crate) fn spool(bytes: u64, deliveries: u64, oldest: Duration, quarantined: u64) {
    gauge!("passerelle_ingress_spool_bytes").set(as_gauge(bytes));
    gauge!("passerelle_ingress_spool_deliveries").set(as_gauge(deliveries));
    gauge!("passerelle_ingress_spool_oldest_seconds").set(oldest.as_secs_f64());
    gauge!("passerelle_ingress_spool_quarantined").set(as_gauge(quarantined));
}

/// Counts a delivery that came from the spool into the queue.
pub(crate) fn drained(status: AcceptStatus, items: &ItemCounts) {
    counter!("passerelle_ingress_spool_drained_total", "status" => word(status)).increment(1);
    count_items(status, items);
}

fn count_items(status: AcceptStatus, items: &ItemCounts) {
    if status != AcceptStatus::Duplicate {
        for (disposition, count) in &items.0 {
            if *disposition == SYNC {
                USUAL.synced.increment(*count);
            } else {
                counter!("passerelle_ingress_items_total", "disposition" => *disposition).increment(*count);
            }
        }
    }
}

/// Counts a refused request by its logged reason.
pub(crate) fn refused(reason: &'static str) {
    counter!("passerelle_ingress_refused_total", "reason" => reason).increment(1);
}

/// As a gauge shows it.
#[expect(
    clippy::cast_precision_loss,
    reason = "a gauge is a floating-point number; below 2^53 it is exact"
)]
fn as_gauge(number: u64) -> f64 {
    number as f64
}
