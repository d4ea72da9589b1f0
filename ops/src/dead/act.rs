//! The result of acting on letters; and discarding them, in groups.

use indicatif::ProgressBar;
use passerelle_model::time::Timestamp;
use passerelle_queue::QueueName;
use serde::Serialize;

use super::Which;
use super::find::{self, Found};
use crate::changes::RowChanges;
use crate::operator::Operator;
use crate::trouble::Trouble;

/// Letters per call: an interrupted run stops between two groups.
const GROUP: usize = 50;

/// Who acts, and why: the ledger keeps both.
#[derive(Debug, Clone, Copy)]
pub(super) struct Who<'a> {
    pub(super) by: &'a str,
    pub(super) why: &'a str,
}

#[derive(Debug, Serialize)]
pub(super) struct Acted {
    /// `replayed` or `discarded`.
    pub(super) done: &'static str,
    pub(super) dry_run: bool,
    /// The letters that it was, or would be, about.
    pub(super) letters: Vec<Found>,
    /// In a dry run of a replay: what the first ones would change of their pages.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) changes: Vec<RowChanges>,
    /// How many of them were still there.
    pub(super) count: u64,
    /// Ids that name no letter.
    pub(super) unknown: Vec<String>,
    /// Letters that stay: only those of rows, pages and shares can be replayed.
    pub(super) not_rows: Vec<Found>,
    /// Why it stopped before the last letter, if it did.
    pub(super) stopped: Option<Stopped>,
}

/// Why it stopped early. The other letters are untouched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "by", rename_all = "snake_case")]
pub(super) enum Stopped {
    Operator,
    /// One of the letters that were sent ahead died again.
    Canary {
        job: String,
        outcome: String,
    },
}

/// Discards the chosen letters.
pub(super) async fn discard(operator: &Operator, which: &Which, who: Who<'_>) -> Result<Acted, Trouble> {
    let (letters, unknown) = find::chosen(operator, which, Timestamp::now()).await?;
    let mut count = 0;
    if !which.dry_run {
        let progress = ProgressBar::new(u64::try_from(letters.len()).unwrap_or(u64::MAX));
        for name in QueueName::ALL {
            let queue = operator.queue_of(name);
            let of_queue = letters.iter().filter(|found| found.queue == name);
            let ids: Vec<String> = of_queue.map(|found| found.letter.id.clone()).collect();
            for group in ids.chunks(GROUP) {
                count += queue.discard(group, who.by, who.why).await?;
                progress.inc(u64::try_from(group.len()).unwrap_or(u64::MAX));
            }
        }
        progress.finish_and_clear();
    }
    Ok(Acted {
        done: "discarded",
        dry_run: which.dry_run,
        letters,
        changes: Vec::new(),
        count,
        unknown,
        not_rows: Vec::new(),
        stopped: None,
    })
}
