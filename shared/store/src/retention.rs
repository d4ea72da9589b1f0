//! What is old and may go.
//!
//! An event goes as a whole, with its items, once it is older than the operator wants to keep,
//! unless one of its items is still open, or is dead and no operator has replayed or discarded a
//! dead letter of its row since. With it go the attempts of that time, except those of rows of
//! which something is kept: the story of a dead letter stays whole. A notice goes after its event,
//! if it was sent or its channel was off: while the event is there, its job may look whether it was
//! sent. Never removed: links and intents, what operators did, notices that wait or have failed,
//! records that could not be read. The running totals keep what was removed, so the conservation
//! line is as true as before.
//!
//! A walk goes from the oldest event on, a small transaction at a time, so that the writer of the
//! ledger never waits long.

use std::collections::BTreeMap;

use sqlx::{AnyConnection, Row as _};

use super::bulk::Bulk;
use super::counts::OUTCOME_PREFIX;
use super::{Store, StoreError};
use passerelle_model::seq::Seq;
use passerelle_model::time::Timestamp;

/// Entries that one transaction looks at; an entry may hold a group of deliveries.
const ENTRIES: i64 = 200;

/// What one step of a walk did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retired {
    /// Events removed.
    pub events: u64,
    /// From where to go on; `None` at the end of what is old.
    pub next: Option<Seq>,
}

/// How much of the ledger is old.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventAge {
    /// Events from before the moment.
    pub old: i64,
    /// All events.
    pub all: i64,
}

/// Notices that may go, a few at a time.
const OLD_NOTICES: &str = "DELETE FROM notices WHERE id IN (SELECT id FROM notices AS old WHERE old.created < $1 AND old.state IN ('sent', 'off') \
                           AND NOT EXISTS (SELECT 1 FROM events WHERE events.seq = old.seq AND events.place = old.place) \
                           ORDER BY old.created LIMIT 500)";

/// Items that keep their event.
const KEEPS: &str = "kept.outcome IS NULL OR (kept.outcome = 'dead' AND NOT EXISTS (SELECT 1 FROM operator_acts AS act \
                     WHERE act.job = 't' || kept.table_id || '/r' || kept.row_id AND act.seq > kept.closed_seq))";

const RETIRED: Bulk = Bulk {
    before: "INSERT INTO retired (name, amount) VALUES ",
    after: " ON CONFLICT (name) DO UPDATE SET amount = retired.amount + excluded.amount",
    columns: 2,
};

impl Store {
    /// How many events came before a moment. Slow on a large ledger.
    pub async fn events_older_than(&self, before: Timestamp) -> Result<EventAge, StoreError> {
        let counted = "SELECT count(*) AS events, count(CASE WHEN seq <= $1 THEN 1 END) AS old FROM events";
        let found = sqlx::query(counted)
            .bind(Seq::before(before).as_i64())
            .fetch_one(&self.pool)
            .await?;
        Ok(EventAge {
            old: found.try_get("old")?,
            all: found.try_get("events")?,
        })
    }

    /// Removes a few of the finished events that came before a moment; `from` is where the step
    /// before has ended ([`Seq::ZERO`] at first).
    pub async fn retire(&self, from: Seq, before: Timestamp) -> Result<Retired, StoreError> {
        let end = Seq::before(before);
        let next: Option<i64> = sqlx::query_scalar(
            "SELECT seq FROM events WHERE seq > $1 AND seq <= $2 GROUP BY seq ORDER BY seq LIMIT 1 OFFSET $3",
        )
        .bind(from.as_i64())
        .bind(end.as_i64())
        .bind(ENTRIES - 1)
        .fetch_optional(&self.pool)
        .await?;
        let span = Span {
            after: from.as_i64(),
            to: next.unwrap_or(end.as_i64()),
        };
        let remove = async {
            let mut transaction = self.pool.begin().await?;
            let totals = remove(&mut transaction, span).await?;
            let rows: Vec<(String, i64)> = totals.into_iter().filter(|(_, amount)| *amount > 0).collect();
            RETIRED
                .run(&mut transaction, &rows, |query, (name, amount)| {
                    query.bind(name.clone()).bind(*amount)
                })
                .await?;
            sqlx::query(OLD_NOTICES)
                .bind(before.as_millis())
                .execute(&mut *transaction)
                .await?;
            transaction.commit().await?;
            Ok(rows)
        };
        let rows = self.pool.within(remove).await?;
        let events = rows.iter().find(|(name, _)| name == "deliveries");
        Ok(Retired {
            events: events.map_or(0, |(_, amount)| amount.unsigned_abs()),
            next: next.map(Seq::from_i64),
        })
    }
}

/// The entries after one number and up to another.
#[derive(Debug, Clone, Copy)]
struct Span {
    after: i64,
    to: i64,
}

/// Removes what may go of these entries; returns what it was, by the names of the totals.
async fn remove(connection: &mut AnyConnection, span: Span) -> Result<BTreeMap<String, i64>, StoreError> {
    let mut totals = BTreeMap::new();
    let mut count = |name: String, amount: i64| *totals.entry(name).or_default() += amount;
    // Items first: an event without items is one whose items have just gone.
    let items = format!(
        "DELETE FROM items WHERE seq > $1 AND seq <= $2 AND NOT EXISTS (SELECT 1 FROM items AS kept \
         WHERE kept.seq = items.seq AND kept.place = items.place AND ({KEEPS})) RETURNING outcome"
    );
    for item in within(&items, span).fetch_all(&mut *connection).await? {
        let outcome: String = item.try_get("outcome")?;
        count("items".to_owned(), 1);
        count(format!("{OUTCOME_PREFIX}{outcome}"), 1);
    }
    let events = "DELETE FROM events WHERE seq > $1 AND seq <= $2 AND NOT EXISTS (SELECT 1 FROM items \
                  WHERE items.seq = events.seq AND items.place = events.place) RETURNING duplicates";
    for event in within(events, span).fetch_all(&mut *connection).await? {
        count("deliveries".to_owned(), 1);
        count("duplicates".to_owned(), event.try_get("duplicates")?);
    }
    let attempts = "DELETE FROM attempts WHERE seq > $1 AND seq <= $2 AND job NOT IN (SELECT 't' || table_id || '/r' || row_id \
                    FROM items WHERE seq <= $2 AND table_id IS NOT NULL AND row_id IS NOT NULL)";
    within(attempts, span).execute(connection).await?;
    Ok(totals)
}

fn within(statement: &str, span: Span) -> super::bulk::AnyQuery<'static> {
    // Nothing but our own words and `$n`.
    sqlx::query(sqlx::AssertSqlSafe(statement.to_owned()))
        .bind(span.after)
        .bind(span.to)
}
