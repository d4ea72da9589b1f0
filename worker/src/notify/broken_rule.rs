//! A rule that is broken: a field, a right or a space is gone, so that no row of its table can be
//! carried out. Its jobs are held, nothing dies, and those of other tables go on; the admin is told
//! once, with the cure. A probe now and then finds out whether it was mended.

use passerelle_model::id::{EventId, RowKey};
use passerelle_model::job::Job;
use serde_json::json;

use crate::content::notice::{NoticeKind, notice_values};
use crate::context::Context;
use crate::failure::Failure;
use crate::journal::Journal;

/// Holds the table of the job if its rule is to blame. Returns the failure as the verdict takes it:
/// without a table to hold, it is the job's own.
pub async fn hold(context: &Context, job: &Job, failure: Failure, journal: &mut Journal) -> Failure {
    let Some(row) = job.key.row().filter(|_| failure.breaks_rule) else {
        return Failure {
            breaks_rule: false,
            ..failure
        };
    };
    if let Err(error) = hold_and_tell(context, job, row, &failure, journal).await {
        tracing::warn!(%error, "a table whose rule is broken could not be held; its jobs are tried one by one");
    }
    failure
}

async fn hold_and_tell(
    context: &Context,
    job: &Job,
    row: RowKey,
    failure: &Failure,
    journal: &mut Journal,
) -> Result<(), Failure> {
    let policy = context.gates.policy();
    let (first, longest) = (policy.first_probe, policy.longest_probe);
    let since = context
        .queue
        .hold_table(&job.key, &failure.message, first, longest)
        .await?;
    let number = format!("t{}", row.table);
    journal.note(
        "hold_table",
        format!(
            "the jobs of table {number} wait until this is mended: {}",
            failure.message
        ),
    );
    metrics::counter!("passerelle_rules_broken_total", "table" => number.clone()).increment(1);
    // Without rights nobody knows its name.
    let known = context
        .tables
        .get(&context.baserow, journal, row.table)
        .await
        .ok()
        .flatten();
    let table = known.map_or_else(|| number.clone(), |table| format!("{} ({number})", table.name));
    let waiting = context.queue.stats().await?.held;
    let values = notice_values(json!({"table": table, "reason": failure.message, "waiting": waiting}));
    let event = EventId::parse(&format!("rule-broken-{number}-{}", since.as_millis()));
    context
        .outbox
        .notify_admin_of_own(NoticeKind::RuleBroken, &values, "rules", event)
        .await?;
    Ok(())
}
