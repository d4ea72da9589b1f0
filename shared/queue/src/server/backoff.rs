//! How long to wait between tries, by the `backoff` crate's schedules.

use std::time::Duration;

use backoff::ExponentialBackoff;
use backoff::backoff::Backoff as _;

/// Waits that grow while Redis is away: 50 ms, doubling, about 2 s at most, for ever.
pub(crate) struct Reconnecting(ExponentialBackoff);

impl Reconnecting {
    const LONGEST: Duration = Duration::from_secs(2);

    pub(crate) fn new() -> Self {
        Self(ExponentialBackoff {
            current_interval: Duration::from_millis(50),
            initial_interval: Duration::from_millis(50),
            multiplier: 2.0,
            randomization_factor: 0.5,
            max_interval: Self::LONGEST,
            max_elapsed_time: None,
            ..ExponentialBackoff::default()
        })
    }

    /// The next wait.
    pub(crate) fn next(&mut self) -> Duration {
        self.0.next_backoff().unwrap_or(Self::LONGEST)
    }
}

/// A wait around three seconds, between one and five: workers that would all look at once are spread.
pub(crate) fn safety_poll() -> Duration {
    let middle = Duration::from_secs(3);
    ExponentialBackoff {
        current_interval: middle,
        initial_interval: middle,
        randomization_factor: 2.0 / 3.0,
        max_elapsed_time: None,
        ..ExponentialBackoff::default()
    }
    .next_backoff()
    .unwrap_or(middle)
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
