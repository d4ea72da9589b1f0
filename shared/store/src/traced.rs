//! What the spans of an attempt need to know: the events that it answered for, and their traces.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::column::{self, signed};
use super::{Store, StoreError};
use passerelle_model::id::JobKey;
use passerelle_model::outcome::Outcome;
use passerelle_model::seq::Seq;
use passerelle_model::time::Timestamp;
use passerelle_model::trace_context::TraceContext;

/// Most events of one attempt that are looked at: the latest.
const MOST_EVENTS: i64 = 20;

/// An event with a trace, and what an attempt was for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TracedEvent {
    /// Its trace.
    pub trace: TraceContext,
    /// Its delivery key, as the ledger prints it.
    pub delivery: String,
    /// The id that its sender gave it.
    pub event: String,
    /// When its job began to wait: when it was accepted, or its notice was made.
    pub queued: Timestamp,
    /// The queue of that job.
    pub queue: String,
    /// How it ended, if this attempt ended it.
    pub outcome: Option<Outcome>,
}

/// What the store knows of an attempt.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TracedAttempt {
    /// The events that it answered for and that have a trace, the latest first.
    pub events: Vec<TracedEvent>,
    /// When the attempt before it ended.
    pub previous_ended: Option<Timestamp>,
}

macro_rules! select_traced {
    ($items:literal) => {
        concat!(
            "SELECT e.trace, e.delivery_key, e.event_id, i.seq, i.outcome, i.reason, i.closed_seq FROM (",
            "SELECT seq, place, outcome, reason, closed_seq FROM items WHERE ",
            $items,
            " ORDER BY seq DESC, place DESC LIMIT $1) AS i JOIN events AS e ON e.seq = i.seq AND e.place = i.place ",
            "WHERE e.trace IS NOT NULL AND (i.outcome IS NULL OR i.closed_seq >= $2) ORDER BY i.seq DESC, i.place DESC"
        )
    };
}

impl Store {
    /// The traced events that the attempt of a ledger entry answered for. `covers` is the last entry
    /// that it covers.
    pub async fn traced_attempt(&self, job: &JobKey, covers: Seq, entry: Seq) -> Result<TracedAttempt, StoreError> {
        let events = match job {
            JobKey::Notice(_) => self.traced_notice(job).await?,
            _ => self.traced_events(job, covers, entry).await?,
        };
        if events.is_empty() {
            return Ok(TracedAttempt::default());
        }
        let statement = "SELECT ended FROM attempts WHERE job = $1 AND seq < $2 ORDER BY covers DESC, seq DESC LIMIT 1";
        let ended: Option<i64> = sqlx::query_scalar(statement)
            .bind(job.to_string())
            .bind(entry.as_i64())
            .fetch_optional(&self.pool)
            .await?;
        Ok(TracedAttempt {
            events,
            previous_ended: ended.map(Timestamp::from_millis),
        })
    }

    async fn traced_events(&self, job: &JobKey, covers: Seq, entry: Seq) -> Result<Vec<TracedEvent>, StoreError> {
        let query = match job.row() {
            Some(row) => sqlx::query(select_traced!("table_id = $4 AND row_id = $5 AND seq <= $3"))
                .bind(MOST_EVENTS)
                .bind(entry.as_i64())
                .bind(covers.as_i64())
                .bind(signed(row.table.get()))
                .bind(signed(row.row.get())),
            None => sqlx::query(select_traced!("job = $4 AND seq <= $3"))
                .bind(MOST_EVENTS)
                .bind(entry.as_i64())
                .bind(covers.as_i64())
                .bind(job.to_string()),
        };
        let found = query.fetch_all(&self.pool).await?;
        let read = |row: &AnyRow| {
            let closed: Option<i64> = row.try_get("closed_seq")?;
            let outcome: Option<String> = row.try_get("outcome")?;
            let outcome = outcome.filter(|_| closed == Some(entry.as_i64()));
            let reason = row.try_get("reason")?;
            Ok(TracedEvent {
                queued: Seq::from_i64(row.try_get("seq")?).moment(),
                queue: "sync".to_owned(),
                outcome: outcome.map(|name| column::outcome(&name, reason)).transpose()?,
                ..event(row)?
            })
        };
        found.iter().map(read).collect()
    }

    async fn traced_notice(&self, job: &JobKey) -> Result<Vec<TracedEvent>, StoreError> {
        let statement = "SELECT e.trace, e.delivery_key, e.event_id, n.created, n.channel FROM notices AS n \
                         JOIN events AS e ON e.seq = n.seq AND e.place = n.place WHERE n.id = $1 AND e.trace IS NOT NULL";
        let found = sqlx::query(statement)
            .bind(job.to_string())
            .fetch_all(&self.pool)
            .await?;
        let read = |row: &AnyRow| {
            Ok(TracedEvent {
                queued: Timestamp::from_millis(row.try_get("created")?),
                queue: row.try_get("channel")?,
                ..event(row)?
            })
        };
        found.iter().map(read).collect()
    }
}

fn event(row: &AnyRow) -> Result<TracedEvent, StoreError> {
    Ok(TracedEvent {
        trace: column::trace(row.try_get("trace")?)?,
        delivery: row.try_get("delivery_key")?,
        event: row.try_get("event_id")?,
        queued: Timestamp::default(),
        queue: String::new(),
        outcome: None,
    })
}
