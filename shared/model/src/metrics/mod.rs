//! Every metric in one table: the recorder, the texts at `/metrics` and `docs/METRICS.md` are made
//! from it, and a test compares it with what the programs count.
//!
//! A new metric is one line in `entries.rs`; then `make settings`.

mod entries;
mod render;

use std::sync::OnceLock;
use std::time::Duration;

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};

pub use entries::METRICS;
pub use metrics_exporter_prometheus::{BuildError, PrometheusHandle};
pub use render::markdown;

/// How often samples are to be folded into the histograms, so that they do not pile up between two
/// visits of Prometheus, or where there is none.
pub const FOLDING_INTERVAL: Duration = Duration::from_secs(5);

static EXPORT: OnceLock<PrometheusHandle> = OnceLock::new();

/// A metric.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// Its name at `/metrics`.
    pub name: &'static str,
    /// The heading that it belongs under.
    pub group: &'static str,
    /// How it is counted.
    pub kind: Kind,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// What it says, in one line.
    pub help: &'static str,
}

/// How a metric is counted.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// It only rises, from 0 at the start of the process.
    Counter,
    /// It rises and falls.
    Gauge,
    /// Samples by their size, with the upper bounds of the buckets. Those of several replicas add
    /// up.
    Histogram(&'static [f64]),
}

impl Kind {
    /// The word of Prometheus.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram(_) => "histogram",
        }
    }
}

/// Starts counting, once per process. A second call returns the same counts.
///
/// # Errors
/// If the table gives a histogram no bounds.
pub fn start() -> Result<PrometheusHandle, BuildError> {
    if let Some(export) = EXPORT.get() {
        return Ok(export.clone());
    }
    let mut builder = PrometheusBuilder::new();
    for metric in METRICS {
        if let Kind::Histogram(bounds) = metric.kind {
            builder = builder.set_buckets_for_metric(Matcher::Full(metric.name.to_owned()), bounds)?;
        }
    }
    let recorder = builder.build_recorder();
    // The recorder whose counts are shown is the one that counts, also if two parts start at once.
    let export = EXPORT.get_or_init(|| {
        let export = recorder.handle();
        // Refused only where a program has installed another recorder before.
        let _ = metrics::set_global_recorder(recorder);
        export
    });
    let export = export.clone();
    METRICS.iter().for_each(describe);
    Ok(export)
}

fn describe(metric: &Metric) {
    let Metric { name, help, .. } = *metric;
    match metric.kind {
        Kind::Counter => describe_counter!(name, help),
        Kind::Gauge => describe_gauge!(name, help),
        Kind::Histogram(_) if name.ends_with("_seconds") => describe_histogram!(name, Unit::Seconds, help),
        Kind::Histogram(_) => describe_histogram!(name, help),
    }
}
