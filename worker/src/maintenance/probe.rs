//! Keeps the gates in the name of this process: carries reports, tends them, and checks a target's
//! health when it is this process's turn.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use passerelle_model::ledger::FailureClass;
use passerelle_queue::gate::GateTarget;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::context::Context;
use crate::failure::{Failure, Target};

/// Runs until it is dropped. A probe that is under way then is taken over by another process after
/// its lease.
pub async fn run(context: Arc<Context>) {
    tokio::join!(context.gates.report_for_ever(), tend_for_ever(&context));
}

async fn tend_for_ever(context: &Arc<Context>) {
    let mut ticks = interval(context.gates.policy().tick);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut checks: JoinSet<GateTarget> = JoinSet::new();
    let mut under_way: HashSet<GateTarget> = HashSet::new();
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            Some(ended) = checks.join_next() => {
                match ended {
                    Ok(target) => under_way.remove(&target),
                    Err(_panicked) => std::mem::take(&mut under_way).is_empty(),
                };
                continue;
            }
        }
        match context.gates.tend().await {
            Ok(targets) => {
                for target in targets {
                    if under_way.insert(target) {
                        checks.spawn(check(Arc::clone(context), target));
                    }
                }
            }
            Err(error) => tracing::debug!(%error, "the gates cannot be tended for the moment"),
        }
    }
}

async fn check(context: Arc<Context>, target: GateTarget) -> GateTarget {
    let patience = context.gates.policy().health_timeout();
    let result = match target {
        GateTarget::Docmost => context.docmost.health(patience).await,
        GateTarget::Baserow => context.baserow.health(patience).await,
        GateTarget::Store => store_health(&context, patience).await,
        // They offer no check that costs less than a message: the one job that is let through is
        // the check.
        GateTarget::Smtp | GateTarget::Slack => Ok(()),
    };
    let result = result.map_err(|failure| failure.to_string());
    tracing::info!(target_system = %target, healthy = result.is_ok(), why = result.as_ref().err(), "probed");
    if let Err(error) = context.gates.checked(target, result).await {
        tracing::warn!(%error, "what the probe found could not be told; another process will probe");
    }
    target
}

async fn store_health(context: &Context, patience: Duration) -> Result<(), Failure> {
    match timeout(patience, context.store.check_write()).await {
        Ok(checked) => checked.map_err(Failure::from),
        Err(_) => Err(Failure::new(
            FailureClass::Transient,
            Target::Store,
            format!("the database did not answer within {patience:?}"),
        )),
    }
}
