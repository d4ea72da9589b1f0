//! Makes up for a Redis that went back: a power cut, a failover to a replica that lagged, a
//! restored copy, a `FLUSHALL`. The store has noticed it and reads the whole ledger again; what is
//! left is to tell the admin once, to request the jobs that are gone, and to compare all rows with
//! their pages: deliveries that nobody knows any more are found by their rows.

use std::time::Duration;

use passerelle_model::id::EventId;
use passerelle_model::ledger::FailureClass;
use passerelle_model::time::{LongAgo, Timestamp};
use passerelle_store::StoredLife;
use serde_json::{Map, Value, json};

use super::{Memo, orphans, reconcile};
use crate::content::notice::{NoticeKind, notice_values};
use crate::context::Context;
use crate::failure::{Failure, Target};

/// Repairs, if there is something to repair.
pub(super) async fn run(context: &Context, rows_per_second: u32, memo: &Memo) -> Result<(), Failure> {
    let Some((life, _)) = context.store.unrepaired_life().await? else {
        return Ok(());
    };
    let went_back = context.store.went_back(&context.queue).await;
    let went_back =
        went_back.map_err(|error| Failure::new(FailureClass::Transient, Target::Store, error.to_string()))?;
    let lost = went_back.map_or(0, |went_back| went_back.lost);
    notify_admin(context, &life, lost).await?;
    while orphans::run(context, LongAgo::of_age(Duration::ZERO, Timestamp::now())).await? > 0 {}
    reconcile::run(context, rows_per_second, memo).await?;
    context.store.end_repair(&life, lost).await?;
    tracing::info!(
        epoch = life.epoch,
        lost,
        "the bridge has made up for a Redis that went back"
    );
    Ok(())
}

async fn notify_admin(context: &Context, life: &StoredLife, lost: i64) -> Result<(), Failure> {
    let event = EventId::parse(&format!("redis-went-back-{}", life.epoch.to_ascii_lowercase()));
    let (kind, values) = (NoticeKind::RedisWentBack, values(life, lost));
    let posted = context
        .outbox
        .notify_admin_of_own(kind, &values, "redis-went-back", event);
    posted.await?;
    Ok(())
}

fn values(life: &StoredLife, lost: i64) -> Map<String, Value> {
    notice_values(json!({"seen": life.began.to_string(), "lost": lost}))
}
