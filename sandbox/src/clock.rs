//! The sandbox's clock. Its products are foreign systems, so they do not use the bridge's clock.

/// Milliseconds since 1970-01-01 UTC.
pub(crate) fn now_ms() -> i64 {
    now_us() / 1000
}

/// Microseconds since 1970-01-01 UTC.
#[expect(
    clippy::disallowed_methods,
    reason = "the stand-ins are foreign systems with a clock of their own"
)]
pub(crate) fn now_us() -> i64 {
    jiff::Timestamp::now().as_microsecond()
}
