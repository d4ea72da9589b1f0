//! People of whom the admin was told that they have too few hours left. Kept until they have enough
//! again, so that each shortage is one notice, whatever follows.

use sqlx::Row as _;

use super::column;
use super::{Store, StoreError};
use passerelle_model::id::{EventId, RowKey};
use passerelle_model::time::Timestamp;

/// Most shortages that are looked at together.
const MOST: i64 = 200;

impl Store {
    /// Notes a person's shortage, unless one is noted. Returns the event that it began with:
    /// whoever repeats this names the same notice.
    pub async fn begin_shortage(
        &self,
        person: RowKey,
        about: &str,
        event: &EventId,
        now: Timestamp,
    ) -> Result<EventId, StoreError> {
        sqlx::query(
            "INSERT INTO shortages (person, about, event, since) VALUES ($1, $2, $3, $4) ON CONFLICT (person, about) DO NOTHING",
        )
        .bind(person.to_string())
        .bind(about.to_owned())
        .bind(event.to_string())
        .bind(now.as_millis())
        .execute(&self.pool)
        .await?;
        let began: Option<String> = sqlx::query_scalar("SELECT event FROM shortages WHERE person = $1 AND about = $2")
            .bind(person.to_string())
            .bind(about.to_owned())
            .fetch_optional(&self.pool)
            .await?;
        match began {
            Some(began) => column::parsed("shortages.event", &began, EventId::parse),
            // Somebody has ended it this very moment.
            None => Ok(event.clone()),
        }
    }

    /// Ends a person's shortage. Says whether there was one.
    pub async fn end_shortage(&self, person: RowKey, about: &str) -> Result<bool, StoreError> {
        let ended = sqlx::query("DELETE FROM shortages WHERE person = $1 AND about = $2")
            .bind(person.to_string())
            .bind(about.to_owned())
            .execute(&self.pool)
            .await?;
        Ok(ended.rows_affected() > 0)
    }

    /// The people with a shortage, oldest first, at most 200.
    pub async fn shortages(&self, about: &str) -> Result<Vec<RowKey>, StoreError> {
        let found = sqlx::query("SELECT person FROM shortages WHERE about = $1 ORDER BY since, person LIMIT $2")
            .bind(about.to_owned())
            .bind(MOST)
            .fetch_all(&self.pool)
            .await?;
        let read = |row: &sqlx::any::AnyRow| column::parsed("shortages.person", row.try_get("person")?, str::parse);
        found.iter().map(read).collect()
    }
}
