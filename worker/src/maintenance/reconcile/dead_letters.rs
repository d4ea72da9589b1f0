//! Which rows were refused for good a short time ago: another request would only make another dead
//! letter of each, at every run.
//!
//! All such dead letters are read once per walk, when the first row is found that might have one.
//! They are in the order of time, so that is as much work as there are dead letters of a day,
//! whatever else is dead and however many rows are found.

use std::collections::HashMap;
use std::time::Duration;

use passerelle_model::id::JobKey;
use passerelle_model::seq::Seq;
use passerelle_model::time::Timestamp;
use passerelle_queue::Queue;

use super::Finding;
use crate::context::Context;
use crate::failure::Failure;

/// How long a dead letter speaks for its row. Then a sync is requested once more: the cause may be
/// mended, and the dead letter forgotten.
const SPEAKS_FOR: Duration = Duration::from_hours(24);
/// A dead letter of a job that has used up its attempts is left out: what was not working then may
/// be working now.
const FOR_GOOD: [&str; 2] = ["\"reason\":\"permanent\"", "\"reason\":\"poison\""];

/// The latest dead letters of a walk, by job.
#[derive(Debug, Default)]
pub(super) struct DeadLetters {
    known: Option<HashMap<JobKey, (String, Seq)>>,
}

impl DeadLetters {
    /// Writes into each finding the dead letter that its row has, if one speaks for it.
    pub(super) async fn note(&mut self, context: &Context, findings: &mut [Finding]) -> Result<(), Failure> {
        for finding in findings.iter_mut().filter(|finding| finding.reason.can_be_mended()) {
            let job = JobKey::Row(finding.row);
            let known = match &mut self.known {
                Some(known) => known,
                empty => empty.insert(latest(&context.queue).await?),
            };
            let Some((letter, covers)) = known.get(&job) else {
                continue;
            };
            // A row that has been carried out since has another state now.
            if !context.store.was_done_after(&job, *covers).await? {
                finding.dead_letter = Some(letter.clone());
            }
        }
        Ok(())
    }
}

async fn latest(queue: &Queue) -> Result<HashMap<JobKey, (String, Seq)>, Failure> {
    let since = Timestamp::now().minus(SPEAKS_FOR);
    let is_for_good = |stored: &str| FOR_GOOD.iter().any(|reason| stored.contains(reason));
    let mut known = HashMap::new();
    for letter in queue.letters_since(since, is_for_good).await? {
        // The newest come first.
        known.entry(letter.job).or_insert((letter.id, letter.covers));
    }
    Ok(known)
}
