//! Structured JSON logs: one place for the format, so that every process logs alike. Field names
//! are in docs/LOGGING.md.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;

use crate::shown::Shown;

/// Sends logs as JSON lines to standard error, filtered by `LOG_LEVEL` syntax (`info`,
/// `info,passerelle_worker=debug`). A filter that cannot be read falls back to `info`. A second
/// call changes nothing.
pub fn start(filter: &str) {
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let _ = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_span_events(FmtSpan::NONE)
        .with_env_filter(filter)
        .with_writer(|| Shown::new(std::io::stderr()))
        .try_init();
}
