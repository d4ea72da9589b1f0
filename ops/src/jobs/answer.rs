//! The answer of `jobs` as text.

use std::fmt::Write as _;

use passerelle_model::time::Timestamp;
use passerelle_queue::JobState;

use super::{Line, Listed};
use crate::age::in_largest_unit;
use crate::operator::Freshness;
use crate::text::{Cell, Table, Text, Tone};

/// The list, and how to go on.
pub(super) fn in_words(listed: &Listed, now: Timestamp) -> Text {
    let all: u64 = listed.counts.values().sum();
    let mut text = Text::default();
    text.table(table(&listed.jobs, now));
    let _ = if all == 0 {
        writeln!(text, "No such jobs.")
    } else {
        let counts = listed.counts.iter();
        let counts: Vec<String> = counts
            .map(|(state, count)| format!("{count} {}", word(*state)))
            .collect();
        writeln!(text, "{} of {all} jobs: {}.", listed.jobs.len(), counts.join(", "))
    };
    if let Some(next) = &listed.next {
        let _ = writeln!(text, "For the next ones: --after {next}");
    }
    for warning in [
        listed.freshness.as_ref().and_then(Freshness::warning),
        listed.not_read.warning(),
    ] {
        let _ = warning.map(|warning| writeln!(text, "{warning}"));
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

fn table(lines: &[Line], now: Timestamp) -> Table {
    let headings = ["job", "table", "state", "for", "until", "attempts", "why"];
    let mut table = Table::new(&headings).with_numbers(&["for", "attempts"]);
    for line in lines {
        let state: Cell = match line.state {
            JobState::TableHeld => Tone::Bad.of(JobState::Held.as_str()),
            JobState::Held | JobState::Scheduled => Tone::Notice.of(line.state.as_str()),
            JobState::Running | JobState::Queued => line.state.as_str().into(),
        };
        let mut why = match &line.worker {
            Some(worker) => format!("{worker} runs it"),
            None => line.why.clone(),
        };
        if let Some(last) = &line.last_failure {
            let _ = write!(why, "\nlast failure {}: {}", last.at, last.cause);
        }
        table.row([
            line.job.to_string().into(),
            line.table.as_deref().unwrap_or("-").into(),
            state,
            in_largest_unit(now.since(line.since)).into(),
            line.until
                .map_or_else(|| "-".to_owned(), |until| until.to_string())
                .into(),
            line.attempts.to_string().into(),
            why.into(),
        ]);
    }
    table
}
