//! Which page belongs to which row, and which pages are about to be created.
//!
//! A create whose answer was lost may have made a page. So the intention is stored before the first create, and only the saved link
//! removes it: whoever finds an intent that was already there looks for the page before creating one.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::column::{self, signed, storable};
use super::{Store, StoreError};
use passerelle_model::id::{PageId, RowId, RowKey, Slot, TableId};
use passerelle_model::time::Timestamp;

/// The page of a row, and the state that was last written to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The row.
    pub row: RowKey,
    /// Which of its pages.
    pub slot: Slot,
    /// The page.
    pub page: PageId,
    /// Docmost's short id, for links that people use.
    pub slug_id: String,
    /// The space that it is in.
    pub space: String,
    /// Hash of the rendered state (title, icon, body) last written.
    pub content_hash: String,
    /// When it was last written.
    pub written: Timestamp,
}

/// A recorded intention to create a page: if a worker dies in between, the next one looks before it creates.
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
}

impl Store {
    /// The link of a row's slot.
    pub async fn link(&self, row: RowKey, slot: &Slot) -> Result<Option<Link>, StoreError> {
        let found = sqlx::query("SELECT * FROM links WHERE table_id = $1 AND row_id = $2 AND slot = $3")
            .bind(signed(row.table.get()))
            .bind(signed(row.row.get()))
            .bind(slot.as_str().to_owned())
            .fetch_optional(&self.pool)
            .await?;
        found.as_ref().map(read_link).transpose()
    }

    /// All pages of a row, by slot.
    pub async fn links(&self, row: RowKey) -> Result<Vec<Link>, StoreError> {
        let found = sqlx::query("SELECT * FROM links WHERE table_id = $1 AND row_id = $2 ORDER BY slot")
            .bind(signed(row.table.get()))
            .bind(signed(row.row.get()))
            .fetch_all(&self.pool)
            .await?;
        found.iter().map(read_link).collect()
    }

    /// The rows of a table that have, or had, a page in a slot: whose collection a linked row is in, when the row itself tells it no more.
    pub async fn rows_with_slot(&self, table: TableId, slot: &Slot) -> Result<Vec<RowId>, StoreError> {
        let found = sqlx::query("SELECT row_id FROM links WHERE table_id = $1 AND slot = $2 ORDER BY row_id")
            .bind(signed(table.get()))
            .bind(slot.as_str().to_owned())
            .fetch_all(&self.pool)
            .await?;
        let rows = found.iter();
        rows.map(|found| column::row(found.try_get("row_id")?)).collect()
    }

    /// Whose page this is; a page belongs to one row, unless somebody has tampered with the store.
    pub async fn links_of_page(&self, page: &PageId) -> Result<Vec<Link>, StoreError> {
        let found = sqlx::query("SELECT * FROM links WHERE page_id = $1")
            .bind(page.as_str().to_owned())
            .fetch_all(&self.pool)
            .await?;
        found.iter().map(read_link).collect()
    }

    /// Up to `count` links of a table's rows, those of rows after `after`, in the order of the rows. All links of the last row are among them
    /// only if fewer than `count` came back.
    pub async fn links_of_table(
        &self,
        table: TableId,
        after: Option<RowId>,
        count: u32,
    ) -> Result<Vec<Link>, StoreError> {
        let statement = "SELECT * FROM links WHERE table_id = $1 AND row_id > $2 ORDER BY row_id, slot LIMIT $3";
        let found = sqlx::query(statement)
            .bind(signed(table.get()))
            .bind(after.map_or(0, |row| signed(row.get())))
            .bind(i64::from(count))
            .fetch_all(&self.pool)
            .await?;
        found.iter().map(read_link).collect()
    }

    /// Saves a link (insert or replace) and closes the intent of the same slot, in one transaction.
    pub async fn save_link(&self, link: &Link) -> Result<(), StoreError> {
        self.pool.within(self.replace_link(link)).await
    }

