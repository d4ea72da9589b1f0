//! Deliveries that come all the time, and what was answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use system_tests::System;
use test_support::eventually;
use tokio::task::JoinSet;

/// Senders at once.
const LANES: usize = 8;
/// How often each of them sends.
const EVERY: Duration = Duration::from_millis(20);

/// Senders that send until they are told to stop. The deliveries tell of some rows of the table of
/// projects, one after the other.
pub(crate) struct Load {
    is_over: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    lanes: JoinSet<anyhow::Result<Vec<Answered>>>,
}

/// A delivery that was answered 200, perhaps after it had come again: the disk of a busy machine
/// may stand still for seconds.
#[derive(Debug, Clone)]
pub(crate) struct Answered {
    pub(crate) event: String,
    /// From the first time that it came.
    pub(crate) took: Duration,
}

impl Load {
    pub(crate) fn start(system: &System, rows: usize) -> Self {
        let (is_over, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let mut lanes = JoinSet::new();
        for lane in 0..LANES {
            let (caller, is_over, answered) = (system.caller(), Arc::clone(&is_over), Arc::clone(&answered));
            lanes.spawn(async move {
                let (mut mine, mut ticks) = (Vec::new(), tokio::time::interval(EVERY));
                for number in (lane..).step_by(LANES) {
                    if is_over.load(Ordering::Relaxed) {
                        break;
                    }
                    ticks.tick().await;
                    let (event, began) = (format!("7a1c0c5e-0000-4000-8000-{number:012}"), Instant::now());
                    loop {
                        let answer = caller.post(delivery(number % rows + 1, &event)).await?;
                        if answer.status == 200 {
                            break;
                        }
                        anyhow::ensure!(answer.status == 503, "{answer:?}");
                    }
                    let took = began.elapsed();
                    mine.push(Answered { event, took });
                    answered.fetch_add(1, Ordering::Relaxed);
                }
                Ok(mine)
            });
        }
        Self {
            is_over,
            answered,
            lanes,
        }
    }

    /// How many were answered so far.
    pub(crate) fn answered(&self) -> usize {
        self.answered.load(Ordering::Relaxed)
    }

    /// Waits until so many more were answered.
    pub(crate) async fn goes_on(&self, more: usize) {
        let goal = self.answered() + more;
        eventually(&format!("{goal} deliveries are answered"), async || {
            match self.answered() {
                enough if enough >= goal => Ok(()),
                few => Err(few),
            }
        })
        .await;
    }

    /// Stops the senders; each delivery was answered 200 in the end.
    pub(crate) async fn stop(mut self) -> anyhow::Result<Vec<Answered>> {
        self.is_over.store(true, Ordering::Relaxed);
        let mut answered = Vec::new();
        while let Some(lane) = self.lanes.join_next().await {
            answered.extend(lane??);
        }
        Ok(answered)
    }
}

fn delivery(row: usize, event: &str) -> String {
    json!({
        "table_id": 2, "database_id": 1, "workspace_id": 1, "webhook_id": 1, "event_id": event, "event_type": "rows.created",
        "items": [{"id": row, "order": "1.00000000000000000000"}],
    })
    .to_string()
}

/// Waits until the ingress has brought all that it spooled into the queue.
pub(crate) async fn spool_is_empty(system: &System) {
    eventually("the spool is drained", async || {
        let files = std::fs::read_dir(system.spool()).into_iter().flatten().flatten();
        let names: Vec<_> = files.map(|file| file.file_name()).collect();
        if names.is_empty() {
            Ok(())
        } else {
            Err(format!("{names:?}\n{}", system.logs()))
        }
    })
    .await;
}
