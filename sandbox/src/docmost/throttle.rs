//! The limit on logins: ten per client address in a minute.

use super::envelope::Problem;

/// Logins per client address before they are refused.
pub(super) const LOGINS: usize = 10;
/// For how long logins are counted, and then refused, in milliseconds.
const WINDOW_MS: i64 = 60_000;

/// The logins of one client address.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    since: i64,
    count: usize,
    refused_until: i64,
}

/// What the headers of an accepted login say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Allowance {
    /// Logins left in this window.
    pub(super) left: usize,
    /// Seconds until a new window begins.
    pub(super) reset: i64,
}

impl Throttle {
    /// Counts a login at `now` (milliseconds). A refusal lasts for a minute; further tries do not
    /// prolong it.
    pub(super) fn count(&mut self, now: i64) -> Result<Allowance, Problem> {
        if now < self.refused_until {
            return Err(Problem::Throttled(seconds(self.refused_until - now)));
        }
        if self.refused_until > 0 || now - self.since >= WINDOW_MS {
            *self = Self {
                since: now,
                ..Self::default()
            };
        }
        self.count += 1;
        if self.count > LOGINS {
            self.refused_until = now + WINDOW_MS;
            return Err(Problem::Throttled(seconds(WINDOW_MS)));
        }
        Ok(Allowance {
            left: LOGINS - self.count,
            reset: seconds(self.since + WINDOW_MS - now),
        })
    }
}

/// Whole seconds, rounded up.
const fn seconds(millis: i64) -> i64 {
    (millis + 999) / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: i64 = 1_732_280_000_000;

    #[test]
    fn the_eleventh_login_in_a_minute_is_refused_for_a_minute_that_more_tries_do_not_prolong() {
        let mut throttle = Throttle::default();
        for left in (0..LOGINS).rev() {
            let counted = throttle.count(START + 1_000).unwrap();
            assert_eq!(counted, Allowance { left, reset: 60 });
        }
        assert!(matches!(throttle.count(START + 2_000), Err(Problem::Throttled(60))));
        assert!(matches!(throttle.count(START + 57_000), Err(Problem::Throttled(5))));
        let counted = throttle.count(START + 62_000).unwrap();
        assert_eq!(counted, Allowance { left: 9, reset: 60 });
    }

    #[test]
    fn a_new_window_begins_a_minute_after_the_first_login() {
        let mut throttle = Throttle::default();
        for _ in 0..LOGINS {
            throttle.count(START + 1_000).unwrap();
        }
        assert_eq!(throttle.count(START + 61_000).unwrap().left, 9);
    }
}
