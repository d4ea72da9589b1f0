//! The sandbox's clock for Baserow: how fast it waits, and its timestamps.
//!
//! Baserow's retries take more than four minutes, and a test must not. Only the waiting *between*
//! attempts is scaled: the time-out of a call stays real, because the receiver is real.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;

/// How many times faster than the real server the sandbox waits. One is real time.
#[derive(Debug)]
pub(crate) struct Tempo(AtomicU64);

impl Tempo {
    pub(crate) fn new(scale: f64) -> Self {
        let tempo = Self(AtomicU64::new(0));
        tempo.set(scale);
        tempo
    }

    pub(crate) fn scale(&self) -> f64 {
        f64::from_bits(self.0.load(Ordering::Relaxed))
    }

    /// Changes it for waits that begin from now on. A scale that is not a positive number means
    /// real time.
    pub(crate) fn set(&self, scale: f64) {
        let scale = if scale.is_finite() && scale > 0.0 { scale } else { 1.0 };
        self.0.store(scale.to_bits(), Ordering::Relaxed);
    }

    /// Waits for `duration`, divided by the scale.
    pub(crate) async fn wait(&self, duration: Duration) {
        tokio::time::sleep(duration.div_f64(self.scale())).await;
    }
}

/// The present moment, by the sandbox's own clock.
#[expect(
    clippy::disallowed_methods,
    reason = "the stand-ins are foreign systems with a clock of their own"
)]
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}

/// A moment as Baserow prints it: microseconds and `Z`.
pub(crate) fn printed(moment: Timestamp) -> String {
    format!("{moment:.6}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_printed_with_microseconds() {
        let moment = Timestamp::from_microsecond(1_795_344_795_473_570).unwrap();
        assert_eq!(printed(moment), "2026-11-22T10:53:15.473570Z");
    }

    #[test]
    fn a_senseless_scale_means_real_time() {
        let tempo = Tempo::new(0.0);
        assert!((tempo.scale() - 1.0).abs() < f64::EPSILON);
        tempo.set(100.0);
        assert!((tempo.scale() - 100.0).abs() < f64::EPSILON);
    }
}
