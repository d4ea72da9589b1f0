//! Requests the jobs that Redis has lost: a failover to a replica that lagged, or a restored copy,
//! forgets jobs whose events the store knows. Their items would stay open for ever.
//!
//! An item that has just ended may look lost too, while its end is still on its way into the store:
//! so the ledger is written to its end before an item counts as open. A job requested in vain costs
//! one `no_change`.

use std::time::Duration;

use passerelle_model::event::NewEvent;
use passerelle_model::id::JobKey;
use passerelle_model::ledger::FailureClass;
use passerelle_model::time::LongAgo;
use passerelle_store::{Intake, take_ledger};
use serde_json::json;

use crate::context::Context;
use crate::failure::{Failure, Target};
use crate::sync::request::{Requester, job_item, request, row_item};

/// Younger items are left alone: their jobs may be on their way.
pub const OLD: Duration = Duration::from_mins(10);
/// Most jobs that one run requests; the next run takes the others.
const MOST: usize = 500;
/// Items that are read at once.
const AT_ONCE: u32 = 500;
/// Entries of the ledger that are written at once.
const ENTRIES: usize = 500;

/// Requests the jobs of items that are open since long ago and have no job; returns how
/// many.
pub async fn run(context: &Context, old: LongAgo) -> Result<usize, Failure> {
    let suspects = without_job(context, old).await?;
    if suspects.is_empty() {
        return Ok(0);
    }
    write_ledger(context).await?;
    let mut requested = 0;
    for job in suspects {
        if context.store.is_open(&job, old).await? && !context.queue.has_job(&job).await? {
            request_job(context, &job, old).await?;
            requested += 1;
        }
    }
    if requested > 0 {
        tracing::warn!(
            jobs = requested,
            "Redis has lost jobs that the ledger knows as open: they are requested again"
        );
    }
    Ok(requested)
}

/// The jobs of open items that the queue does not know, at most [`MOST`].
async fn without_job(context: &Context, old: LongAgo) -> Result<Vec<JobKey>, Failure> {
    let mut suspects = Vec::new();
    let mut last_row = None;
    loop {
        let rows = context.store.open_rows(last_row, old, AT_ONCE).await?;
        let Some(last) = rows.last() else { break };
        last_row = Some(*last);
        let jobs = rows.into_iter().map(JobKey::Row).collect();
        if !keep_unknown(context, jobs, &mut suspects).await? {
            return Ok(suspects);
        }
    }
    let mut last_job = None;
    loop {
        let jobs = context.store.open_jobs(last_job.as_ref(), old, AT_ONCE).await?;
        let Some(last) = jobs.last() else { break };
        last_job = Some(last.clone());
        if !keep_unknown(context, jobs, &mut suspects).await? {
            break;
        }
    }
    Ok(suspects)
}

/// Adds the jobs that the queue does not know; says whether there is room for more.
async fn keep_unknown(context: &Context, jobs: Vec<JobKey>, unknown: &mut Vec<JobKey>) -> Result<bool, Failure> {
    for job in jobs {
        if !context.queue.has_job(&job).await? {
            unknown.push(job);
        }
        if unknown.len() >= MOST {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn write_ledger(context: &Context) -> Result<(), Failure> {
    let _turn = context.ledger_turn.lock().await;
    loop {
        match take_ledger(&context.queue, &context.store, ENTRIES).await {
            Ok(Intake::Empty) => return Ok(()),
            Ok(Intake::Taken(_) | Intake::Moved) => {}
            Err(error) => return Err(Failure::new(FailureClass::Transient, Target::Store, error.to_string())),
        }
    }
}

/// One event per job and run.
async fn request_job(context: &Context, job: &JobKey, old: LongAgo) -> Result<(), Failure> {
    let by = Requester::Orphans;
    let payload = json!({"by": by.as_str(), "why": "Redis has lost the job of an open event", "job": job.to_string()});
    let event = by.event(&format!("{job} {}", old.before.as_millis()), &payload);
    let event = event.map(|event| match job.row() {
        Some(row) => NewEvent {
            table: Some(row.table),
            items: vec![row_item(row.row)],
            ..event
        },
        None => NewEvent {
            items: vec![job_item(job.clone())],
            ..event
        },
    });
    request(context, event).await
}
