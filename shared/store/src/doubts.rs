//! Pages that may have a twin: a create had an unknown outcome, and an abandoned call may be carried out much later.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::column::{self, signed};
use super::pages::Link;
use super::{Store, StoreError};
use passerelle_model::id::{RowKey, Slot};
use passerelle_model::time::Timestamp;

/// A slot of a row that has to be looked after, and since when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    /// The row.
    pub row: RowKey,
    /// Which of its pages.
    pub slot: Slot,
    /// Since when; of an intention: when its last create was about to be sent.
    pub since: Timestamp,
}

impl Store {
    /// Notes that a page may have a twin. An earlier note of the same slot is renewed.
    pub async fn doubt(&self, row: RowKey, slot: &Slot, now: Timestamp) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO doubts (table_id, row_id, slot, since) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (table_id, row_id, slot) DO UPDATE SET since = excluded.since",
        )
        .bind(signed(row.table.get()))
        .bind(signed(row.row.get()))
        .bind(slot.as_str().to_owned())
        .bind(now.as_millis())
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Up to `count` doubts from before a moment, oldest first.
    pub async fn doubts(&self, before: Timestamp, count: u32) -> Result<Vec<Doubt>, StoreError> {
        let statement = "SELECT table_id, row_id, slot, since FROM doubts WHERE since < $1 ORDER BY since LIMIT $2";
        self.read_doubts(statement, before, count).await
    }

    /// Up to `count` intentions to create a page that nobody has followed up since before a moment, oldest first.
    pub async fn stale_intents(&self, before: Timestamp, count: u32) -> Result<Vec<Doubt>, StoreError> {
        let statement =
            "SELECT table_id, row_id, slot, started AS since FROM intents WHERE started < $1 ORDER BY started LIMIT $2";
        self.read_doubts(statement, before, count).await
    }

    async fn read_doubts(
        &self,
        statement: &'static str,
        before: Timestamp,
        count: u32,
    ) -> Result<Vec<Doubt>, StoreError> {
        let found = sqlx::query(statement)
            .bind(before.as_millis())
            .bind(i64::from(count))
            .fetch_all(&self.pool)
            .await?;
        found.iter().map(read_doubt).collect()
    }

    /// Ends a doubt.
    pub async fn end_doubt(&self, doubt: &Doubt) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM doubts WHERE table_id = $1 AND row_id = $2 AND slot = $3 AND since = $4")
            .bind(signed(doubt.row.table.get()))
            .bind(signed(doubt.row.row.get()))
            .bind(doubt.slot.as_str().to_owned())
            .bind(doubt.since.as_millis())
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Replaces the state that a link says was written last, unless the slot has another page by now.
    pub async fn restate_link(&self, link: &Link, content_hash: &str) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE links SET content_hash = $5 WHERE table_id = $1 AND row_id = $2 AND slot = $3 AND page_id = $4",
        )
        .bind(signed(link.row.table.get()))
        .bind(signed(link.row.row.get()))
        .bind(link.slot.as_str().to_owned())
        .bind(link.page.as_str().to_owned())
        .bind(content_hash.to_owned())
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}

fn read_doubt(found: &AnyRow) -> Result<Doubt, StoreError> {
    Ok(Doubt {
        row: RowKey {
            table: column::table(found.try_get("table_id")?)?,
            row: column::row(found.try_get("row_id")?)?,
        },
        slot: column::parsed("doubts.slot", found.try_get("slot")?, Slot::parse)?,
        since: Timestamp::from_millis(found.try_get("since")?),
    })
}
