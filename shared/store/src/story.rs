//! Reading the ledger back, as `trace` shows it: an event with its items, and each item with the
//! attempts that answered for it.

use serde::Serialize;
use sqlx::any::AnyRow;

use super::asked::Asked;
use super::column::{signed, unreadable};
use super::story_rows::{read_act, read_attempt, read_event, read_item};
use super::{EventPlace, Store, StoreError, StoredNotice};
use passerelle_model::event::{DeliveryKey, EventKind};
use passerelle_model::id::{EventId, JobKey, RowKey, SourceName, TableId};
use passerelle_model::ledger::AttemptRecord;
use passerelle_model::outcome::Outcome;
use passerelle_model::seq::Seq;
use passerelle_model::time::Timestamp;
use passerelle_model::trace_context::TraceContext;

/// One accepted delivery and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EventStory {
    /// The stream entry that made it durable.
    pub seq: Seq,
    /// Its place in that entry.
    pub place: i64,
    /// Its identity.
    pub key: DeliveryKey,
    /// The path it came in by.
    pub source: SourceName,
    /// What happened to the rows.
    pub kind: EventKind,
    /// The table of the rows.
    pub table: Option<TableId>,
    /// When the request arrived.
    pub received: Timestamp,
    /// How often the same delivery came again.
    pub duplicates: i64,
    /// When it came again last.
    pub last_duplicate: Option<Timestamp>,
    /// The trace that it belongs to, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace: Option<EventTrace>,
    /// Who asked for it and why, where it is an event of the bridge's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked: Option<Asked>,
    /// Its rows, in the delivery's order.
    pub items: Vec<ItemStory>,
    /// Notices to people because of it.
    pub notices: Vec<NoticeStory>,
}

/// Where the spans of an event are found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EventTrace {
    /// The trace's id: 32 hexadecimal digits.
    pub id: String,
    /// Whether its spans are exported.
    pub sampled: bool,
}

impl From<TraceContext> for EventTrace {
    fn from(context: TraceContext) -> Self {
        Self {
            id: context.id(),
            sampled: context.is_sampled(),
        }
    }
}

/// A notice, and what operators did about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NoticeStory {
    /// The notice as it is now.
    #[serde(flatten)]
    pub notice: StoredNotice,
    /// When it was sent again by hand, by whom and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub acts: Vec<OperatorAct>,
}

/// One row of a delivery and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ItemStory {
    /// The row; `None` for a delivery that names none.
    pub row: Option<RowKey>,
    /// The job, where it is about something else than a row: `page/<id>`, `share/<id>`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<JobKey>,
    /// How it ended; `None` while it is open.
    pub outcome: Option<Outcome>,
    /// When it ended.
    pub closed: Option<Timestamp>,
    /// The attempts that answered for it, oldest first.
    pub attempts: Vec<AttemptRecord>,
    /// What operators did to its job while it waited, and to its dead letters since.
    pub acts: Vec<OperatorAct>,
}

/// What an operator did about a job, a dead letter or a notice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OperatorAct {
    /// `replayed`, `discarded`, `retried` or `run_now`.
    pub act: String,
    /// The dead letter; empty where it was about none.
    pub letter: String,
    /// The new event, where it was replayed.
    pub event: Option<String>,
    /// Who did it.
    pub by: String,
    /// Why, where one was given.
    pub why: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// Most events of one story: an event id shared by more pages than this is shown by its latest.
const EVENTS_PER_STORY: i64 = 100;
/// Most attempts shown per item: the latest.
const ATTEMPTS_PER_ITEM: i64 = 50;

/// Columns are named: an upgrade adds some while this program runs, and its prepared statements go
/// on.
macro_rules! select_events {
    ($rest:literal) => {
        concat!(
            "SELECT seq, place, event_id, webhook_id, batch, source, kind, table_id, received, duplicates, last_duplicate, trace FROM events ",
            $rest
        )
    };
}

