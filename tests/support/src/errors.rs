//! Lines of level `error` that code in the test's own process logs: those that the test does not
//! expect make it fail.

use std::fmt::{Debug, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

/// Watches what the test's process logs. Dropping it panics if there was an error that the test
/// does not expect.
///
/// A log belongs to a whole process. Where tests share one (cargo's own runner), nothing is
/// watched: one test's error would fail another.
#[derive(Debug, Default)]
pub struct ErrorLog {
    lines: Lines,
    expected: Mutex<Vec<String>>,
}

#[derive(Debug, Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl ErrorLog {
    /// From now on; a second one in a process sees nothing.
    pub fn watch() -> Self {
        let log = Self::default();
        #[expect(
            clippy::disallowed_methods,
            reason = "cargo-nextest sets it; it is no setting of the product"
        )]
        let has_a_process_of_its_own = std::env::var_os("NEXTEST").is_some();
        if has_a_process_of_its_own {
            let _ = tracing_subscriber::registry().with(log.lines.clone()).try_init();
        }
        log
    }

    /// Errors with these words may be logged.
    pub fn expect(&self, words: &str) {
        lock(&self.expected).push(words.to_owned());
    }
}

impl Drop for ErrorLog {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let expected = lock(&self.expected).clone();
        let mut lines = lock(&self.lines.0).clone();
        lines.retain(|line| !expected.iter().any(|words| line.contains(words)));
        assert!(
            lines.is_empty(),
            "the test does not expect these errors:\n{}",
            lines.join("\n")
        );
    }
}

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if *event.metadata().level() == Level::ERROR {
            let mut line = Line(event.metadata().target().to_owned());
            event.record(&mut line);
            lock(&self.0).push(line.0);
        }
    }
}

/// An event as `target field=value …`.
struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = write!(self.0, " {field}={value:?}");
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    #[test]
    fn an_error_that_nobody_expects_fails_its_test() {
        let log = ErrorLog::default();
        let watched = tracing_subscriber::registry().with(log.lines.clone());
        tracing::subscriber::with_default(watched, || {
            tracing::warn!("no error");
            tracing::error!(row = 7, "it is expected");
            tracing::error!("it is not");
        });
        log.expect("expected row=7");
        let panic = catch_unwind(AssertUnwindSafe(|| drop(log))).unwrap_err();
        let words = panic.downcast_ref::<String>().unwrap();
        assert!(words.contains("it is not") && !words.contains("row=7"), "{words}");
    }
}
