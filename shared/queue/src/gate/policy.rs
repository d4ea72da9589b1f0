//! The numbers of the outage mode. Every duration is a setting, so that tests can run an outage of
//! half an hour in seconds.

use std::time::Duration;

use serde_json::json;

use passerelle_model::config::Reader;

/// The longest wait that a target may ask for (`Retry-After`): then it is probed.
pub const LONGEST_ASKED: Duration = Duration::from_mins(15);

/// When a gate stops, how it is probed, and how fast it ramps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GatePolicy {
    /// `GATE_WINDOW_SECONDS` (30): the window of the rule "at least ten calls, half of them
    /// failed".
    pub window: Duration,
    /// `GATE_PROBE_SECONDS` (5): the wait before the first probe; it doubles.
    pub first_probe: Duration,
    /// `GATE_PROBE_LONGEST_SECONDS` (60): the longest wait between probes.
    pub longest_probe: Duration,
    /// `GATE_PROBE_LEASE_SECONDS` (20): when a holder of a probe that says nothing is replaced.
    pub lease: Duration,
    /// `GATE_STEP_SECONDS` (1): how long a ramp keeps a limit of jobs in flight at least, before it
    /// doubles or halves it.
    pub step: Duration,
    /// `GATE_TICK_SECONDS` (1): how often each process tends the gates. While all gates flow that
    /// is one cheap call.
    pub tick: Duration,
    /// `GATE_DECISION_SECONDS` (1): how long a failed job waits for the gate's decision before its
    /// attempt is counted.
    pub decision: Duration,
    /// `GATE_DIGEST_SECONDS` (3600): how often a lasting incident is reported again.
    pub digest: Duration,
    /// `GATE_QUIET_SECONDS` (600): an incident without a stopped gate is over when no job has
    /// failed for the third time for so long.
    pub quiet: Duration,
}

impl Default for GatePolicy {
    fn default() -> Self {
        Self {
            window: Duration::from_secs(30),
            first_probe: Duration::from_secs(5),
            longest_probe: Duration::from_mins(1),
            lease: Duration::from_secs(20),
            step: Duration::from_secs(1),
            tick: Duration::from_secs(1),
            decision: Duration::from_secs(1),
            digest: Duration::from_hours(1),
            quiet: Duration::from_mins(10),
        }
    }
}

impl GatePolicy {
    /// Reads `GATE_*`. Seconds may have decimals.
    pub fn read(reader: &mut Reader) -> Self {
        let default = Self::default();
        Self {
            window: reader.decimal_seconds("GATE_WINDOW_SECONDS", default.window),
            first_probe: reader.decimal_seconds("GATE_PROBE_SECONDS", default.first_probe),
            longest_probe: reader.decimal_seconds("GATE_PROBE_LONGEST_SECONDS", default.longest_probe),
            lease: reader.decimal_seconds("GATE_PROBE_LEASE_SECONDS", default.lease),
            step: reader.decimal_seconds("GATE_STEP_SECONDS", default.step),
            tick: reader.decimal_seconds("GATE_TICK_SECONDS", default.tick),
            decision: reader.decimal_seconds("GATE_DECISION_SECONDS", default.decision),
            digest: reader.decimal_seconds("GATE_DIGEST_SECONDS", default.digest),
            quiet: reader.decimal_seconds("GATE_QUIET_SECONDS", default.quiet),
        }
    }

    /// How long a health check may take: its holder must still have the lease when it ends.
    pub fn health_timeout(&self) -> Duration {
        self.lease / 2
    }

    /// As the scripts take it, in milliseconds.
    pub(super) fn to_json(self) -> String {
        json!({
            "window": millis(self.window),
            "calls": 10,
            "share": 0.5,
            "connects": 5,
            // As many as Docmost is called at once at first: there may be no more to wait for.
            "silences": 4,
            "row": 8,
            "refused": 5,
            "first": millis(self.first_probe),
            "longest": millis(self.longest_probe),
            "longest_asked": millis(LONGEST_ASKED),
            "lease": millis(self.lease),
            "job_patience": millis(self.lease * 6),
            "idle": millis(self.lease),
            "step": millis(self.step),
            "calm": millis(self.step * 3),
            "trouble_share": 0.05,
            "slow": 2,
            "too_slow": 4,
            "ramp_most": 4096,
            "ramp_failures": 3,
            "ramp_share": 0.2,
            "digest": millis(self.digest),
            "quiet": millis(self.quiet),
        })
        .to_string()
    }
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_settings_the_policy_is_the_documented_one() {
        let mut reader = Reader::from_pairs::<String, String>([]);
        assert_eq!(GatePolicy::read(&mut reader), GatePolicy::default());
        assert!(reader.finish(()).is_ok());
    }

    #[test]
    fn decimals_are_seconds_and_nonsense_is_a_problem() {
        let mut reader = Reader::from_pairs([
            ("GATE_STEP_SECONDS", "1.5"),
            ("GATE_WINDOW_SECONDS", "-1"),
            ("GATE_TICK_SECONDS", "NaN"),
        ]);
        let policy = GatePolicy::read(&mut reader);
        assert_eq!(policy.step, Duration::from_millis(1500));
        assert_eq!(reader.finish(()).unwrap_err().0.len(), 2);
    }
}