impl Store {
    /// Everything known of an event id, oldest first: a sender may share one id over webhooks and
    /// pages. Empty if it was never accepted.
    pub async fn trace_event(&self, event: &EventId) -> Result<Vec<EventStory>, StoreError> {
        let found = sqlx::query(select_events!(
            "WHERE event_id = $1 ORDER BY seq DESC, place DESC LIMIT $2"
        ))
        .bind(event.as_str().to_owned())
        .bind(EVENTS_PER_STORY)
        .fetch_all(&self.pool)
        .await?;
        self.stories(found, None).await
    }

    /// The latest `count` events of a row, oldest first, each with this row's item only.
    pub async fn trace_row(&self, row: RowKey, count: u32) -> Result<Vec<EventStory>, StoreError> {
        let statement = select_events!(
            "WHERE (seq, place) IN (SELECT seq, place FROM items WHERE table_id = $1 AND row_id = $2 \
             ORDER BY seq DESC, place DESC LIMIT $3) ORDER BY seq DESC, place DESC"
        );
        let found = sqlx::query(statement)
            .bind(signed(row.table.get()))
            .bind(signed(row.row.get()))
            .bind(i64::from(count))
            .fetch_all(&self.pool)
            .await?;
        self.stories(found, Some(&JobKey::Row(row))).await
    }

    /// The latest `count` events of a job that is about something else than a row, oldest first,
    /// each with this job's item only.
    pub async fn trace_job(&self, job: &JobKey, count: u32) -> Result<Vec<EventStory>, StoreError> {
        let statement = select_events!(
            "WHERE (seq, place) IN (SELECT seq, place FROM items WHERE job = $1 \
             ORDER BY seq DESC, place DESC LIMIT $2) ORDER BY seq DESC, place DESC"
        );
        let found = sqlx::query(statement)
            .bind(job.to_string())
            .bind(i64::from(count))
            .fetch_all(&self.pool)
            .await?;
        self.stories(found, Some(job)).await
    }

    /// Whether a job was carried out with a later entry covered than this one.
    pub async fn was_done_after(&self, job: &JobKey, covered: Seq) -> Result<bool, StoreError> {
        let statement = "SELECT count(*) FROM attempts WHERE job = $1 AND covers > $2 AND ending = 'done'";
        let found: i64 = sqlx::query_scalar(statement)
            .bind(job.to_string())
            .bind(covered.as_i64())
            .fetch_one(&self.pool)
            .await?;
        Ok(found > 0)
    }

    /// Whether a delivery of this webhook is among the latest `of` events of this table.
    pub async fn has_delivery_of(&self, table: TableId, webhook: u64, of: u32) -> Result<bool, StoreError> {
        let statement = "SELECT 1 FROM (SELECT webhook_id FROM events WHERE table_id = $1 ORDER BY seq DESC LIMIT $3) AS latest \
             WHERE webhook_id = $2 LIMIT 1";
        let found = sqlx::query(statement)
            .bind(signed(table.get()))
            .bind(signed(webhook))
            .bind(i64::from(of))
            .fetch_optional(&self.pool)
            .await?;
        Ok(found.is_some())
    }

    /// The latest attempt at a job.
    pub async fn last_attempt(&self, job: &JobKey) -> Result<Option<AttemptRecord>, StoreError> {
        let found = sqlx::query(
            "SELECT job, covers, attempt, worker, started, ended, verdict, steps FROM attempts \
             WHERE job = $1 ORDER BY seq DESC, place DESC LIMIT 1",
        )
        .bind(job.to_string())
        .fetch_optional(&self.pool)
        .await?;
        found.as_ref().map(read_attempt).transpose()
    }

    /// The raw body of a delivery, as received.
    pub async fn payload(&self, seq: Seq, place: i64) -> Result<Option<Vec<u8>>, StoreError> {
        let stored: Option<Vec<u8>> = sqlx::query_scalar("SELECT payload FROM events WHERE seq = $1 AND place = $2")
            .bind(seq.as_i64())
            .bind(place)
            .fetch_optional(&self.pool)
            .await?;
        let decompress = |bytes: Vec<u8>| {
            lz4_flex::decompress_size_prepended(&bytes)
                .map_err(|error| unreadable("events.payload", &error.to_string()))
        };
        stored.map(decompress).transpose()
    }

