//! A rule that is broken: a table, a field, a right or a space is gone, so that no row of its table
//! can be carried out. Its jobs are held, nothing dies, and those of other tables go on; the admin
//! is told once, with the cure. A probe now and then finds out whether it was mended.
//!
//! Jobs of wiki pages and shares, and comparisons of tables, are of no row: each is held by itself,
//! and the admin is told once a day of each cause.

use std::time::Duration;

use passerelle_model::id::{EventId, JobKey, RowKey, TableId};
use passerelle_model::job::Job;
use passerelle_model::time::Timestamp;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::content::notice::{NoticeKind, notice_values};
use crate::context::Context;
use crate::failure::Failure;
use crate::journal::Journal;

/// A job of no row is tried again within five minutes after the rule was mended: the verdict adds a
/// quarter at most.
const LONGEST_WAIT: Duration = Duration::from_mins(4);
const FIRST_WAIT: Duration = Duration::from_secs(2);
/// How often the admin is told of what keeps jobs of no row from being done.
const NOTIFIED_ONCE_IN: Duration = Duration::from_hours(24);

/// Holds the table of the job, or the job itself, if its rule is to blame. Returns the failure as
/// the verdict takes it.
pub async fn hold(context: &Context, job: &Job, failure: Failure, journal: &mut Journal) -> Failure {
    if !failure.breaks_rule {
        return failure;
    }
    let Some(row) = job.key.row() else {
        if let Err(error) = tell(context, job, &failure, journal).await {
            tracing::warn!(%error, "the notice of a broken rule could not be stored; the next attempt tries again");
        }
        let waiting = Timestamp::now().since(job.waiting_since);
        return failure.after((waiting / 4).clamp(FIRST_WAIT, LONGEST_WAIT));
    };
    if let Err(error) = hold_and_tell(context, job, row, &failure, journal).await {
        tracing::warn!(%error, "a table whose rule is broken could not be held; its jobs are tried one by one");
    }
    failure
}

/// Tells what keeps the job of a wiki page or share, or the comparison of a table, from being done.
async fn tell(context: &Context, job: &Job, failure: &Failure, journal: &mut Journal) -> Result<(), Failure> {
    let digest = hex::encode(Sha256::digest(&failure.message));
    let cause = format!("rule-broken-{}", digest.get(..16).unwrap_or_default());
    let since = context.queue.alert(&cause, NOTIFIED_ONCE_IN).await?;
    let compared = match job.key {
        JobKey::Table(table) => named(context, table, journal).await,
        _ => String::new(),
    };
    let values = notice_values(json!({"table": "", "compared": compared, "reason": failure.message, "waiting": 0}));
    let event = EventId::parse(&format!("{cause}-{}", since.as_millis()));
    context
        .outbox
        .notify_admin_of_own(NoticeKind::RuleBroken, &values, "rules", event)
        .await?;
    Ok(())
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
    let table = named(context, row.table, journal).await;
    let waiting = context.queue.stats().await?.held;
    let values = notice_values(json!({"table": table, "reason": failure.message, "waiting": waiting}));
    let event = EventId::parse(&format!("rule-broken-{number}-{}", since.as_millis()));
    context
        .outbox
        .notify_admin_of_own(NoticeKind::RuleBroken, &values, "rules", event)
        .await?;
    Ok(())
}

/// A table as people know it. Without rights nobody knows its name.
async fn named(context: &Context, table: TableId, journal: &mut Journal) -> String {
    let known = context.tables.get(&context.baserow, journal, table).await;
    match known.ok().flatten() {
        Some(known) => format!("{} (t{table})", known.name),
        None => format!("t{table}"),
    }
}
