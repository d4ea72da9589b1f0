//! Being woken: a subscription on a connection of its own. It is only an accelerator; what it
//! misses, the safety poll finds. Sleeping workers are woken by jobs, a ledger writer that rests by a
//! fact.

use std::sync::Arc;

use futures::StreamExt as _;
use tokio::sync::Notify;
use tokio::time::sleep;

use crate::Queue;
use crate::server::backoff::Reconnecting;
use crate::working::lease::Leases;

/// Wakes the feeder for every message, and after every (re)connection, because messages may have
/// been missed.
pub(crate) async fn listen(queue: Queue, leases: Arc<Leases>) {
    let closing = leases.closing.clone();
    let listening = listen_for_ever(&queue, &queue.inner.keys.wake, &leases.wake);
    closing.run_until_cancelled(listening).await;
}

impl Queue {
    /// Wakes whoever writes the ledger when there is a fact after a time without one; never ends.
    pub async fn listen_to_ledger(&self, wake: &Notify) {
        let channel = format!("{}:wake", self.inner.keys.ledger);
        listen_for_ever(self, &channel, wake).await;
    }
}

async fn listen_for_ever(queue: &Queue, channel: &str, wake: &Notify) {
    let mut waits = Reconnecting::new();
    loop {
        match queue.inner.redis.listen(channel).await {
            Ok(listener) => {
                waits = Reconnecting::new();
                wake.notify_one();
                let mut messages = listener.into_on_message();
                while messages.next().await.is_some() {
                    wake.notify_one();
                }
            }
            Err(error) => tracing::debug!(%error, "no wake-up calls for the moment"),
        }
        sleep(waits.next()).await;
    }
}
