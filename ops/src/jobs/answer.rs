//! The answer of `jobs` as text.

use std::fmt::Write as _;

use passerelle_model::time::Timestamp;
use passerelle_queue::JobState;

use super::{Line, Listed};
use crate::age::in_largest_unit;
use crate::operator::Freshness;

/// The list, and how to go on.
pub(super) fn in_words(listed: &Listed, now: Timestamp) -> String {
    let all: u64 = listed.counts.values().sum();
    let mut text = String::new();
    if !listed.jobs.is_empty() {
        text.push_str(&table(&listed.jobs, now));
    }
    if all == 0 {
        text.push_str("No such jobs.\n");
    } else {
        let counts = listed.counts.iter();
        let counts: Vec<String> = counts
            .map(|(state, count)| format!("{count} {}", word(*state)))
            .collect();
        let _ = writeln!(text, "{} of {all} jobs: {}.", listed.jobs.len(), counts.join(", "));
    }
    if let Some(next) = &listed.next {
        let _ = writeln!(text, "For the next ones: --after {next}");
    }
    for warning in [
        listed.freshness.as_ref().and_then(Freshness::warning),
        listed.not_read.warning(),
    ] {
        text.extend(warning.map(|warning| format!("{warning}\n")));
    }
    text
}

/// The states as people filter by them.
fn word(state: JobState) -> &'static str {
    match state {
        JobState::TableHeld => "held with their table",
        state => state.as_str(),
    }
}

fn table(lines: &[Line], now: Timestamp) -> String {
    let mut text = format!(
        "{:<14} {:<14} {:<9} {:>4}  {:<24} {:>8}  why\n",
        "job", "table", "state", "for", "until", "attempts"
    );
    for line in lines {
        let state = match line.state {
            JobState::TableHeld => JobState::Held.as_str(),
            state => state.as_str(),
        };
        let _ = writeln!(
            text,
            "{:<14} {:<14} {state:<9} {:>4}  {:<24} {:>8}  {}",
            line.job.to_string(),
            line.table.as_deref().unwrap_or("-"),
            in_largest_unit(now.since(line.since)),
            line.until.map_or_else(|| "-".to_owned(), |until| until.to_string()),
            line.attempts,
            line.worker
                .as_ref()
                .map_or_else(|| line.why.clone(), |worker| format!("{worker} runs it")),
        );
        if let Some(last) = &line.last_failure {
            let _ = writeln!(text, "{:<14} last failure {}: {}", "", last.at, last.cause);
        }
    }
    text
}
