//! Pages that may have a duplicate: a create had an unknown outcome, and a call that was given up
//! may be carried out much later. The table is called `doubts`.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::column::{self, signed};
use super::{Store, StoreError};
use passerelle_model::id::{RowKey, Slot};
use passerelle_model::time::{LongAgo, Timestamp};

/// A create whose outcome is unknown: its slot may get a second page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnconfirmedCreate {
    /// The row.
    pub row: RowKey,
    /// Which of its pages.
    pub slot: Slot,
    /// Since when; of an intention: when its last create was about to be sent.
    pub since: Timestamp,
}

impl Store {
    /// Notes that the outcome of a create is unknown. An earlier note of the same slot is renewed.
    pub async fn note_unconfirmed_create(&self, row: RowKey, slot: &Slot, now: Timestamp) -> Result<(), StoreError> {
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

    /// Up to `count` unconfirmed creates from long ago, oldest first.
    pub async fn unconfirmed_creates(&self, old: LongAgo, count: u32) -> Result<Vec<UnconfirmedCreate>, StoreError> {
        let statement =
            "SELECT table_id, row_id, slot, since FROM doubts WHERE since < $1 OR since > $3 ORDER BY since LIMIT $2";
        self.read_unconfirmed(statement, old, count).await
    }

    /// Up to `count` intents that no attempt has followed up for long, oldest first.
    pub async fn stale_intents(&self, old: LongAgo, count: u32) -> Result<Vec<UnconfirmedCreate>, StoreError> {
        let statement = "SELECT table_id, row_id, slot, started AS since FROM intents WHERE started < $1 OR started > $3 ORDER BY started LIMIT $2";
        self.read_unconfirmed(statement, old, count).await
    }

    async fn read_unconfirmed(
        &self,
        statement: &'static str,
        old: LongAgo,
        count: u32,
    ) -> Result<Vec<UnconfirmedCreate>, StoreError> {
        let found = sqlx::query(statement)
            .bind(old.before.as_millis())
            .bind(i64::from(count))
            .bind(old.ahead_of.as_millis())
            .fetch_all(&self.pool)
            .await?;
        found.iter().map(read_create).collect()
    }

    /// Stops watching a slot, unless it was noted once more.
    pub async fn forget_unconfirmed_create(&self, create: &UnconfirmedCreate) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM doubts WHERE table_id = $1 AND row_id = $2 AND slot = $3 AND since = $4")
            .bind(signed(create.row.table.get()))
            .bind(signed(create.row.row.get()))
            .bind(create.slot.as_str().to_owned())
            .bind(create.since.as_millis())
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}

fn read_create(found: &AnyRow) -> Result<UnconfirmedCreate, StoreError> {
    Ok(UnconfirmedCreate {
        row: RowKey {
            table: column::table(found.try_get("table_id")?)?,
            row: column::row(found.try_get("row_id")?)?,
        },
        slot: column::parsed("doubts.slot", found.try_get("slot")?, Slot::parse)?,
        since: Timestamp::from_millis(found.try_get("since")?),
    })
}