    /// Turns event rows (newest first) into stories (oldest first).
    async fn stories(&self, mut events: Vec<AnyRow>, only: Option<&JobKey>) -> Result<Vec<EventStory>, StoreError> {
        events.reverse();
        let mut stories = Vec::with_capacity(events.len());
        for event in &events {
            let mut story = read_event(event)?;
            if story.kind == EventKind::Forced && story.key.webhook.is_none() {
                let body = self.payload(story.seq, story.place).await?;
                story.asked = body.as_deref().and_then(Asked::read);
            }
            story.items = self.items(story.seq, story.place, only).await?;
            let at = EventPlace {
                seq: story.seq,
                place: story.place,
            };
            for notice in self.notices_of(at).await? {
                if only.is_none() || notice.row.map(JobKey::Row).as_ref() == only {
                    let acts = self.acts(&notice.id, Seq::ZERO, Some(Seq::ZERO)).await?;
                    story.notices.push(NoticeStory { notice, acts });
                }
            }
            stories.push(story);
        }
        Ok(stories)
    }

    async fn items(&self, seq: Seq, place: i64, only: Option<&JobKey>) -> Result<Vec<ItemStory>, StoreError> {
        let statement = "SELECT table_id, row_id, job, outcome, reason, closed_at, closed_seq FROM items \
                         WHERE seq = $1 AND place = $2 ORDER BY item";
        let found = sqlx::query(statement)
            .bind(seq.as_i64())
            .bind(place)
            .fetch_all(&self.pool)
            .await?;
        let mut items = Vec::with_capacity(found.len());
        for stored in &found {
            let (mut item, closed_by) = read_item(stored)?;
            let job = item.row.map(JobKey::Row).or_else(|| item.job.clone());
            if only.is_some_and(|only| job.as_ref() != Some(only)) {
                continue;
            }
            if let Some(job) = job
                && (item.outcome.is_none() || closed_by.is_some())
            {
                item.attempts = self.attempts(&job, seq, closed_by).await?;
                item.acts = self.acts(&job, seq, closed_by).await?;
            }
            items.push(item);
        }
        Ok(items)
    }

    /// The attempts of a job that answered for an entry: they cover it, and are not later than the
    /// one that closed it.
    async fn attempts(&self, job: &JobKey, seq: Seq, until: Option<Seq>) -> Result<Vec<AttemptRecord>, StoreError> {
        let mut found = sqlx::query(
            "SELECT job, covers, attempt, worker, started, ended, verdict, steps FROM attempts \
             WHERE job = $1 AND covers >= $2 AND seq <= $3 ORDER BY seq DESC, place DESC LIMIT $4",
        )
        .bind(job.to_string())
        .bind(seq.as_i64())
        .bind(until.map_or(i64::MAX, Seq::as_i64))
        .bind(ATTEMPTS_PER_ITEM)
        .fetch_all(&self.pool)
        .await?;
        found.reverse();
        found.iter().map(read_attempt).collect()
    }

    /// What operators did to a job between an entry and the one that closed it, and about it after
    /// that.
    async fn acts(&self, job: &JobKey, from: Seq, closed: Option<Seq>) -> Result<Vec<OperatorAct>, StoreError> {
        let statement = "SELECT act, letter, delivery_key, operator, why, at FROM operator_acts \
                         WHERE (job = $1 AND seq >= $2) OR (job = $3 AND seq >= $4 AND seq <= $2) ORDER BY seq, place";
        let found = sqlx::query(statement)
            .bind(job.to_string())
            .bind(closed.map_or(i64::MAX, Seq::as_i64))
            .bind(format!("job/{job}"))
            .bind(from.as_i64())
            .fetch_all(&self.pool)
            .await?;
        found.iter().map(read_act).collect()
    }
}
