//! Which bridge this is: two bridges on one wiki must know their pages apart.

use sqlx::Row as _;

use super::{Store, StoreError};

/// This bridge, as its store knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bridge {
    /// The word in the marks of its pages.
    pub instance: String,
    /// Whether an earlier version has left pages, whose marks do not have that word yet.
    pub has_older_marks: bool,
}

impl Store {
    /// This bridge. `proposed` becomes its word if it has none yet; of several workers that propose
    /// one, the first wins.
    pub async fn bridge(&self, proposed: &str) -> Result<Bridge, StoreError> {
        sqlx::query("UPDATE bridge SET instance = $1 WHERE id = 1 AND instance = ''")
            .bind(proposed.to_owned())
            .execute(&self.pool)
            .await?;
        self.known_bridge().await
    }

    /// This bridge, as it is known; its word is empty before a worker has given it one.
    pub async fn known_bridge(&self) -> Result<Bridge, StoreError> {
        let found = sqlx::query("SELECT instance, marked_before FROM bridge WHERE id = 1")
            .fetch_one(&self.pool)
            .await?;
        let marked_before: i64 = found.try_get("marked_before")?;
        Ok(Bridge {
            instance: found.try_get("instance")?,
            has_older_marks: marked_before > 0,
        })
    }
}
