//! Under which trace an event stands: the W3C Trace Context of its delivery, which travels with it
//! through the ledger.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The trace of an event, and the span of its caller. Prints as `traceparent` does:
/// `00-<trace id>-<span id>-<flags>`, with zeros for a caller that has no span.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TraceContext {
    trace: u128,
    /// 0: the trace begins here.
    caller: u64,
    is_sampled: bool,
}

/// It is no `traceparent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is no W3C traceparent")]
pub struct NoTraceContext;

impl TraceContext {
    /// A trace that begins here; `None` for the id 0, which the standard forbids.
    pub fn begun(trace: u128, is_sampled: bool) -> Option<Self> {
        (trace != 0).then_some(Self {
            trace,
            caller: 0,
            is_sampled,
        })
    }

    /// What a caller's header `traceparent` says; `None` where it is not valid.
    pub fn of_caller(header: &[u8]) -> Option<Self> {
        let context: Self = std::str::from_utf8(header).ok()?.parse().ok()?;
        (context.caller != 0).then_some(context)
    }

    /// The trace's id, by which its spans are found.
    pub fn trace(self) -> u128 {
        self.trace
    }

    /// The same as people and their tools write it: 32 hexadecimal digits.
    pub fn id(self) -> String {
        format!("{:032x}", self.trace)
    }

    /// The caller's span; `None` where the trace begins here.
    pub fn caller(self) -> Option<u64> {
        (self.caller != 0).then_some(self.caller)
    }

    /// Whether spans of this trace are exported.
    pub fn is_sampled(self) -> bool {
        self.is_sampled
    }
}

impl FromStr for TraceContext {
    type Err = NoTraceContext;

    /// Version 0, and what later ones have in common with it.
    fn from_str(text: &str) -> Result<Self, NoTraceContext> {
        let mut parts = text.split('-');
        let mut part = |digits: usize| {
            let part = parts.next().ok_or(NoTraceContext)?;
            let is_hex = part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
            let number = u128::from_str_radix(part, 16).map_err(|_| NoTraceContext)?;
            (is_hex && part.len() == digits).then_some(number).ok_or(NoTraceContext)
        };
        let (version, trace, caller, flags) = (part(2)?, part(32)?, part(16)?, part(2)?);
        let has_more = parts.next().is_some();
        if version == 0xff || trace == 0 || (version == 0 && has_more) {
            return Err(NoTraceContext);
        }
        Ok(Self {
            trace,
            caller: u64::try_from(caller).map_err(|_| NoTraceContext)?,
            is_sampled: flags & 1 == 1,
        })
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flags = u8::from(self.is_sampled);
        write!(f, "00-{:032x}-{:016x}-{flags:02x}", self.trace, self.caller)
    }
}

impl TryFrom<String> for TraceContext {
    type Error = NoTraceContext;

    fn try_from(text: String) -> Result<Self, NoTraceContext> {
        text.parse()
    }
}

impl From<TraceContext> for String {
    fn from(context: TraceContext) -> Self {
        context.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    const HEADER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_header_of_the_standard_says_trace_caller_and_whether_it_is_sampled() {
        let context = TraceContext::of_caller(HEADER.as_bytes()).unwrap();
        assert_eq!(context.id(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(context.caller(), Some(0x00f0_67aa_0ba9_02b7));
        assert!(context.is_sampled());
    }

    #[rstest]
    #[case::of_version_0_with_more("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more")]
    #[case::of_the_version_that_never_is("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")]
    #[case::without_a_trace("00-00000000000000000000000000000000-00f067aa0ba902b7-01")]
    #[case::without_a_caller("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01")]
    #[case::in_capitals("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01")]
    #[case::with_a_sign("00-4bf92f3577b34da6a3ce929d0e0e4736-+0f067aa0ba902b7-01")]
    #[case::too_short("00-4bf92f3577b34da6-00f067aa0ba902b7-01")]
    #[case::without_flags("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7")]
    #[case::empty("")]
    fn a_header_that_breaks_the_standard_is_none(#[case] header: &str) {
        assert_eq!(TraceContext::of_caller(header.as_bytes()), None);
    }

    #[test]
    fn a_later_version_is_read_as_far_as_it_is_known() {
        let later = HEADER.replacen("00-", "01-", 1) + "-more";
        assert!(TraceContext::of_caller(later.as_bytes()).is_some());
    }

    proptest! {
        #[test]
        fn a_context_reads_back_as_it_was_written(trace in 1_u128.., caller: u64, is_sampled: bool) {
            let context = TraceContext { trace, caller, is_sampled };
            prop_assert_eq!(context.to_string().parse(), Ok(context));
        }

        #[test]
        fn no_header_makes_the_reader_panic(header: Vec<u8>) {
            let _ = TraceContext::of_caller(&header);
        }
    }
}
