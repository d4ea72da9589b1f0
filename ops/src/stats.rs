//! `stats`: the queue and the ledger in numbers, and whether they add up.

use std::fmt::Write as _;

use passerelle_shared::store::Counts;
use serde::Serialize;

use crate::Console;
use crate::bridge::{Bridge, Freshness};
use crate::trouble::Trouble;

/// The answer.
#[derive(Debug, Serialize)]
struct Stats {
    queue: QueueNumbers,
    #[serde(flatten)]
    counts: Counts,
    /// Items that are neither open nor ended; always 0 in a sound ledger.
    missing: i64,
    unreadable_records: i64,
    #[serde(flatten)]
    freshness: Freshness,
}

#[derive(Debug, Serialize)]
struct QueueNumbers {
    active: u64,
    running: u64,
    scheduled: u64,
    dead: u64,
    ledger_backlog: u64,
    paused: bool,
}

/// Shows the numbers; fails if items are missing.
pub async fn run(bridge: &Bridge, json: bool, console: &mut Console) -> Result<(), Trouble> {
    let freshness = bridge.catch_up().await;
    let queue = bridge.queue.stats().await?;
    let counts = bridge.store.counts().await?;
    let stats = Stats {
        queue: QueueNumbers {
            active: queue.active,
            running: queue.running,
            scheduled: queue.scheduled,
            dead: queue.dead,
            ledger_backlog: queue.ledger_backlog,
            paused: queue.paused,
        },
        missing: counts.missing(),
        unreadable_records: bridge.store.unreadable_records().await?,
        counts,
        freshness,
    };
    console.tell(json, &stats, in_words)?;
    if stats.missing == 0 {
        Ok(())
    } else {
        Err(Trouble::Failed(
            "the ledger does not add up: keep the store's file as it is, and report it".to_owned(),
        ))
    }
}

fn in_words(stats: &Stats) -> String {
    let queue = &stats.queue;
    let mut text = format!(
        "Queue\n  ready      {:>8}\n  running    {:>8}\n  waiting    {:>8}   for the time of their next attempt\n  dead       {:>8}   passerelle dead list\n",
        queue.active, queue.running, queue.scheduled, queue.dead
    );
    if queue.paused {
        text.push_str("  The queue is paused: nothing is taken until it is resumed.\n");
    }
    let counts = &stats.counts;
    let _ = write!(
        text,
        "\nLedger\n  deliveries {:>8}   and {} that came again\n  items      {:>8}   one per row of a delivery\n",
        counts.deliveries, counts.duplicates, counts.items
    );
    for (outcome, items) in &counts.outcomes {
        let _ = writeln!(text, "    {outcome:<15}{items:>8}");
    }
    let _ = writeln!(text, "    {:<15}{:>8}", "open", counts.open);
    let ended: i64 = counts.outcomes.values().sum();
    let verdict = if stats.missing == 0 {
        "nothing is lost".to_owned()
    } else {
        format!("{} ITEMS ARE MISSING", stats.missing)
    };
    let _ = writeln!(
        text,
        "  {} accepted = {ended} ended + {} open: {verdict}",
        counts.items, counts.open
    );
    if stats.unreadable_records > 0 {
        let _ = writeln!(
            text,
            "  {} records could not be read; they are kept in the table unreadable_records.",
            stats.unreadable_records
        );
    }
    if let Some(warning) = stats.freshness.warning() {
        let _ = writeln!(text, "\n{warning}");
    }
    text
}
