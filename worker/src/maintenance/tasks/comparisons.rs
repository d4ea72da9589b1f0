//! The comparison of a table, because a delivery had too many rows to name them: its job remembers
//! the request, and this task compares. A comparison may take hours, so no job waits for it.

use std::collections::BTreeMap;

use passerelle_model::id::{EventId, TableId};
use passerelle_model::job::Job;
use passerelle_model::outcome::{IgnoredReason, Outcome};

use super::reconcile;
use crate::context::Context;
use crate::failure::Failure;
use crate::journal::Journal;
use crate::maintenance::reconcile::{Requests, Resume, Scope, Walk};
use crate::maintenance::sources::watched_tables;

/// Most requests that one run looks at; those of one table share a comparison.
const AT_ONCE: usize = 500;

/// Remembers that the table of a job is to be compared, if a rule watches it.
pub async fn request(context: &Context, table: TableId, job: &Job, journal: &mut Journal) -> Result<Outcome, Failure> {
    if watched_tables::of(context).await?.get(table)?.is_none() {
        return Ok(Outcome::Ignored(IgnoredReason::NoRule));
    }
    context
        .queue
        .request_comparison(&(table, job.last_event.clone()))
        .await?;
    journal.note(
        "compare_table",
        "the delivery has too many rows to name them: the rows of the table will be compared with their pages",
    );
    Ok(Outcome::Synced)
}

/// Compares the tables that were requested.
pub(super) async fn run(context: &Context, rows_per_second: u32) -> Result<(), Failure> {
    let requested = context.queue.requested_comparisons(AT_ONCE).await?;
    if requested.is_empty() {
        return Ok(());
    }
    let watched = watched_tables::of(context).await?;
    let mut tables: BTreeMap<TableId, Vec<EventId>> = BTreeMap::new();
    for (table, event) in requested {
        tables.entry(table).or_default().push(event);
    }
    let mut result = Ok(());
    for (table, events) in tables {
        let shown_on = match watched.get(table) {
            Ok(shown_on) => shown_on,
            // It waits until the rule that may show it is mended.
            Err(failure) => {
                result = Err(failure);
                continue;
            }
        };
        let (mut rows, mut asked) = (0, 0);
        // The same request asks for the same events, however often the run is repeated.
        let run = format!("comparison-{table}-{}", events.first().map_or("", EventId::as_str));
        let mut requests = Requests::new(context.queue.clone(), &run, "ingress", rows_per_second)
            .because(Some("a delivery had too many rows to name them"));
        for pages in shown_on.into_iter().flat_map(|watched| &watched.pages) {
            let scope = Scope {
                table: Some(*pages),
                unmapped: false,
            };
            let mut walk = Walk::begin(context, scope, &Resume::default()).await?;
            let compared = reconcile::compare(&mut walk, &mut requests, |_| {}).await?;
            rows += compared.rows;
            asked += compared.asked;
        }
        for event in events {
            context.queue.end_comparison(&(table, event)).await?;
        }
        tracing::info!(
            row.table = table.get(),
            rows,
            asked,
            "compared the rows of a table with their pages after a delivery that was too large"
        );
    }
    result
}
