//! The clock of Redis, and whether it runs evenly: leases expire by it, and a jump ahead would end
//! all of them at once. (What a clock that goes back does is up to `scripts/clock.lua`.)

use std::time::Duration;

use passerelle_model::time::Timestamp;
use tokio::time::Instant;

use crate::{QueueError, Redis};

/// An answer may be as late as the longest time-out; more than this is a jump.
const TOLERANCE: Duration = Duration::from_secs(5);

impl Redis {
    /// The clock of Redis, by which everything in it is dated.
    pub async fn clock(&self) -> Result<Timestamp, QueueError> {
        let (seconds, micros): (i64, i64) = self.query(&redis::cmd("TIME")).await?;
        Ok(Timestamp::from_millis(seconds * 1000 + micros / 1000))
    }
}

/// Compares the clock of Redis with this machine's, from answer to answer.
#[derive(Default)]
pub(crate) struct ClockWatch {
    last: Option<(Instant, Timestamp)>,
}

impl ClockWatch {
    /// Notes the time of an answer. Says whether the clock of Redis ran ahead by more than time has
    /// passed here.
    pub(crate) fn has_jumped(&mut self, now: Timestamp, seen: Instant) -> bool {
        let Some((seen_before, before)) = self.last.replace((seen, now)) else {
            return false;
        };
        now.since(before) > seen.duration_since(seen_before) + TOLERANCE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_jumps_ahead_is_noticed_and_an_even_one_is_not() {
        let (mut watch, began) = (ClockWatch::default(), Instant::now());
        let mut look =
            |seconds, theirs| watch.has_jumped(Timestamp::from_millis(theirs), began + Duration::from_secs(seconds));
        assert!(!look(0, 1_000_000));
        assert!(!look(60, 1_060_000), "it ran evenly");
        assert!(look(61, 1_181_000), "two minutes ahead");
        assert!(!look(62, 581_000), "back again: nothing looks expired by that");
    }
}
