//! The heartbeat of a worker: `passerelle workers` lists the processes that have sent one lately.

use passerelle_queue::{Queue, RulesInUse, WorkerInfo};
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

/// Sends heartbeats until `stop`, also when the rules change, then removes the process from the list. While Redis is away it
/// goes on: the next heartbeat says the same.
pub async fn run(queue: Queue, mut me: WorkerInfo, mut rules: watch::Receiver<RulesInUse>, stop: CancellationToken) {
    let mut beats = tokio::time::interval(WorkerInfo::BEAT);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = beats.tick() => {}
            Ok(()) = rules.changed() => {}
            () = stop.cancelled() => break,
        }
        me.rules = Some(rules.borrow_and_update().clone());
        if let Err(error) = queue.beat(&me).await {
            tracing::debug!(%error, "the heartbeat could not be sent");
        }
    }
    if let Err(error) = queue.leave(&me.name).await {
        tracing::debug!(%error, "the process could not be removed from the list of workers; its entry expires");
    }
}
