//! What the names in `bridge.toml` meant when they were first looked up. People rename tables,
//! fields and spaces; ids stay.

use sqlx::Row as _;

use super::column::{signed, storable};
use super::{Store, StoreError};
use passerelle_model::id::TableId;

/// What has a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Named {
    /// A table.
    Table,
    /// A field of this table.
    Field(TableId),
    /// A space of the wiki.
    Space,
}

impl Named {
    /// The stored word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Field(_) => "field",
            Self::Space => "space",
        }
    }

    fn scope(self) -> i64 {
        match self {
            Self::Field(table) => signed(table.get()),
            Self::Table | Self::Space => 0,
        }
    }
}

impl Store {
    /// The id that a name meant; `None` if it was never looked up.
    pub async fn meaning(&self, named: Named, name: &str) -> Result<Option<String>, StoreError> {
        let found = sqlx::query_scalar("SELECT meant FROM known_names WHERE kind = $1 AND scope = $2 AND name = $3")
            .bind(named.as_str().to_owned())
            .bind(named.scope())
            .bind(storable(name))
            .fetch_optional(&self.pool)
            .await?;
        Ok(found)
    }

    /// All names of a kind with their ids.
    pub async fn meanings(&self, named: Named) -> Result<Vec<(String, String)>, StoreError> {
        let found = sqlx::query("SELECT name, meant FROM known_names WHERE kind = $1 AND scope = $2 ORDER BY name")
            .bind(named.as_str().to_owned())
            .bind(named.scope())
            .fetch_all(&self.pool)
            .await?;
        let pairs = found.iter();
        pairs
            .map(|pair| Ok((pair.try_get("name")?, pair.try_get("meant")?)))
            .collect()
    }

    /// Remembers what names mean, in one transaction; a name that is known gets the new meaning.
    pub async fn remember_names(&self, named: Named, pairs: &[(String, String)]) -> Result<(), StoreError> {
        self.pool.within(self.write_names(named, pairs)).await
    }

    async fn write_names(&self, named: Named, pairs: &[(String, String)]) -> Result<(), StoreError> {
        let mut transaction = self.pool.begin().await?;
        // In one order, so that two workers do not wait for each other.
        let mut sorted: Vec<_> = pairs.iter().collect();
        sorted.sort_unstable();
        for (name, meant) in sorted {
            sqlx::query(
                "INSERT INTO known_names (kind, scope, name, meant) VALUES ($1, $2, $3, $4) \
                 ON CONFLICT (kind, scope, name) DO UPDATE SET meant = excluded.meant",
            )
            .bind(named.as_str().to_owned())
            .bind(named.scope())
            .bind(storable(name))
            .bind(storable(meant))
            .execute(&mut *transaction)
            .await?;
        }
        transaction.commit().await?;
        Ok(())
    }
}
