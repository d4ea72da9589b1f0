//! What came from the wiki: rows that were made for pages, and the shares that are known.

use sqlx::Row as _;

use super::column::{self, signed, storable};
use super::{Store, StoreError};
use passerelle_model::id::{PageId, RowId, TableId};
use passerelle_model::time::Timestamp;

/// The row of a wiki page in one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRow {
    /// The row; `None` from before a create is sent until its outcome is known.
    pub row: Option<RowId>,
    /// Hash of the fields last written; empty before the first.
    pub content_hash: String,
    /// When the last create was about to be sent.
    pub started: Timestamp,
}

impl Store {
    /// The row of a page in a table, or the intention to make one.
    pub async fn page_row(&self, page: &PageId, table: TableId) -> Result<Option<PageRow>, StoreError> {
        let statement = "SELECT row_id, content_hash, started FROM page_rows WHERE page_id = $1 AND table_id = $2";
        let found = sqlx::query(statement)
            .bind(page.as_str().to_owned())
            .bind(signed(table.get()))
            .fetch_optional(&self.pool)
            .await?;
        let Some(found) = found else { return Ok(None) };
        Ok(Some(PageRow {
            row: found
                .try_get::<Option<i64>, _>("row_id")?
                .map(column::row)
                .transpose()?,
            content_hash: found.try_get("content_hash")?,
            started: Timestamp::from_millis(found.try_get("started")?),
        }))
    }

    /// Records that a row is about to be created for a page; moves an earlier intention to the
    /// present. A row that is known stays.
    pub async fn intend_page_row(&self, page: &PageId, table: TableId, now: Timestamp) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO page_rows (page_id, table_id, row_id, content_hash, started) VALUES ($1, $2, NULL, '', $3) \
             ON CONFLICT (page_id, table_id) DO UPDATE SET started = excluded.started",
        )
        .bind(page.as_str().to_owned())
        .bind(signed(table.get()))
        .bind(now.as_millis())
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Forgets an intention whose create was refused: no row can come of it.
    pub async fn abandon_page_row(&self, page: &PageId, table: TableId) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM page_rows WHERE page_id = $1 AND table_id = $2 AND row_id IS NULL")
            .bind(page.as_str().to_owned())
            .bind(signed(table.get()))
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Saves the row of a page and what was written to it; the intention keeps its time.
    pub async fn save_page_row(&self, page: &PageId, table: TableId, row: &PageRow) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO page_rows (page_id, table_id, row_id, content_hash, started) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (page_id, table_id) DO UPDATE SET row_id = excluded.row_id, content_hash = excluded.content_hash",
        )
        .bind(page.as_str().to_owned())
        .bind(signed(table.get()))
        .bind(row.row.map(|row| signed(row.get())))
        .bind(storable(&row.content_hash))
        .bind(row.started.as_millis())
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Whether a share is known: reported, or there before the bridge first looked.
    pub async fn knows_share(&self, share: &str) -> Result<bool, StoreError> {
        let found: i64 = sqlx::query_scalar("SELECT count(*) FROM known_shares WHERE share_id = $1")
            .bind(share.to_owned())
            .fetch_one(&self.pool)
            .await?;
        Ok(found > 0)
    }

    /// Remembers a share; `reported` says whether there was a notice of it. One that is known stays
    /// as it is.
    pub async fn know_share(&self, share: &str, page: &str, seen: Timestamp, reported: bool) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO known_shares (share_id, page_id, seen, reported) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (share_id) DO NOTHING",
        )
        .bind(storable(share))
        .bind(storable(page))
        .bind(seen.as_millis())
        .bind(reported.then(|| seen.as_millis()))
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}
