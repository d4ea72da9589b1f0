//! Which page belongs to which row.
//!
//! Two attempts at one row may overlap: a worker that has lost Redis does not know that its lease
//! is over. So a link has a version, and only who has read the latest may write the next: the other
//! attempt is refused ([`StoreError::Overtaken`]) and reads again.

use sqlx::Row as _;
use sqlx::any::{AnyQueryResult, AnyRow};

use super::column::{self, signed, storable};
use super::{LinkState, Store, StoreError};
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
    /// What is known of the page's state.
    pub state: LinkState,
    /// When it was last written.
    pub written: Timestamp,
    /// When the page was changed last, in Docmost's words, as of the last time that its text was
    /// known to be as it should be; `None`: not known.
    pub as_of: Option<String>,
    /// How often it was written; 0: it is not stored yet. Only who has read the latest version may
    /// write the next one.
    pub version: i64,
}

/// Columns are named: an upgrade adds some while this program runs, and its prepared statements go
/// on.
macro_rules! select_links {
    ($rest:literal) => {
        concat!(
            "SELECT table_id, row_id, slot, page_id, slug_id, space, content_hash, written, as_of, version FROM links ",
            $rest
        )
    };
}

pub(super) use select_links;

impl Store {
    /// The link of a row's slot.
    pub async fn link(&self, row: RowKey, slot: &Slot) -> Result<Option<Link>, StoreError> {
        let found = sqlx::query(select_links!("WHERE table_id = $1 AND row_id = $2 AND slot = $3"))
            .bind(signed(row.table.get()))
            .bind(signed(row.row.get()))
            .bind(slot.as_str().to_owned())
            .fetch_optional(&self.pool)
            .await?;
        found.as_ref().map(read_link).transpose()
    }

    /// All pages of a row, by slot.
    pub async fn links(&self, row: RowKey) -> Result<Vec<Link>, StoreError> {
        let found = sqlx::query(select_links!("WHERE table_id = $1 AND row_id = $2 ORDER BY slot"))
            .bind(signed(row.table.get()))
            .bind(signed(row.row.get()))
            .fetch_all(&self.pool)
            .await?;
        found.iter().map(read_link).collect()
    }

    /// The rows of a table that have, or had, a page in a slot: whose collection a linked row is
    /// in, when the row itself no longer names it.
    pub async fn rows_with_slot(&self, table: TableId, slot: &Slot) -> Result<Vec<RowId>, StoreError> {
        let found = sqlx::query("SELECT row_id FROM links WHERE table_id = $1 AND slot = $2 ORDER BY row_id")
            .bind(signed(table.get()))
            .bind(slot.as_str().to_owned())
            .fetch_all(&self.pool)
            .await?;
        let rows = found.iter();
        rows.map(|found| column::row(found.try_get("row_id")?)).collect()
    }

    /// Whose page this is; a page belongs to one row, unless the store was changed by hand.
    pub async fn links_of_page(&self, page: &PageId) -> Result<Vec<Link>, StoreError> {
        let found = sqlx::query(select_links!("WHERE page_id = $1"))
            .bind(page.as_str().to_owned())
            .fetch_all(&self.pool)
            .await?;
        found.iter().map(read_link).collect()
    }

    /// Whose page has this short id, as it stands in the addresses that people use.
    pub async fn links_of_slug(&self, slug_id: &str) -> Result<Vec<Link>, StoreError> {
        let found = sqlx::query(select_links!("WHERE slug_id = $1"))
            .bind(storable(slug_id))
            .fetch_all(&self.pool)
            .await?;
        found.iter().map(read_link).collect()
    }

    /// Up to `count` links of a table's rows, those of rows after `after`, in the order of the
    /// rows. All links of the last row are among them only if fewer than `count` came back.
    pub async fn links_of_table(
        &self,
        table: TableId,
        after: Option<RowId>,
        count: u32,
    ) -> Result<Vec<Link>, StoreError> {
        let statement = select_links!("WHERE table_id = $1 AND row_id > $2 ORDER BY row_id, slot LIMIT $3");
        let found = sqlx::query(statement)
            .bind(signed(table.get()))
            .bind(after.map_or(0, |row| signed(row.get())))
            .bind(i64::from(count))
            .fetch_all(&self.pool)
            .await?;
        found.iter().map(read_link).collect()
    }

