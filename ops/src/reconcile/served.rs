//! A reconciliation that was started in the console.

use passerelle_console::reconcile::{Difference, Progress, Wanted};
use passerelle_model::config::Reader;
use passerelle_model::named::TableName;
use tokio_util::sync::CancellationToken;

use super::said::Said;
use super::{Reach, Reconcile, carry_out};
use crate::arguments::By;
use crate::operator::Operator;
use crate::trouble::Trouble;

/// Rows that are named.
const NAMED: usize = 20;
/// Most syncs that are requested per second.
const RATE: u32 = 10;

/// Carries it out with the settings of a worker.
pub(crate) async fn serve(
    reader: Reader,
    wanted: &Wanted,
    tell: &(dyn Fn(Progress) + Send + Sync),
    stop: &CancellationToken,
) -> Result<(), Trouble> {
    let operator = Operator::new(reader)?;
    let verb = Reconcile {
        table: wanted.table.map(TableName::Number),
        unmapped: false,
        dry_run: wanted.is_plan,
        reach: Reach {
            from_start: false,
            with_dead: wanted.with_dead,
        },
        why: wanted.why.clone(),
        rate: RATE,
        by: By {
            by: Some(wanted.by.clone()),
        },
    };
    let mut progress = Progress::default();
    let mut hear = |said: Said<'_>| {
        note(&mut progress, said);
        tell(progress.clone());
    };
    carry_out(&operator, &verb, &wanted.by, &mut hear, stop).await?;
    Ok(())
}

fn note(progress: &mut Progress, said: Said<'_>) {
    match said {
        Said::Note(_) => {}
        Said::Asked(all) => progress.asked = u64::try_from(all).unwrap_or(u64::MAX),
        Said::Looked(look) => {
            progress.table.clone_from(&look.table.name);
            (progress.rows, progress.of) = (look.rows, look.of);
            progress.differ += u64::try_from(look.findings.len()).unwrap_or(u64::MAX);
            let free = NAMED.saturating_sub(progress.named.len());
            let named = look.findings.iter().take(free).map(|finding| Difference {
                row: finding.row.to_string(),
                rule: finding.rule.clone(),
                reason: finding.reason.as_str().to_owned(),
            });
            progress.named.extend(named);
        }
    }
}
