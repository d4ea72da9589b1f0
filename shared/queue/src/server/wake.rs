//! Being woken: a subscription on a connection of its own. It is only an accelerator; what it
//! misses, the safety poll finds.

use std::sync::Arc;

use futures::StreamExt as _;
use tokio::time::sleep;

use crate::Queue;
use crate::server::backoff::Reconnecting;
use crate::working::lease::Leases;

/// Wakes the feeder for every message, and after every (re)connection, because messages may have
/// been missed.
pub(crate) async fn listen(queue: Queue, leases: Arc<Leases>) {
    let closing = leases.closing.clone();
    closing.run_until_cancelled(listen_for_ever(&queue, &leases)).await;
}

async fn listen_for_ever(queue: &Queue, leases: &Leases) {
    let mut waits = Reconnecting::new();
    loop {
        match queue.inner.redis.listen(&queue.inner.keys.wake).await {
            Ok(listener) => {
                waits = Reconnecting::new();
                leases.wake.notify_one();
                let mut messages = listener.into_on_message();
                while messages.next().await.is_some() {
                    leases.wake.notify_one();
                }
            }
            Err(error) => tracing::debug!(%error, "no wake-up calls for the moment"),
        }
        sleep(waits.next()).await;
    }
}
