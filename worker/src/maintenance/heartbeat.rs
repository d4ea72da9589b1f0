//! Gives a sign of life every few seconds, so that operators see who is there (`passerelle workers`).

use passerelle_queue::{Queue, WorkerInfo};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

/// Runs until told to stop, and then says goodbye. A Redis that is away is no reason to end: the next sign says the same.
pub async fn run(queue: Queue, me: WorkerInfo, stop: CancellationToken) {
    let mut beats = tokio::time::interval(WorkerInfo::BEAT);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = beats.tick() => {}
            () = stop.cancelled() => break,
        }
        if let Err(error) = queue.beat(&me).await {
            tracing::debug!(%error, "no sign of life could be given");
        }
    }
    if let Err(error) = queue.leave(&me.name).await {
        tracing::debug!(%error, "no goodbye could be said; what is known of this process expires");
    }
}
