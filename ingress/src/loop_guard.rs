//! The loop guard's first count (D5): identical events of a row, in the memory of this replica.
//!
//! Nearly every event is the only one of its content within a minute and must cost next to nothing.
//! So each replica counts in its own memory first. From the fourth identical event on it also
//! counts in Redis, for all replicas together; that happens beside the answer, never before it.
//! Memory is bounded: the counts are forgotten when they are a window old, or too many. A loop that
//! goes on is seen in the next window.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use foldhash::fast::RandomState;
use passerelle_model::id::{RowId, RowKey, TableId};
use passerelle_queue::loops::Loops;

/// Identical events that are counted here alone.
const COUNTED_ALONE: u32 = 3;
/// Counts that are kept at once; each takes a few dozen bytes.
const MOST_COUNTS: usize = 50_000;

/// A row and what an event said of it.
type Seen = (RowKey, u64);

/// The counts of one replica.
#[derive(Debug)]
pub(crate) struct LoopGuard {
    loops: Loops,
    counts: Mutex<Counts>,
}

#[derive(Debug)]
struct Counts {
    began: Instant,
    seen: HashMap<Seen, u32, RandomState>,
}

impl LoopGuard {
    pub(crate) fn new(loops: Loops) -> Self {
        let counts = Counts {
            began: Instant::now(),
            seen: HashMap::default(),
        };
        Self {
            loops,
            counts: Mutex::new(counts),
        }
    }

    /// Notes what a new delivery said of its rows.
    pub(crate) fn note(&self, table: Option<TableId>, contents: &[(RowId, u64)]) {
        let policy = self.loops.policy();
        let (Some(table), true) = (table, policy.events > 0) else {
            return;
        };
        for (row, content) in contents {
            let row = RowKey { table, row: *row };
            let count = self.count((row, *content));
            let times = if count == COUNTED_ALONE + 1 { count } else { 1 };
            // What is above the limit here is above it for all replicas together: by then the row
            // is parked.
            if (COUNTED_ALONE + 1..=(policy.events + 1).max(COUNTED_ALONE + 1)).contains(&count) {
                report(self.loops.clone(), row, *content, times);
            }
        }
    }

    fn count(&self, seen: Seen) -> u32 {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.seen.len() >= MOST_COUNTS || counts.began.elapsed() >= self.loops.policy().window {
            counts.seen.clear();
            counts.began = Instant::now();
        }
        let count = counts.seen.entry(seen).or_insert(0);
        *count += 1;
        *count
    }
}

fn report(loops: Loops, row: RowKey, content: u64, times: u32) {
    tokio::spawn(async move {
        match loops.count(row, content, times).await {
            Ok(true) => {
                metrics::counter!("passerelle_ingress_rows_parked_total").increment(1);
                tracing::warn!(
                    row.table = row.table.get(),
                    row.id = row.row.get(),
                    "identical events keep coming for a row: its job is held for a cool-down"
                );
            }
            Ok(false) => {}
            Err(error) => tracing::debug!(%error, "identical events of a row could not be counted"),
        }
    });
}
