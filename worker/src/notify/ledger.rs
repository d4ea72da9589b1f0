//! Sees to it that the store has the events of a job.

use std::time::Duration;

use passerelle_model::job::Job;
use passerelle_model::ledger::FailureClass;
use passerelle_model::seq::Seq;
use passerelle_store::{Intake, take_ledger};

use crate::context::Context;
use crate::failure::{Failure, Target};

/// Batches that one attempt writes to the store, of so many entries each.
const MOST_BATCHES: usize = 10;
const ENTRIES_PER_BATCH: usize = 500;
/// How long a job waits for a ledger that is far behind.
const LEDGER_WAIT: Duration = Duration::from_millis(250);

/// Writes the ledger to the store until it has the events of the job. Fails with a hold if that
/// takes too long.
pub(crate) async fn reach(context: &Context, job: &Job) -> Result<(), Failure> {
    reach_entry(context, job.covers).await
}

/// The same until the store has all that Redis has at this moment.
pub(super) async fn reach_present(context: &Context) -> Result<(), Failure> {
    let newest = context.queue.life(None).await?.newest;
    let newest = newest.and_then(|id| Seq::from_stream_id(&id).ok());
    reach_entry(context, newest.unwrap_or(Seq::ZERO)).await
}

async fn reach_entry(context: &Context, entry: Seq) -> Result<(), Failure> {
    // One job of a process does it: others would only compete for the same entries.
    let _turn = context.ledger_turn.lock().await;
    for _ in 0..MOST_BATCHES {
        if context.store.has_ledger_up_to(entry).await? {
            return Ok(());
        }
        let written = take_ledger(&context.queue, &context.store, ENTRIES_PER_BATCH).await;
        let written =
            written.map_err(|error| Failure::new(FailureClass::Transient, Target::Store, error.to_string()))?;
        if written == Intake::Empty {
            break;
        }
    }
    let message = "the ledger does not have the events of this job yet";
    Err(Failure::new(FailureClass::Transient, Target::Store, message).after(LEDGER_WAIT))
}
