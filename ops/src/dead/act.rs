//! Replaying and discarding: choose, then act in groups, then tell.

use indicatif::ProgressBar;
use passerelle_shared::queue::DeadLetter;
use passerelle_shared::time::Timestamp;
use serde::Serialize;

use super::find;
use crate::bridge::Bridge;
use crate::cli::Which;
use crate::trouble::Trouble;

/// Letters per call: an interrupted run stops between two groups.
const GROUP: usize = 50;

/// What to do with the letters.
pub(super) enum Deed {
    Replay,
    Discard { why: String },
}

/// The answer.
#[derive(Debug, Serialize)]
pub(super) struct Acted {
    /// `replayed` or `discarded`.
    pub(super) done: &'static str,
    pub(super) dry_run: bool,
    /// The letters that it was, or would be, about.
    pub(super) letters: Vec<DeadLetter>,
    /// How many of them were still there.
    pub(super) count: u64,
    /// Ids that name no letter.
    pub(super) unknown: Vec<String>,
}

/// Acts on the chosen letters; fails if an id names none, after having acted on the others.
pub(super) async fn run(bridge: &Bridge, which: &Which, deed: &Deed, by: &str) -> Result<Acted, Trouble> {
    let (letters, unknown) = find::chosen(bridge, which, Timestamp::now()).await?;
    let count = if which.dry_run {
        0
    } else {
        act(bridge, &letters, deed, by).await?
    };
    Ok(Acted {
        done: match deed {
            Deed::Replay => "replayed",
            Deed::Discard { .. } => "discarded",
        },
        dry_run: which.dry_run,
        letters,
        count,
        unknown,
    })
}

async fn act(bridge: &Bridge, letters: &[DeadLetter], deed: &Deed, by: &str) -> Result<u64, Trouble> {
    let progress = ProgressBar::new(u64::try_from(letters.len()).unwrap_or(u64::MAX));
    let mut acted = 0;
    for group in letters.chunks(GROUP) {
        let ids: Vec<String> = group.iter().map(|letter| letter.id.clone()).collect();
        acted += match deed {
            Deed::Replay => bridge.queue.replay(&ids, by).await?,
            Deed::Discard { why } => bridge.queue.discard(&ids, by, why).await?,
        };
        progress.inc(u64::try_from(group.len()).unwrap_or(u64::MAX));
    }
    progress.finish_and_clear();
    Ok(acted)
}
