//! Replaying: the first three letters go ahead, and the others follow at a steady rate only if
//! these succeed. Ctrl-C stops between two letters.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use passerelle_model::id::EventId;
use passerelle_model::outcome::Outcome;
use passerelle_model::time::Timestamp;
use passerelle_queue::DeadLetter;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::act::{Acted, Stopped, Who};
use super::find::{self, Found};
use super::{Pace, Which};
use crate::changes::compare;
use crate::operator::Operator;
use crate::sync::{ended, outcome};
use crate::trouble::Trouble;

/// How many letters go ahead.
const CANARY: usize = 3;

/// The reason that the ledger keeps. Replaying all letters requires one; a single letter speaks for
/// itself.
pub(super) fn reason(which: &Which, why: Option<String>) -> Result<String, Trouble> {
    let why = why.map(|why| why.trim().to_owned()).filter(|why| !why.is_empty());
    match why {
        Some(why) => Ok(why),
        None if which.all && !which.dry_run => {
            let advice = "give a reason with --why: the ledger keeps it with each letter";
            Err(Trouble::Usage(advice.to_owned()))
        }
        None => Ok("replayed by hand".to_owned()),
    }
}

/// Replays the chosen letters; the answer says how far it came.
pub(super) async fn replay(
    operator: &Operator,
    which: &Which,
    pace: Pace,
    who: Who<'_>,
    stop: &CancellationToken,
) -> Result<Acted, Trouble> {
    let (chosen, unknown) = find::chosen(operator, which, Timestamp::now()).await?;
    let (letters, not_rows): (Vec<_>, Vec<_>) = chosen
        .into_iter()
        .partition(|found| !found.is_notice() && found.letter.job.can_be_requested());
    let mut run = Run {
        operator,
        who,
        stop,
        progress: progress(letters.len()),
        count: 0,
    };
    let stopped = if which.dry_run {
        None
    } else {
        let result = run.all(&letters, pace).await;
        run.progress.finish_and_clear();
        result.map_err(|trouble| run.explain(&trouble, letters.len()))?
    };
    let count = run.count;
    let changes = if which.dry_run {
        compare(operator, letters.iter().filter_map(|found| found.letter.job.row())).await
    } else {
        Vec::new()
    };
    Ok(Acted {
        done: "replayed",
        dry_run: which.dry_run,
        count,
        letters,
        changes,
        unknown,
        not_rows,
        stopped,
    })
}

struct Run<'a> {
    operator: &'a Operator,
    who: Who<'a>,
    stop: &'a CancellationToken,
    progress: ProgressBar,
    count: u64,
}

impl Run<'_> {
    async fn all(&mut self, letters: &[Found], pace: Pace) -> Result<Option<Stopped>, Trouble> {
        let ahead = if pace.no_canary || letters.len() <= CANARY {
            0
        } else {
            CANARY
        };
        let (canary, others) = letters.split_at(ahead);
        if let Some(stopped) = self.at_rate(canary, pace.rate).await? {
            return Ok(Some(stopped));
        }
        for Found { letter, .. } in canary {
            if let Some(stopped) = self.died_again(letter).await? {
                return Ok(Some(stopped));
            }
        }
        self.progress.set_message("");
        self.at_rate(others, pace.rate).await
    }

    async fn at_rate(&mut self, letters: &[Found], rate: u32) -> Result<Option<Stopped>, Trouble> {
        let mut ticks = tokio::time::interval(Duration::from_secs(1) / rate);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for Found { letter, .. } in letters {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return Ok(Some(Stopped::Operator)),
                _ = ticks.tick() => {}
            }
            self.count += self
                .operator
                .queue
                .replay(std::slice::from_ref(&letter.id), self.who.by, self.who.why)
                .await?;
            self.progress.inc(1);
        }
        Ok(None)
    }

    /// Waits for the end of a letter that went ahead.
    async fn died_again(&self, letter: &DeadLetter) -> Result<Option<Stopped>, Trouble> {
        self.progress
            .set_message(format!("waiting for {} before the others follow", letter.job));
        let event = EventId::own(&format!("replay-{}", letter.id))
            .map_err(|error| Trouble::Failed(format!("letter {}: {error}", letter.id)))?;
        let story = tokio::select! {
            story = ended(self.operator, &event) => story?,
            () = self.stop.cancelled() => return Ok(Some(Stopped::Operator)),
        };
        Ok(match outcome(&story) {
            Some(again @ (Outcome::Dead(_) | Outcome::Rejected(_))) => Some(Stopped::Canary {
                job: letter.job.to_string(),
                outcome: again.to_string(),
            }),
            _ => None,
        })
    }

    fn explain(&self, trouble: &Trouble, all: usize) -> Trouble {
        let count = self.count;
        Trouble::Failed(format!(
            "{trouble}\n{count} of {all} dead letters were replayed before that. Run it again for the others"
        ))
    }
}

/// A bar on a terminal; nothing elsewhere.
fn progress(letters: usize) -> ProgressBar {
    let bar = ProgressBar::new(u64::try_from(letters).unwrap_or(u64::MAX));
    let style = ProgressStyle::with_template("{wide_bar} {pos} of {len} {msg}");
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
