//! Attempts at jobs, and the events behind them.

use std::time::Duration;

use anyhow::Context as _;
use passerelle_model::config::{Reader, RedisSettings};
use passerelle_model::event::{DeliveryKey, Disposition, EventKind, Item, NewEvent};
use passerelle_model::id::{EventId, JobKey, PageId, RowKey, SourceName};
use passerelle_model::job::{EventKinds, Job};
use passerelle_model::ledger::{LedgerRecord, Settlement, Verdict};
use passerelle_model::outcome::Outcome;
use passerelle_model::seq::Seq;
use passerelle_model::time::Timestamp;
use passerelle_queue::{AcceptStatus, Queue, QueueName, Redis};
use passerelle_worker::clients::guard::let_through;
use passerelle_worker::context::Context;
use passerelle_worker::process::process;
use test_support::eventually;

use super::World;

impl World {
    /// One attempt at the row's job.
    pub(crate) async fn attempt(&self, row: RowKey) -> Settlement {
        attempt(&self.context, row).await
    }

    /// One attempt at the job of a wiki page.
    pub(crate) async fn attempt_page(&self, page: &str) -> anyhow::Result<Settlement> {
        self.attempt_page_after(page, Duration::ZERO).await
    }

    /// The same for a job that has been waiting for so long.
    pub(crate) async fn attempt_page_after(&self, page: &str, waiting: Duration) -> anyhow::Result<Settlement> {
        let job = Job {
            key: JobKey::Page(PageId::parse(page)?),
            waiting_since: Timestamp::now().minus(waiting),
            ..job("t8/r1".parse()?)
        };
        Ok(process(&self.context, &job, 0.5).await)
    }

    /// One attempt that must end with an outcome.
    pub(crate) async fn sync(&self, row: RowKey) -> anyhow::Result<Outcome> {
        outcome_of(self.attempt(row).await)
    }

    /// The same for an event of another kind and name.
    pub(crate) async fn sync_as(&self, row: RowKey, kind: EventKind, event: &str) -> anyhow::Result<Outcome> {
        let job = Job {
            kinds: EventKinds::of(kind),
            last_event: EventId::parse(event)?,
            ..job(row)
        };
        outcome_of(process(&self.context, &job, 0.5).await)
    }

    /// One attempt that must write something.
    pub(crate) async fn synced(&self, row: RowKey) -> anyhow::Result<()> {
        let outcome = self.sync(row).await?;
        anyhow::ensure!(outcome == Outcome::Synced, "nothing was written: {outcome}");
        Ok(())
    }

    /// Attempts until there is an outcome, without the waits between attempts.
    pub(crate) async fn sync_eventually(&self, row: RowKey) -> Outcome {
        eventually("the job is done", async || match self.attempt(row).await.verdict {
            Verdict::Done(outcome) => Ok(outcome),
            other => Err(other),
        })
        .await
    }

    /// The queue of this world.
    pub(crate) fn queue(&self) -> anyhow::Result<Queue> {
        let reader = [("REDIS_URL", self.redis.url())];
        let settings = RedisSettings::read(&mut Reader::from_pairs(reader));
        Ok(Queue::new(Redis::open(&settings)?, QueueName::Sync))
    }

    /// One attempt at the row's job, which answers for all events so far and was requested.
    pub(crate) async fn sync_requested(&self, queue: &Queue, row: RowKey) -> anyhow::Result<Outcome> {
        let last_event = queue.force(row, "anna", "a look").await?;
        let newest = queue.life(None).await?.newest.context("the ledger is empty")?;
        let job = Job {
            covers: Seq::from_stream_id(&newest)?,
            kinds: EventKinds::of(EventKind::Forced),
            last_event,
            ..job(row)
        };
        outcome_of(process(&self.context, &job, 0.5).await)
    }

    /// An update of a row, as the ingress would accept it.
    pub(crate) async fn event(&self, queue: &Queue, row: RowKey, id: &str) -> anyhow::Result<()> {
        self.event_of(queue, row, (EventKind::Updated, id)).await
    }

    /// An event of a row.
    pub(crate) async fn event_of(
        &self,
        queue: &Queue,
        row: RowKey,
        (kind, id): (EventKind, &str),
    ) -> anyhow::Result<()> {
        let event = NewEvent {
            key: DeliveryKey {
                webhook: None,
                event: EventId::parse(id)?,
                batch: 0,
            },
            source: SourceName::parse("test")?,
            kind,
            table: Some(row.table),
            received: Timestamp::now(),
            trace: None,
            items: vec![Item {
                row: Some(row.row),
                disposition: Disposition::Sync,
            }],
            payload: Vec::new(),
        };
        let accepted = queue.accept(event).await?;
        anyhow::ensure!(accepted.status() == AcceptStatus::Queued, "{accepted:?}");
        Ok(())
    }

    /// The rows whose sync was requested, in order.
    pub(crate) async fn requested_rows(&self) -> anyhow::Result<Vec<RowKey>> {
        let mut rows = Vec::new();
        for record in self.accepted().await? {
            let table = record.table.context("an event without a table")?;
            rows.extend(
                record
                    .items
                    .iter()
                    .filter_map(|item| item.row)
                    .map(|row| RowKey { table, row }),
            );
        }
        Ok(rows)
    }

    /// How many events the queue has accepted.
    pub(crate) async fn events_accepted(&self) -> anyhow::Result<usize> {
        Ok(self.accepted().await?.len())
    }

    async fn accepted(&self) -> anyhow::Result<Vec<NewEvent>> {
        let entries = self.queue()?.read_ledger(None, 1000).await?;
        let records = entries.into_iter().flat_map(|entry| entry.records);
        Ok(records
            .filter_map(|record| match record {
                Ok(LedgerRecord::Accepted(record)) => Some(record),
                _ => None,
            })
            .collect())
    }
}

/// One attempt by the given process.
pub(crate) async fn attempt(context: &Context, row: RowKey) -> Settlement {
    process(context, &job(row), 0.5).await
}

/// One attempt as the job that stopped gates let through, which had so many before.
pub(crate) async fn probe(context: &Context, row: RowKey, attempts: u32) -> Settlement {
    let job = Job { attempts, ..job(row) };
    let_through(process(context, &job, 0.5)).await
}

fn outcome_of(settlement: Settlement) -> anyhow::Result<Outcome> {
    match settlement {
        Settlement {
            verdict: Verdict::Done(outcome),
            ..
        } => Ok(outcome),
        other => anyhow::bail!("not done: {other:#?}"),
    }
}

#[expect(clippy::unwrap_used, reason = "the text is an event id")]
fn job(row: RowKey) -> Job {
    Job {
        key: JobKey::Row(row),
        attempts: 0,
        crashes: 0,
        covers: Seq::ZERO,
        kinds: EventKinds::of(EventKind::Updated),
        last_event: EventId::parse("test").unwrap(),
        waiting_since: Timestamp::now(),
        failing_since: None,
    }
}
