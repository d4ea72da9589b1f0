//! Structured JSON logs: one place for the format, so that every process logs alike. Field names
//! are in docs/LOGGING.md.

use std::sync::Arc;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;

use crate::shown::Shown;

/// Sends logs as JSON lines to standard error, filtered by `LOG_LEVEL` syntax (`info`,
/// `info,passerelle_worker=debug`). A filter that cannot be read falls back to `info`. A second
/// call changes nothing. What cannot be written, because the disk is full or the file has reached
/// its limit, is left out, and the process works on.
pub fn start(filter: &str) {
    outlive_full_files();
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let _ = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_span_events(FmtSpan::NONE)
        .with_env_filter(filter)
        // Else a line that cannot be written is reported to standard error, where it was meant to
        // go: that panics.
        .log_internal_errors(false)
        .with_writer(|| Shown::new(std::io::stderr()))
        .try_init();
}

/// A file that has reached the limit of its size ends the process no more (`SIGXFSZ`): the write
/// fails, as on a full disk.
pub fn outlive_full_files() {
    // Once it is listened to, it does nothing else. Where it cannot be, it ends the process as before.
    let _ = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, Arc::default());
}
