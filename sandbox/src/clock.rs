//! The stand-ins' clock. They are foreign systems, so they do not use the bridge's.

/// Milliseconds since 1970-01-01 UTC.
#[expect(
    clippy::disallowed_methods,
    reason = "the stand-ins are foreign systems with a clock of their own"
)]
pub(crate) fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}
