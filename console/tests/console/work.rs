//! A worker in the test's own process, and what the ledger of Redis tells.

use apalis::prelude::*;
use passerelle_model::id::ProcessName;
use passerelle_model::ledger::{LedgerRecord, Settlement, Verdict};
use passerelle_model::time::Timestamp;
use passerelle_queue::{BackendSettings, CrashPolicy, DeadLetter, Leased};
use test_support::eventually;
use tokio::task::JoinHandle;

use crate::house::House;
use crate::lines::{buried, changed};

#[derive(Clone)]
struct Ending(Verdict);

async fn end(leased: Leased, ending: Data<Ending>) {
    let Ending(verdict) = Ending::clone(&ending);
    let settlement = Settlement {
        verdict,
        steps: Vec::new(),
        started: Timestamp::now(),
    };
    leased.settle(settlement).await;
}

impl House {
    /// A worker whose every job ends so.
    pub(crate) fn worker(&self, verdict: Verdict) -> JoinHandle<()> {
        self.busy_worker(verdict, 1)
    }

    /// The same with several jobs at once.
    pub(crate) fn busy_worker(&self, verdict: Verdict, at_once: usize) -> JoinHandle<()> {
        let (name, crashes) = (ProcessName::unique("worker"), CrashPolicy::of_seconds(1, 10));
        let worker = WorkerBuilder::new(name.as_str())
            .backend(self.queue.backend(BackendSettings::new(name.clone(), at_once, crashes)))
            .data(Ending(verdict))
            .concurrency(at_once)
            .build(end);
        tokio::spawn(async move {
            let _ = worker.run().await;
        })
    }

    /// Rows of table 2 change, and their jobs die.
    pub(crate) async fn dead_rows(&self, rows: impl Iterator<Item = u64>) -> anyhow::Result<Vec<DeadLetter>> {
        let mut wanted = self.queue.stats().await?.dead;
        for row in rows {
            if let LedgerRecord::Accepted(event) = changed(1, &format!("event-{row}"), row)? {
                let _ = self.queue.accept(event).await?;
                wanted += 1;
            }
        }
        let worker = self.worker(buried("title is not allowed"));
        eventually("the jobs are given up", async || match self.queue.stats().await {
            Ok(stats) if stats.dead == wanted && stats.active + stats.running == 0 => Ok(()),
            other => Err(format!("{other:?}")),
        })
        .await;
        worker.abort();
        Ok(self.queue.dead_letters(None, 500).await?)
    }

    /// The ledger of Redis goes into the store, as a worker does it.
    pub(crate) async fn keep_ledger(&self) -> anyhow::Result<()> {
        let entries = self.queue.read_ledger(None, 500).await?;
        if let Some(last) = entries.last() {
            let position = self.store.ledger_position().await?;
            self.store.record(&entries, position.as_deref()).await?;
            self.queue.trim_ledger(&last.id).await?;
        }
        Ok(())
    }

    /// Who acted, and why, as the ledger of Redis tells it: one line for each act.
    pub(crate) async fn acts(&self) -> anyhow::Result<Vec<String>> {
        let entries = self.queue.read_ledger(None, 500).await?;
        let facts = entries.into_iter().flat_map(|entry| entry.records).flatten();
        Ok(facts.filter_map(|fact| told(&fact)).collect())
    }
}

fn told(fact: &LedgerRecord) -> Option<String> {
    match fact {
        LedgerRecord::Accepted(event) => {
            let asked: serde_json::Value = serde_json::from_slice(&event.payload).ok()?;
            Some(format!(
                "forced by {}: {}",
                asked["forced_by"].as_str()?,
                asked["why"].as_str()?
            ))
        }
        LedgerRecord::Replayed { by, why, .. } => Some(format!("replayed by {by}: {why}")),
        LedgerRecord::Discarded { by, why, .. } => Some(format!("discarded by {by}: {why}")),
        LedgerRecord::Switched { on, act, by, why, .. } => Some(format!("{on} {act} by {by}: {why}")),
        LedgerRecord::Duplicate { .. } | LedgerRecord::Attempt(_) => None,
    }
}
