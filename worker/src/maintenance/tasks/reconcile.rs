//! The reconciliation as a periodic task: all tables, at a pace that leaves room for fresh events.

use passerelle_model::id::TableId;
use serde::{Deserialize, Serialize};

use super::Memo;
use crate::context::Context;
use crate::failure::Failure;
use crate::maintenance::reconcile::{Finding, Requests, Resume, Scope, Walk};

/// How far a run has come.
#[derive(Debug, Serialize, Deserialize)]
struct Progress {
    run: String,
    finished: Vec<TableId>,
}

impl Progress {
    /// That of an earlier holder of the turn, or of a new run.
    fn of(memo: &Memo) -> Self {
        serde_json::from_str(&memo.read()).unwrap_or_else(|_| Self {
            run: ulid::Ulid::generate().to_string(),
            finished: Vec::new(),
        })
    }

    fn keep(&self, memo: &Memo) {
        memo.write(serde_json::to_string(self).unwrap_or_default());
    }
}

/// Compares all rows and requests a sync of those that differ.
pub(super) async fn run(context: &Context, rows_per_second: u32, memo: &Memo) -> Result<(), Failure> {
    let mut progress = Progress::of(memo);
    progress.keep(memo);
    let resume = Resume {
        finished: progress.finished.clone(),
        table: None,
    };
    let mut walk = Walk::begin(context, Scope::default(), &resume).await?;
    for table in walk.missing() {
        tracing::warn!(
            row.table = table,
            "BASEROW_TOKEN sees no such table: its rule never does anything"
        );
    }
    let mut requests = Requests::new(context.queue.clone(), &progress.run, "schedule", rows_per_second);
    let compared = compare(&mut walk, &mut requests, |table| {
        progress.finished.push(table);
        progress.keep(memo);
    });
    let Compared { rows, asked, dead } = compared.await?;
    tracing::info!(
        run = progress.run,
        rows,
        asked,
        dead,
        "all rows were compared with their pages"
    );
    Ok(())
}

/// What a walk came to.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Compared {
    /// Rows that were looked at.
    pub(super) rows: u64,
    /// Rows whose sync was requested.
    pub(super) asked: usize,
    /// Rows that differ and were not requested, because a dead letter speaks against it.
    pub(super) dead: usize,
}

/// Walks to the end and requests a sync of the rows that differ; calls `finished` with each table
/// that is done.
pub(super) async fn compare(
    walk: &mut Walk<'_>,
    requests: &mut Requests,
    mut finished: impl FnMut(TableId),
) -> Result<Compared, Failure> {
    let mut compared = Compared::default();
    loop {
        let look = match walk.step().await {
            Ok(Some(look)) => look,
            Ok(None) => return Ok(compared),
            // The other tables are not to blame.
            Err(failure) if failure.is_final() => {
                tracing::warn!(error = %failure, "a table cannot be reconciled");
                walk.skip();
                continue;
            }
            Err(failure) => return Err(failure),
        };
        requests.ask(&look.findings, |some| compared.asked += some).await?;
        compared.dead += log_dead_letters(&look.findings);
        if look.is_last {
            compared.rows += look.rows;
            finished(look.table.id);
        }
    }
}

/// Logs which rows were not requested because of a dead letter; returns how many.
fn log_dead_letters(findings: &[Finding]) -> usize {
    let letters = findings
        .iter()
        .filter_map(|finding| Some((finding.row, finding.dead_letter.as_ref()?)));
    letters
        .inspect(
            |(row, letter)| tracing::info!(%row, letter, "a row differs and has a dead letter: no sync is requested"),
        )
        .count()
}
