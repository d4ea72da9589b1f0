//! The pages below which pages of rows stand, and where the pages of rows were put.

use passerelle_model::id::PageId;
use passerelle_model::time::Timestamp;
use sqlx::Row as _;

use super::column::storable;
use super::{Store, StoreError};

/// How far a group page is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Group {
    /// It exists.
    Made(PageId),
    /// Whoever asked is the one to make it.
    Ours,
    /// Somebody else is making it.
    BeingMade {
        /// Since when.
        started: Timestamp,
    },
}

impl Store {
    /// The group page of a space with this title, if it exists.
    pub async fn group(&self, space: &str, title: &str) -> Result<Option<PageId>, StoreError> {
        Ok(match self.stored_group(space, title).await? {
            Some(Group::Made(page)) => Some(page),
            _ => None,
        })
    }

    /// The same; of several who ask for one that does not exist, one is to make it.
    pub async fn begin_group(&self, space: &str, title: &str, now: Timestamp) -> Result<Group, StoreError> {
        let begun = sqlx::query(
            "INSERT INTO groups_of_pages (space_id, title, started) VALUES ($1, $2, $3) \
             ON CONFLICT (space_id, title) DO NOTHING",
        )
        .bind(storable(space))
        .bind(storable(title))
        .bind(now.as_millis())
        .execute(&self.pool)
        .await?;
        if begun.rows_affected() == 1 {
            return Ok(Group::Ours);
        }
        let stored = self.stored_group(space, title).await?;
        // It was given up between the two statements.
        Ok(stored.unwrap_or(Group::BeingMade { started: now }))
    }

    /// Takes over a group page that somebody began to make at `started`; says whether that worked.
    pub async fn take_over_group(
        &self,
        space: &str,
        title: &str,
        started: Timestamp,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let taken = sqlx::query(
            "UPDATE groups_of_pages SET started = $1 \
             WHERE space_id = $2 AND title = $3 AND started = $4 AND page_id IS NULL",
        )
        .bind(now.as_millis())
        .bind(storable(space))
        .bind(storable(title))
        .bind(started.as_millis())
        .execute(&self.pool)
        .await?;
        Ok(taken.rows_affected() == 1)
    }

    /// The create of a group page is sent only now.
    pub async fn renew_group(&self, space: &str, title: &str, now: Timestamp) -> Result<(), StoreError> {
        sqlx::query("UPDATE groups_of_pages SET started = $1 WHERE space_id = $2 AND title = $3 AND page_id IS NULL")
            .bind(now.as_millis())
            .bind(storable(space))
            .bind(storable(title))
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Keeps the page that was made.
    pub async fn save_group(&self, space: &str, title: &str, page: &PageId) -> Result<(), StoreError> {
        sqlx::query("UPDATE groups_of_pages SET page_id = $1 WHERE space_id = $2 AND title = $3")
            .bind(page.as_str().to_owned())
            .bind(storable(space))
            .bind(storable(title))
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Forgets a group page: it was not made, or does not exist any more.
    pub async fn forget_group(&self, space: &str, title: &str) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM groups_of_pages WHERE space_id = $1 AND title = $2")
            .bind(storable(space))
            .bind(storable(title))
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Whether pages of rows stand below this page because the bridge has made it for them.
    pub async fn is_group(&self, page: &PageId) -> Result<bool, StoreError> {
        let found = sqlx::query("SELECT title FROM groups_of_pages WHERE page_id = $1")
            .bind(page.as_str().to_owned())
            .fetch_optional(&self.pool)
            .await?;
        Ok(found.is_some())
    }

    /// Below which page the bridge has put this one last; `None` for the top of its space.
    pub async fn place_of(&self, page: &PageId) -> Result<Option<PageId>, StoreError> {
        let found = sqlx::query("SELECT parent_id FROM places WHERE page_id = $1")
            .bind(page.as_str().to_owned())
            .fetch_optional(&self.pool)
            .await?;
        let parent: Option<String> = match found {
            Some(found) => found.try_get("parent_id")?,
            None => None,
        };
        Ok(parent.and_then(|parent| PageId::parse(&parent).ok()))
    }

    /// Keeps below which page this one was put.
    pub async fn save_place(&self, page: &PageId, parent: Option<&PageId>) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO places (page_id, parent_id) VALUES ($1, $2) \
             ON CONFLICT (page_id) DO UPDATE SET parent_id = excluded.parent_id",
        )
        .bind(page.as_str().to_owned())
        .bind(parent.map(|parent| parent.as_str().to_owned()))
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    async fn stored_group(&self, space: &str, title: &str) -> Result<Option<Group>, StoreError> {
        let found = sqlx::query("SELECT page_id, started FROM groups_of_pages WHERE space_id = $1 AND title = $2")
            .bind(storable(space))
            .bind(storable(title))
            .fetch_optional(&self.pool)
            .await?;
        let Some(found) = found else { return Ok(None) };
        let page: Option<String> = found.try_get("page_id")?;
        let started: i64 = found.try_get("started")?;
        Ok(Some(match page.and_then(|page| PageId::parse(&page).ok()) {
            Some(page) => Group::Made(page),
            None => Group::BeingMade {
                started: Timestamp::from_millis(started),
            },
        }))
    }
}
