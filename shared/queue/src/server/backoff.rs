//! How long to wait between tries. The only file of the project that uses the crate `backoff` (ADR
//! 4).

use std::time::Duration;

use backoff::ExponentialBackoff;
use backoff::backoff::Backoff as _;

/// Waits that grow while Redis is away: 50 ms, doubling, about 2 s at most, for ever.
pub(crate) struct Reconnecting(Growing);

impl Reconnecting {
    pub(crate) fn new() -> Self {
        Self(Growing::new(Duration::from_millis(50), Duration::from_secs(2)))
    }

    /// The next wait.
    pub(crate) fn next(&mut self) -> Duration {
        self.0.next_wait()
    }
}

/// A wait around three seconds, between one and five: workers that would all look at once are
/// spread.
pub(crate) fn safety_poll() -> Duration {
    spread(Duration::from_secs(3), 2.0 / 3.0)
}

/// This wait, up to half longer or shorter by chance.
pub fn around(middle: Duration) -> Duration {
    spread(middle, 0.5)
}

fn spread(middle: Duration, factor: f64) -> Duration {
    ExponentialBackoff {
        current_interval: middle,
        initial_interval: middle,
        max_interval: middle,
        randomization_factor: factor,
        max_elapsed_time: None,
        ..ExponentialBackoff::default()
    }
    .next_backoff()
    .unwrap_or(middle)
}

/// Waits that double from the first to the longest, for ever; each half longer or shorter by
/// chance.
#[derive(Debug, Clone)]
pub struct Growing {
    schedule: ExponentialBackoff,
    longest: Duration,
}

impl Growing {
    /// From the first wait to the longest.
    pub fn new(first: Duration, longest: Duration) -> Self {
        Self {
            schedule: doubling(first, longest, 0.5),
            longest,
        }
    }

    /// The next wait.
    pub fn next_wait(&mut self) -> Duration {
        self.schedule.next_backoff().unwrap_or(self.longest)
    }
}

/// The n-th of the waits that double from the first to the longest (1 = the first), without chance.
pub fn ceiling(n: u32, first: Duration, longest: Duration) -> Duration {
    let mut schedule = doubling(first, longest, 0.0);
    let mut wait = first;
    // The thirty-second doubling is beyond a century.
    for _ in 0..n.clamp(1, 32) {
        wait = schedule.next_backoff().unwrap_or(longest);
    }
    wait.min(longest)
}

fn doubling(first: Duration, longest: Duration, factor: f64) -> ExponentialBackoff {
    ExponentialBackoff {
        current_interval: first,
        initial_interval: first,
        multiplier: 2.0,
        randomization_factor: factor,
        max_interval: longest,
        max_elapsed_time: None,
        ..ExponentialBackoff::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_for_redis_grow_and_stay_below_three_seconds() {
        let mut waits = Reconnecting::new();
        let waits: Vec<Duration> = (0..20).map(|_| waits.next()).collect();
        assert!(waits[0] <= Duration::from_millis(75));
        assert!(waits[19] >= Duration::from_secs(1));
        assert!(waits.iter().all(|wait| *wait <= Duration::from_secs(3)));
    }

    #[test]
    fn a_safety_poll_comes_within_one_to_five_seconds() {
        assert!((0..100).all(|_| (1000..=5001).contains(&safety_poll().as_millis())));
    }
}
