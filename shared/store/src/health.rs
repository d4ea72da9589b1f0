//! How the rules do: what their tables tell, and what has failed lately. Each statement reads an
//! index.

use sqlx::Row as _;

use super::column::{self, signed};
use super::{Store, StoreError};
use passerelle_model::id::TableId;
use passerelle_model::seq::Seq;
use passerelle_model::time::Timestamp;

impl Store {
    /// When the newest event of a table was recorded.
    pub async fn last_event_of(&self, table: TableId) -> Result<Option<Timestamp>, StoreError> {
        let newest: Option<i64> = sqlx::query_scalar("SELECT max(seq) FROM events WHERE table_id = $1")
            .bind(signed(table.get()))
            .fetch_one(&self.pool)
            .await?;
        Ok(newest.map(|seq| Seq::from_i64(seq).moment()))
    }

    /// How many items died since a moment, by their table.
    pub async fn died_since(&self, moment: Timestamp) -> Result<Vec<(TableId, i64)>, StoreError> {
        let found = sqlx::query(
            "SELECT table_id, count(*) AS items FROM items WHERE outcome = 'dead' AND closed_at >= $1 \
             AND table_id IS NOT NULL GROUP BY table_id ORDER BY table_id",
        )
        .bind(moment.as_millis())
        .fetch_all(&self.pool)
        .await?;
        let died = found
            .iter()
            .map(|row| Ok((column::table(row.try_get("table_id")?)?, row.try_get("items")?)));
        died.collect()
    }

    /// How many notices that were made since a moment can never be sent, by their rule.
    pub async fn failed_notices_since(&self, moment: Timestamp) -> Result<Vec<(String, i64)>, StoreError> {
        let found = sqlx::query(
            "SELECT rule, count(*) AS notices FROM notices WHERE state = 'failed' AND created >= $1 \
             GROUP BY rule ORDER BY rule",
        )
        .bind(moment.as_millis())
        .fetch_all(&self.pool)
        .await?;
        let failed = found
            .iter()
            .map(|row| Ok((row.try_get("rule")?, row.try_get("notices")?)));
        failed.collect()
    }
}
