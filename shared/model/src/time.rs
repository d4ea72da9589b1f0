//! The only place that reads the clock. Everything else is given a [`Timestamp`].

use std::cell::Cell;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize, Serializer};

/// Milliseconds since 1970-01-01 UTC. Prints as RFC 3339 with milliseconds. As JSON it is the
/// number of milliseconds, but within [`as_rfc_3339`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The present moment by this machine's clock. Queue scripts use the clock of Redis instead.
    #[expect(clippy::disallowed_methods, reason = "this is the home of the clock")]
    pub fn now() -> Self {
        Self(jiff::Timestamp::now().as_millisecond())
    }
    /// From milliseconds since the epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }
    /// Milliseconds since the epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }
    /// How long after `earlier` this is; zero if it is not after it.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
    /// This moment minus a duration.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(
            self.0
                .saturating_sub(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)),
        )
    }
    /// This moment plus a duration.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(
            self.0
                .saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)),
        )
    }
}

thread_local! {
    static AS_RFC_3339: Cell<bool> = const { Cell::new(false) };
}

/// Writes every [`Timestamp`] that `serialize` meets as RFC 3339 in UTC: what other programs read.
/// What the bridge itself stores keeps the milliseconds.
pub fn as_rfc_3339<T>(serialize: impl FnOnce() -> T) -> T {
    /// Restores what was, also if `serialize` panics.
    struct Former(bool);
    impl Drop for Former {
        fn drop(&mut self) {
            AS_RFC_3339.set(self.0);
        }
    }
    let _former = Former(AS_RFC_3339.replace(true));
    serialize()
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if AS_RFC_3339.get() {
            serializer.collect_str(self)
        } else {
            serializer.serialize_i64(self.0)
        }
    }
}

/// A clock that is corrected by less than this went nowhere.
const CORRECTION: Duration = Duration::from_secs(1);

impl Timestamp {
    /// How far ahead of `now` this moment is, which was written at most `within` before it; zero
    /// once it has come. One that is further away was written before a clock went back: it counts
    /// as now. (Scripts of the queue have the same rule in `clock.lua`.)
    pub fn wait_from(self, now: Self, within: Duration) -> Duration {
        let wait = self.since(now);
        if wait > within.saturating_add(CORRECTION) {
            Duration::ZERO
        } else {
            wait
        }
    }
}

/// The moments that are longer ago than an age. A moment that lies ahead was written before a clock
/// went back: it is among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LongAgo {
    /// All before this one,
    pub before: Timestamp,
    /// and all after this one.
    pub ahead_of: Timestamp,
}

impl LongAgo {
    /// Those of this age.
    pub fn of_age(age: Duration, now: Timestamp) -> Self {
        Self {
            before: now.minus(age),
            ahead_of: now.plus(CORRECTION),
        }
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(time) => write!(f, "{time:.3}"),
            Err(_) => write!(f, "{} ms", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_prints_as_rfc_3339_with_milliseconds() {
        assert_eq!(
            Timestamp::from_millis(1_732_280_000_120).to_string(),
            "2024-11-22T12:53:20.120Z"
        );
    }

    #[test]
    fn a_moment_is_stored_in_milliseconds_and_told_to_programs_as_rfc_3339() {
        let moment = Timestamp::from_millis(1_732_280_000_120);
        let told = as_rfc_3339(|| serde_json::to_string(&moment)).unwrap();
        assert_eq!(told, "\"2024-11-22T12:53:20.120Z\"");
        assert_eq!(serde_json::to_string(&moment).unwrap(), "1732280000120");
    }

    #[test]
    fn a_moment_that_is_further_away_than_it_can_be_has_come() {
        let (now, within) = (Timestamp::from_millis(1_000_000), Duration::from_mins(1));
        let wait = |ahead: u64| now.plus(Duration::from_secs(ahead)).wait_from(now, within);
        assert_eq!(wait(60), within);
        assert_eq!(wait(61), Duration::from_secs(61), "a clock is corrected now and then");
        assert_eq!(wait(62), Duration::ZERO);
        assert_eq!(Timestamp::from_millis(0).wait_from(now, within), Duration::ZERO);
    }

    #[test]
    fn an_earlier_moment_is_zero_after_a_later_one() {
        let earlier = Timestamp::from_millis(5);
        assert_eq!(earlier.since(Timestamp::from_millis(9)), Duration::ZERO);
    }
}
