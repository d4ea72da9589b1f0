//! The place of a fact in the one order of all facts.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// The place of a stream entry in the one order of all facts: the stream id packed into a number
/// (milliseconds << 22 | counter).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seq(i64);

/// A text that is not a Redis stream id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a stream entry id")]
pub struct InvalidStreamId(pub(crate) String);

impl Seq {
    /// Before every entry.
    pub const ZERO: Self = Self(0);
    const COUNTER_BITS: u32 = 22;

    /// From a stream id such as `1732280000120-3`. Order is kept; a counter beyond four million (a
    /// clock set back for long) carries over.
    pub fn from_stream_id(id: &str) -> Result<Self, InvalidStreamId> {
        let parse = || {
            let (millis, counter) = id.split_once('-')?;
            let (millis, counter) = (millis.parse::<i64>().ok()?, counter.parse::<i64>().ok()?);
            millis.checked_mul(1 << Self::COUNTER_BITS)?.checked_add(counter)
        };
        parse().map(Self).ok_or_else(|| InvalidStreamId(id.to_owned()))
    }
    /// From the stored number.
    pub const fn from_i64(number: i64) -> Self {
        Self(number)
    }
    /// The stored number.
    pub const fn as_i64(self) -> i64 {
        self.0
    }
    /// Before every entry that was made at this moment or later.
    pub const fn before(moment: Timestamp) -> Self {
        Self(
            moment
                .as_millis()
                .saturating_mul(1 << Self::COUNTER_BITS)
                .saturating_sub(1),
        )
    }
    /// When the entry was made, by the clock of Redis.
    pub const fn moment(self) -> Timestamp {
        Timestamp::from_millis(self.0 >> Self::COUNTER_BITS)
    }
    /// The stream id that it came from, where no carry took place.
    pub fn stream_id(self) -> String {
        format!(
            "{}-{}",
            self.0 >> Self::COUNTER_BITS,
            self.0 & ((1 << Self::COUNTER_BITS) - 1)
        )
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.stream_id())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_order_of_stream_ids_is_kept(a in (0_i64..1 << 41, 0_i64..1 << 22), b in (0_i64..1 << 41, 0_i64..1 << 22)) {
            let seq = |(millis, counter): (i64, i64)| Seq::from_stream_id(&format!("{millis}-{counter}")).unwrap();
            prop_assert_eq!(a.cmp(&b), seq(a).cmp(&seq(b)));
            prop_assert_eq!(seq(a).stream_id(), format!("{}-{}", a.0, a.1));
        }
    }
}
