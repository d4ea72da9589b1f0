//! What waits too long, as the workers see it too.

use passerelle_model::config::StallSettings;
use passerelle_worker::maintenance::stalls::{self, Wait};

use super::Finding;
use crate::age::in_largest_unit;
use crate::operator::Operator;
use crate::trouble::Trouble;

const CHECK: &str = "stalls";

/// The oldest queued job and the oldest ledger entry.
pub(super) async fn in_redis(operator: &Operator, limits: StallSettings) -> Result<Vec<Finding>, Trouble> {
    let waits = stalls::in_redis(&operator.queue, limits).await?;
    Ok(waits.iter().filter_map(finding).collect())
}

/// The oldest open item.
pub(super) async fn in_store(operator: &Operator, limits: StallSettings) -> Result<Vec<Finding>, Trouble> {
    let wait = stalls::in_store(operator.store().await?, limits).await?;
    Ok(finding(&wait).into_iter().collect())
}

fn finding(wait: &Wait) -> Option<Finding> {
    let since = wait.stalled_since()?;
    let found = format!("{} since {since} ({})", wait.what, in_largest_unit(wait.age()));
    Some(Finding::warn(CHECK, found, wait.fix))
}
