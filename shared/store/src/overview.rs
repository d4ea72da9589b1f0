//! The ledger at a glance, as the console shows it. Each statement reads an index, so that it is
//! quick on a large ledger too.

use std::time::Duration;

use sqlx::{AssertSqlSafe, Row as _};

use super::column::{self, unreadable};
use super::{Store, StoreError};
use passerelle_model::id::SourceName;
use passerelle_model::outcome::Outcome;
use passerelle_model::seq::Seq;
use passerelle_model::time::Timestamp;

/// How many items ended in a way within a stretch of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// When the stretch began.
    pub from: Timestamp,
    /// The outcome's name.
    pub outcome: String,
    /// Items.
    pub items: i64,
}

/// The newest delivery of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastDelivery {
    /// Which source.
    pub source: SourceName,
    /// When it was recorded.
    pub at: Timestamp,
}

/// The pages of rows, and the last change, as they were at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InStep {
    /// How many pages the bridge keeps in step with their rows.
    pub pages: i64,
    /// When one was last written; `None` before the first.
    pub last_change: Option<Timestamp>,
}

/// Most sources that are listed.
const MOST_SOURCES: usize = 100;

impl Store {
    /// How many items ended since a moment and before another, by outcome, in stretches of one
    /// length.
    pub async fn ended_between(
        &self,
        from: Timestamp,
        until: Timestamp,
        stretch: Duration,
    ) -> Result<Vec<Ended>, StoreError> {
        let length = i64::try_from(stretch.as_millis()).unwrap_or(i64::MAX).max(1);
        // Every outcome by name: a range of the index for each.
        let outcomes = Outcome::NAMES.map(|name| format!("'{name}'")).join(", ");
        let statement = format!(
            "SELECT closed_at / $3 AS stretch, outcome, count(*) AS items FROM items WHERE outcome IN ({outcomes}) \
             AND closed_at >= $1 AND closed_at < $2 GROUP BY 1, 2 ORDER BY 1, 2"
        );
        let found = sqlx::query(AssertSqlSafe(statement))
            .bind(from.as_millis())
            .bind(until.as_millis())
            .bind(length)
            .fetch_all(&self.pool)
            .await?;
        let ended = found.iter().map(|row| {
            let stretch: i64 = row.try_get("stretch")?;
            Ok(Ended {
                from: Timestamp::from_millis(stretch.saturating_mul(length)),
                outcome: row.try_get("outcome")?,
                items: row.try_get("items")?,
            })
        });
        ended.collect()
    }

    /// The pages of rows and the last change, read by one statement: a change is never seen without
    /// its page.
    pub async fn in_step(&self) -> Result<InStep, StoreError> {
        let statement = "SELECT (SELECT count(*) FROM links) AS pages, \
                         (SELECT max(closed_at) FROM items WHERE outcome = 'synced') AS last_change";
        let found = sqlx::query(statement).fetch_one(&self.pool).await?;
        Ok(InStep {
            pages: found.try_get("pages")?,
            last_change: found
                .try_get::<Option<i64>, _>("last_change")?
                .map(Timestamp::from_millis),
        })
    }

    /// The newest delivery of each source, by name. It steps from name to name, and reads no event
    /// in between.
    pub async fn last_deliveries(&self) -> Result<Vec<LastDelivery>, StoreError> {
        let (mut found, mut after) = (Vec::new(), String::new());
        while found.len() < MOST_SOURCES {
            let next: Option<String> = sqlx::query_scalar("SELECT min(source) FROM events WHERE source > $1")
                .bind(after.clone())
                .fetch_one(&self.pool)
                .await?;
            let Some(source) = next else { break };
            let newest: Option<i64> = sqlx::query_scalar("SELECT max(seq) FROM events WHERE source = $1")
                .bind(source.clone())
                .fetch_one(&self.pool)
                .await?;
            let newest = newest.ok_or_else(|| unreadable("events.source", &source))?;
            found.push(LastDelivery {
                source: column::parsed("events.source", &source, SourceName::parse)?,
                at: Seq::from_i64(newest).moment(),
            });
            after = source;
        }
        Ok(found)
    }
}