    /// Saves a link and closes the intent of the same slot, in one transaction; returns it with its
    /// new version. [`StoreError::Overtaken`] if another attempt has saved or forgotten it since it
    /// was read.
    pub async fn save_link(&self, link: &Link) -> Result<Link, StoreError> {
        self.pool.within(self.replace_link(link)).await?;
        Ok(Link {
            version: link.version + 1,
            ..link.clone()
        })
    }

    async fn replace_link(&self, link: &Link) -> Result<(), StoreError> {
        let statement = if link.version == 0 {
            "INSERT INTO links (table_id, row_id, slot, page_id, slug_id, space, content_hash, written, version, as_of) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9 + 1, $10) ON CONFLICT (table_id, row_id, slot) DO NOTHING"
        } else {
            "UPDATE links SET page_id = $4, slug_id = $5, space = $6, content_hash = $7, written = $8, version = $9 + 1, \
             as_of = $10 WHERE table_id = $1 AND row_id = $2 AND slot = $3 AND version = $9"
        };
        let mut transaction = self.pool.begin().await?;
        let saved = sqlx::query(statement)
            .bind(signed(link.row.table.get()))
            .bind(signed(link.row.row.get()))
            .bind(link.slot.as_str().to_owned())
            .bind(link.page.as_str().to_owned())
            .bind(storable(&link.slug_id))
            .bind(storable(&link.space))
            .bind(storable(link.state.as_str()))
            .bind(link.written.as_millis())
            .bind(link.version)
            .bind(link.as_of.as_deref().map(storable))
            .execute(&mut *transaction)
            .await?;
        only_one(&saved)?;
        sqlx::query("DELETE FROM intents WHERE table_id = $1 AND row_id = $2 AND slot = $3")
            .bind(signed(link.row.table.get()))
            .bind(signed(link.row.row.get()))
            .bind(link.slot.as_str().to_owned())
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Replaces what is known of a linked page's state, unless the link was written since it was
    /// read.
    pub async fn restate_link(&self, link: &Link, state: &LinkState) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE links SET content_hash = $5, version = version + 1 \
             WHERE table_id = $1 AND row_id = $2 AND slot = $3 AND version = $4",
        )
        .bind(signed(link.row.table.get()))
        .bind(signed(link.row.row.get()))
        .bind(link.slot.as_str().to_owned())
        .bind(link.version)
        .bind(storable(state.as_str()))
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Keeps as of when the text of a linked page is known to be as it should be, unless the link
    /// was written since it was read.
    pub async fn note_as_of(&self, link: &Link, as_of: &str) -> Result<(), StoreError> {
        sqlx::query("UPDATE links SET as_of = $5 WHERE table_id = $1 AND row_id = $2 AND slot = $3 AND version = $4")
            .bind(signed(link.row.table.get()))
            .bind(signed(link.row.row.get()))
            .bind(link.slot.as_str().to_owned())
            .bind(link.version)
            .bind(storable(as_of))
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Forgets a link, e.g. when its page is gone for good, unless it was written since it was
    /// read. An intent of the slot stays.
    pub async fn forget_link(&self, link: &Link) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM links WHERE table_id = $1 AND row_id = $2 AND slot = $3 AND version = $4")
            .bind(signed(link.row.table.get()))
            .bind(signed(link.row.row.get()))
            .bind(link.slot.as_str().to_owned())
            .bind(link.version)
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}

/// An update of one row that must be there as it was read.
pub(super) fn only_one(changed: &AnyQueryResult) -> Result<(), StoreError> {
    if changed.rows_affected() == 1 {
        Ok(())
    } else {
        Err(StoreError::Overtaken)
    }
}

pub(super) fn read_link(row: &AnyRow) -> Result<Link, StoreError> {
    let table = column::table(row.try_get("table_id")?)?;
    let row_id = column::row(row.try_get("row_id")?)?;
    Ok(Link {
        row: RowKey { table, row: row_id },
        slot: column::parsed("links.slot", row.try_get("slot")?, Slot::parse)?,
        page: column::parsed("links.page_id", row.try_get("page_id")?, PageId::parse)?,
        slug_id: row.try_get("slug_id")?,
        space: row.try_get("space")?,
        state: LinkState::parse(row.try_get("content_hash")?),
        written: Timestamp::from_millis(row.try_get("written")?),
        as_of: row.try_get("as_of")?,
        version: row.try_get("version")?,
    })
}