    async fn replace_link(&self, link: &Link) -> Result<(), StoreError> {
        let mut transaction = self.pool.begin().await?;
        sqlx::query(
            "INSERT INTO links (table_id, row_id, slot, page_id, slug_id, space, content_hash, written) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
             ON CONFLICT (table_id, row_id, slot) DO UPDATE SET page_id = excluded.page_id, slug_id = excluded.slug_id, \
             space = excluded.space, content_hash = excluded.content_hash, written = excluded.written",
        )
        .bind(signed(link.row.table.get()))
        .bind(signed(link.row.row.get()))
        .bind(link.slot.as_str().to_owned())
        .bind(link.page.as_str().to_owned())
        .bind(storable(&link.slug_id))
        .bind(storable(&link.space))
        .bind(storable(&link.content_hash))
        .bind(link.written.as_millis())
        .execute(&mut *transaction)
        .await?;
        sqlx::query("DELETE FROM intents WHERE table_id = $1 AND row_id = $2 AND slot = $3")
            .bind(signed(link.row.table.get()))
            .bind(signed(link.row.row.get()))
            .bind(link.slot.as_str().to_owned())
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Forgets a link, e.g. when its page is gone for good. An intent of the slot stays.
    pub async fn forget_link(&self, row: RowKey, slot: &Slot) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM links WHERE table_id = $1 AND row_id = $2 AND slot = $3")
            .bind(signed(row.table.get()))
            .bind(signed(row.row.get()))
            .bind(slot.as_str().to_owned())
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Records the intention to create a page, or returns the one that is already there.
    pub async fn open_intent(&self, row: RowKey, slot: &Slot, now: Timestamp) -> Result<Intent, StoreError> {
        let stored = sqlx::query(
            "INSERT INTO intents (table_id, row_id, slot, started, asked) VALUES ($1, $2, $3, $4, 1) \
             ON CONFLICT (table_id, row_id, slot) DO UPDATE SET asked = intents.asked + 1 RETURNING started, asked",
        )
        .bind(signed(row.table.get()))
        .bind(signed(row.row.get()))
        .bind(slot.as_str().to_owned())
        .bind(now.as_millis())
        .fetch_one(&self.pool)
        .await?;
        Ok(Intent {
            row,
            slot: slot.clone(),
            started: Timestamp::from_millis(stored.try_get("started")?),
            existed: stored.try_get::<i64, _>("asked")? > 1,
        })
    }

    /// Whether a create was about to be sent whose link is not saved.
    pub async fn has_intent(&self, row: RowKey, slot: &Slot) -> Result<bool, StoreError> {
        let statement = "SELECT count(*) FROM intents WHERE table_id = $1 AND row_id = $2 AND slot = $3";
        let found: i64 = sqlx::query_scalar(statement)
            .bind(signed(row.table.get()))
            .bind(signed(row.row.get()))
            .bind(slot.as_str().to_owned())
            .fetch_one(&self.pool)
            .await?;
        Ok(found > 0)
    }

    /// Moves an intent to the present: another create is about to be sent, and its answer may be lost too.
    pub async fn renew_intent(&self, row: RowKey, slot: &Slot, now: Timestamp) -> Result<(), StoreError> {
        sqlx::query("UPDATE intents SET started = $4 WHERE table_id = $1 AND row_id = $2 AND slot = $3")
            .bind(signed(row.table.get()))
            .bind(signed(row.row.get()))
            .bind(slot.as_str().to_owned())
            .bind(now.as_millis())
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Removes an intent whose create was refused: no page can come of it.
    pub async fn close_intent(&self, row: RowKey, slot: &Slot) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM intents WHERE table_id = $1 AND row_id = $2 AND slot = $3")
            .bind(signed(row.table.get()))
            .bind(signed(row.row.get()))
            .bind(slot.as_str().to_owned())
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}

fn read_link(row: &AnyRow) -> Result<Link, StoreError> {
    let table = column::table(row.try_get("table_id")?)?;
    let row_id = column::row(row.try_get("row_id")?)?;
    Ok(Link {
        row: RowKey { table, row: row_id },
        slot: column::parsed("links.slot", row.try_get("slot")?, Slot::parse)?,
        page: column::parsed("links.page_id", row.try_get("page_id")?, PageId::parse)?,
        slug_id: row.try_get("slug_id")?,
        space: row.try_get("space")?,
        content_hash: row.try_get("content_hash")?,
        written: Timestamp::from_millis(row.try_get("written")?),
    })
}
