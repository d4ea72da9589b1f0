//! What is known of the sections of pages that follow their rows.

use passerelle_model::id::PageId;
use passerelle_model::time::Timestamp;
use sqlx::Row as _;

use super::column::storable;
use super::{Store, StoreError};

/// The section of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSection {
    /// Its page.
    pub page: PageId,
    /// The id of its block.
    pub block: String,
    /// The fingerprint of what it was last seen to say.
    pub fingerprint: String,
    /// When it was first seen that people had taken it away; `None`: it is there.
    pub taken: Option<Timestamp>,
}

impl Store {
    /// What is known of the section of a page; `None` if it never had one.
    pub async fn section(&self, page: &PageId) -> Result<Option<StoredSection>, StoreError> {
        let found = sqlx::query("SELECT block_id, fingerprint, taken FROM sections WHERE page_id = $1")
            .bind(page.as_str().to_owned())
            .fetch_optional(&self.pool)
            .await?;
        let Some(found) = found else {
            return Ok(None);
        };
        let taken: Option<i64> = found.try_get("taken")?;
        Ok(Some(StoredSection {
            page: page.clone(),
            block: found.try_get("block_id")?,
            fingerprint: found.try_get("fingerprint")?,
            taken: taken.map(Timestamp::from_millis),
        }))
    }

    /// Keeps what is known of the section of a page, in place of what was.
    pub async fn save_section(&self, section: &StoredSection) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO sections (page_id, block_id, fingerprint, taken) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (page_id) DO UPDATE SET block_id = excluded.block_id, fingerprint = excluded.fingerprint, \
             taken = excluded.taken",
        )
        .bind(section.page.as_str().to_owned())
        .bind(storable(&section.block))
        .bind(section.fingerprint.clone())
        .bind(section.taken.map(Timestamp::as_millis))
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}
