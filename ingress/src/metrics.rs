//! The numbers at `/metrics`: the names and labels of the ingress. Labels hold one of a few fixed
//! words. The queue counts its own numbers (`passerelle_queue_…`).

use std::sync::{LazyLock, OnceLock};
use std::time::Duration;

use metrics::{Counter, Histogram, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};
use passerelle_model::event::{Disposition, Item};
use passerelle_queue::AcceptStatus;

const DELIVERIES: &str = "passerelle_ingress_deliveries_total";
const ITEMS: &str = "passerelle_ingress_items_total";
const SPOOL_BYTES: &str = "passerelle_ingress_spool_bytes";
const SPOOL_DELIVERIES: &str = "passerelle_ingress_spool_deliveries";
const SPOOL_OLDEST: &str = "passerelle_ingress_spool_oldest_seconds";
const DRAINED: &str = "passerelle_ingress_spool_drained_total";
const REFUSED: &str = "passerelle_ingress_refused_total";
const ACCEPT_SECONDS: &str = "passerelle_ingress_accept_seconds";

/// The word for items that are work.
const SYNC: &str = "sync";

/// Upper bounds of the histogram of accept times. Baserow gives up after 5 s.
const ACCEPT_SECONDS_BOUNDS: [f64; 10] = [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 3.0];

/// How often samples are folded into the histogram, so that they do not pile up between two visits
/// of Prometheus.
pub(crate) const FOLDING_INTERVAL: Duration = Duration::from_secs(5);

static EXPORT: OnceLock<PrometheusHandle> = OnceLock::new();

/// Starts counting, once per process. A second call returns the same counts.
pub(crate) fn start() -> Result<PrometheusHandle, BuildError> {
    if let Some(export) = EXPORT.get() {
        return Ok(export.clone());
    }
    let recorder = PrometheusBuilder::new()
        .set_buckets(&ACCEPT_SECONDS_BOUNDS)?
        .build_recorder();
    let export = EXPORT.get_or_init(|| recorder.handle()).clone();
    // Refused only if another server of this process was faster; then its counts are the ones that
    // are shown.
    let _ = metrics::set_global_recorder(recorder);
    describe_counter!(DELIVERIES, "Deliveries answered 200, by what became of them.");
    describe_counter!(
        ITEMS,
        "Rows of accepted deliveries (duplicates left out), by what is to be done for them."
    );
    describe_counter!(
        DRAINED,
        "Deliveries from the spool that are in the queue, by what became of them."
    );
    describe_counter!(REFUSED, "Requests that were refused, by reason.");
    describe_gauge!(SPOOL_BYTES, "What the spool's folder holds, with what was set aside.");
    describe_gauge!(SPOOL_DELIVERIES, "Deliveries in the spool that are to be drained.");
    describe_gauge!(SPOOL_OLDEST, "How long the oldest of them waits.");
    describe_histogram!(
        ACCEPT_SECONDS,
        metrics::Unit::Seconds,
        "Time to make a delivery durable."
    );
    Ok(export)
}

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
    queued: counter!(DELIVERIES, "status" => word(AcceptStatus::Queued)),
    synced: counter!(ITEMS, "disposition" => SYNC),
    seconds: histogram!(ACCEPT_SECONDS),
});

/// Counts an accepted delivery.
pub(crate) fn accepted(status: AcceptStatus, items: &ItemCounts, took: Duration) {
    USUAL.seconds.record(took);
    match status {
        AcceptStatus::Queued => USUAL.queued.increment(1),
        AcceptStatus::Duplicate | AcceptStatus::Ignored => counter!(DELIVERIES, "status" => word(status)).increment(1),
    }
    count_items(status, items);
}

/// Counts a delivery that waits in the spool. Its items are counted when it is drained: until then
/// it may be a repetition.
pub(crate) fn spooled() {
    counter!(DELIVERIES, "status" => "spooled").increment(1);
}

/// Shows what the spool holds.
pub(crate) fn spool(bytes: u64, deliveries: u64, oldest: Duration) {
    gauge!(SPOOL_BYTES).set(as_gauge(bytes));
    gauge!(SPOOL_DELIVERIES).set(as_gauge(deliveries));
    gauge!(SPOOL_OLDEST).set(oldest.as_secs_f64());
}

/// Counts a delivery that came from the spool into the queue.
pub(crate) fn drained(status: AcceptStatus, items: &ItemCounts) {
    counter!(DRAINED, "status" => word(status)).increment(1);
    count_items(status, items);
}

fn count_items(status: AcceptStatus, items: &ItemCounts) {
    if status != AcceptStatus::Duplicate {
        for (disposition, count) in &items.0 {
            if *disposition == SYNC {
                USUAL.synced.increment(*count);
            } else {
                counter!(ITEMS, "disposition" => *disposition).increment(*count);
            }
        }
    }
}

/// Counts a refused request by its logged reason.
pub(crate) fn refused(reason: &'static str) {
    counter!(REFUSED, "reason" => reason).increment(1);
}

/// As a gauge shows it.
#[expect(
    clippy::cast_precision_loss,
    reason = "a gauge is a floating-point number; below 2^53 it is exact"
)]
pub(crate) fn as_gauge(number: u64) -> f64 {
    number as f64
}
