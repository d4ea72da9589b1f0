//! Which pages are about to be created.
//!
//! A create whose answer was lost may have made a page. So the intention is stored before the first
//! create, and only the saved link removes it: an attempt that finds an earlier intent looks for
//! the page before it creates one.
//!
//! An intent has a token, which grows with each attempt. An attempt renews its intent right before
//! it sends the create; if a later attempt has come to this point, or has saved the link, the
//! renewal is refused ([`StoreError::Overtaken`]) and nothing is sent.

use sqlx::Row as _;

use super::column::{self, signed};
use super::pages::only_one;
use super::{Store, StoreError};
use passerelle_model::id::{RowKey, Slot};
use passerelle_model::time::Timestamp;

/// A recorded intention to create a page: if a worker dies in between, the next one looks before it
/// creates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// The row.
    pub row: RowKey,
    /// Which of its pages.
    pub slot: Slot,
    /// When the last create was about to be sent.
    pub started: Timestamp,
    /// Whether it existed before this call: then a page may exist already.
    pub existed: bool,
    /// Grows with each attempt that comes to this point; only the latest may send a create.
    pub token: i64,
}

impl Store {
    /// Records the intention to create a page, or joins the one that is already there with a token
    /// of its own. A start that lies ahead was written before a clock went back: it counts as now.
    pub async fn open_intent(&self, row: RowKey, slot: &Slot, now: Timestamp) -> Result<Intent, StoreError> {
        // To its end, past the one row: SQLite commits there, and there alone it says that it could not.
        let mut stored = sqlx::query(
            "INSERT INTO intents (table_id, row_id, slot, started, asked) VALUES ($1, $2, $3, $4, 1) \
             ON CONFLICT (table_id, row_id, slot) DO UPDATE SET asked = intents.asked + 1, \
             started = CASE WHEN intents.started > excluded.started THEN excluded.started ELSE intents.started END \
             RETURNING started, asked",
        )
        .bind(signed(row.table.get()))
        .bind(signed(row.row.get()))
        .bind(slot.as_str().to_owned())
        .bind(now.as_millis())
        .fetch_all(&self.pool)
        .await?;
        let stored = stored.pop().ok_or(sqlx::Error::RowNotFound)?;
        let token: i64 = stored.try_get("asked")?;
        Ok(Intent {
            row,
            slot: slot.clone(),
            started: Timestamp::from_millis(stored.try_get("started")?),
            existed: token > 1,
            token,
        })
    }

    /// The intention of a create that was about to be sent and whose link is not saved.
    pub async fn intent(&self, row: RowKey, slot: &Slot) -> Result<Option<Intent>, StoreError> {
        let found = sqlx::query("SELECT started, asked FROM intents WHERE table_id = $1 AND row_id = $2 AND slot = $3")
            .bind(signed(row.table.get()))
            .bind(signed(row.row.get()))
            .bind(slot.as_str().to_owned())
            .fetch_optional(&self.pool)
            .await?;
        let Some(found) = found else { return Ok(None) };
        Ok(Some(Intent {
            row,
            slot: slot.clone(),
            started: Timestamp::from_millis(found.try_get("started")?),
            existed: true,
            token: found.try_get("asked")?,
        }))
    }

    /// The same for each of a row's pages.
    pub async fn intents(&self, row: RowKey) -> Result<Vec<Intent>, StoreError> {
        let slots: Vec<String> =
            sqlx::query_scalar("SELECT slot FROM intents WHERE table_id = $1 AND row_id = $2 ORDER BY slot")
                .bind(signed(row.table.get()))
                .bind(signed(row.row.get()))
                .fetch_all(&self.pool)
                .await?;
        let mut intents = Vec::new();
        for slot in slots {
            let slot = column::parsed("intents.slot", &slot, Slot::parse)?;
            intents.extend(self.intent(row, &slot).await?);
        }
        Ok(intents)
    }

    /// Moves an intent to the present right before a create is sent, whose answer may be lost too.
    /// [`StoreError::Overtaken`] if a later attempt has its own token, or the intent is closed:
    /// then the create must not be sent.
    pub async fn renew_intent(&self, intent: &Intent, now: Timestamp) -> Result<(), StoreError> {
        let renewed = sqlx::query(
            "UPDATE intents SET started = $4 WHERE table_id = $1 AND row_id = $2 AND slot = $3 AND asked = $5",
        )
        .bind(signed(intent.row.table.get()))
        .bind(signed(intent.row.row.get()))
        .bind(intent.slot.as_str().to_owned())
        .bind(now.as_millis())
        .bind(intent.token)
        .execute(&self.pool)
        .await?;
        only_one(&renewed)
    }

    /// Removes an intent whose create was refused (no page can come of it), unless a later attempt
    /// has joined it.
    pub async fn close_intent(&self, intent: &Intent) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM intents WHERE table_id = $1 AND row_id = $2 AND slot = $3 AND asked = $4")
            .bind(signed(intent.row.table.get()))
            .bind(signed(intent.row.row.get()))
            .bind(intent.slot.as_str().to_owned())
            .bind(intent.token)
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}
