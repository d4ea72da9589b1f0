//! A red seed, made smaller: faults are left out as long as the same law stays broken.

use std::collections::BTreeSet;

use crate::run::{Report, run};
use crate::seed::Seed;

/// Leaves faults out, one after the other, with at most so many worlds; gives the smallest red seed
/// that was found, with its report.
pub(crate) async fn shrink(report: Report, mut worlds: usize, say: &dyn Fn(String)) -> Report {
    let laws: BTreeSet<&str> = report.violations.iter().map(|violation| violation.law).collect();
    let mut smallest = report;
    let mut candidates: Vec<usize> = smallest.schedule.faults.iter().map(|fault| fault.number).collect();
    while let Some(left_out) = candidates.pop().filter(|_| worlds > 0) {
        worlds -= 1;
        let seed = without(&smallest, left_out);
        let tried = run(&seed).await;
        let still_red = tried.violations.iter().any(|violation| laws.contains(violation.law));
        say(format!(
            "  without fault {left_out}: {}",
            if still_red { "still red" } else { "green" }
        ));
        if still_red {
            smallest = tried;
        }
    }
    smallest
}

fn without(report: &Report, left_out: usize) -> Seed {
    let numbers = report.schedule.faults.iter().map(|fault| fault.number);
    let left = numbers.filter(|number| *number != left_out).collect();
    report.schedule.seed.narrowed(left)
}
