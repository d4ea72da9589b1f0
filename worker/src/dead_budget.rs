//! Dead letters are never removed by themselves, so somebody must hear when they grow: each worker measures them, and says once when the budget
//! is passed and once when it is kept again.

use passerelle_shared::config::DeadLetterSettings;
use passerelle_shared::queue::DeadLoad;

/// What dead letters may weigh, and whether they did at the last look.
#[derive(Debug)]
pub struct DeadBudget {
    bytes: u64,
    is_passed: bool,
}

/// What a look has shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// As before.
    None,
    /// The budget has been passed since the last look.
    Passed,
    /// It is kept again.
    Kept,
}

impl DeadBudget {
    /// With the limit of the settings.
    pub fn new(settings: DeadLetterSettings) -> Self {
        Self {
            bytes: settings.budget_bytes,
            is_passed: false,
        }
    }

    /// Shows the numbers as gauges, and says what has changed.
    pub fn look(&mut self, load: DeadLoad) -> Change {
        metrics::gauge!("passerelle_dead_letters").set(as_gauge(load.letters));
        metrics::gauge!("passerelle_dead_letters_bytes").set(as_gauge(load.bytes));
        metrics::gauge!("passerelle_dead_letters_budget_bytes").set(as_gauge(self.bytes));
        let (letters, bytes, budget_bytes) = (load.letters, load.bytes, self.bytes);
        let change = match (self.is_passed, bytes > self.bytes) {
            (false, true) => Change::Passed,
            (true, false) => Change::Kept,
            _ => Change::None,
        };
        match change {
            Change::Passed => {
                tracing::error!(
                    letters,
                    bytes,
                    budget_bytes,
                    "dead letters are above their budget; replay or discard them (passerelle dead list)"
                );
            }
            Change::Kept => tracing::info!(letters, bytes, "dead letters are within their budget again"),
            Change::None => {}
        }
        self.is_passed = bytes > self.bytes;
        change
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a gauge is a floating-point number; below 2^53 it is exact"
)]
fn as_gauge(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passing_the_budget_is_said_once_and_keeping_it_again_once() {
        let mut budget = DeadBudget::new(DeadLetterSettings { budget_bytes: 100 });
        let mut look = |bytes| budget.look(DeadLoad { letters: 1, bytes });
        let seen = [100, 101, 500, 100, 3].map(&mut look);
        assert_eq!(
            seen,
            [Change::None, Change::Passed, Change::None, Change::Kept, Change::None]
        );
    }
}
