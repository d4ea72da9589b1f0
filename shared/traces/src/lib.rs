//! Spans for an OpenTelemetry collector, made of what the ledger tells (docs/adr/0018).
//!
//! Whoever writes the ledger to the store has each fact in hand once: an accepted delivery, an
//! attempt with its steps. Each becomes spans then, and never before: no job, no delivery and no
//! call knows of them. A collector that is away, refuses or hangs costs spans, which are counted,
//! and nothing else.
//!
//! | file | decides |
//! |---|---|
//! | `inbox.rs` | what of a fact is kept for its spans, and how much at once |
//! | `spans.rs` | which spans a delivery and an attempt have, under which parents |
//! | `call.rs` | what the span of a call says: never a query, a row's text or a secret |
//! | `attributes.rs` | the form of spans and attributes |
//! | `collector.rs` | sending |

#![warn(missing_docs)]

mod attributes;
mod call;
mod collector;
mod inbox;
mod spans;

use std::sync::Arc;
use std::time::Duration;

use passerelle_model::config::TraceSettings;
use passerelle_store::Store;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use collector::Collector;
use inbox::Inbox;

/// The spans of one process; without a collector it does nothing.
#[derive(Debug, Default)]
pub struct Traces {
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Traces {
    /// The store with spans of what is written through it, if there is a collector. Nothing is
    /// sent yet.
    ///
    /// # Errors
    /// If the HTTP client cannot be made.
    pub fn follow(settings: Option<TraceSettings>, store: Store) -> Result<(Store, Self), reqwest::Error> {
        let Some(settings) = settings else {
            return Ok((store, Self::default()));
        };
        let collector = Collector::new(&settings)?;
        let (inbox, facts) = Inbox::new();
        let stop = CancellationToken::new();
        let task = tokio::spawn(collector.run(facts, store.clone(), stop.clone()));
        let running = Some(Running { stop, task });
        Ok((store.followed_by(Arc::new(inbox)), Self { running }))
    }

    /// Sends what is left, within this time.
    pub async fn finish(self, limit: Duration) {
        let Some(Running { stop, mut task }) = self.running else {
            return;
        };
        stop.cancel();
        if timeout(limit, &mut task).await.is_err() {
            tracing::warn!("the collector did not take the last spans in time; they are lost");
            task.abort();
        }
    }
}
