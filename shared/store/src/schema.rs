//! Bringing the schema up to date, and saying how it compares with this program's.

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{Executor as _, Row as _};

use super::{Store, StoreError};

static MIGRATIONS: Migrator = sqlx::migrate!("../../migrations");

/// How the schema compares with the one that this program knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schema {
    /// It is the same.
    Current,
    /// A worker brings it up to date when it starts.
    Older,
    /// Another version of the programs has written it.
    Foreign,
    /// The database is empty.
    Missing,
}

impl Store {
    /// How the schema compares with this program's. Changes nothing, so it works on a read-only
    /// database too.
    pub async fn schema(&self) -> Result<Schema, StoreError> {
        let statement = "SELECT version, checksum FROM _sqlx_migrations ORDER BY version";
        let found = match sqlx::query(statement).fetch_all(&self.pool).await {
            Ok(found) => found,
            Err(error) if is_no_such_table(&error) => return Ok(Schema::Missing),
            Err(error) => return Err(error.into()),
        };
        let (mut stored, mut known) = (found.iter(), MIGRATIONS.iter());
        loop {
            let (stored, known) = match (stored.next(), known.next()) {
                (None, None) => return Ok(Schema::Current),
                (None, Some(_)) => return Ok(Schema::Older),
                (Some(_), None) => return Ok(Schema::Foreign),
                (Some(stored), Some(known)) => (stored, known),
            };
            let checksum: Vec<u8> = stored.try_get("checksum")?;
            if stored.try_get::<i64, _>("version")? != known.version || checksum != *known.checksum {
                return Ok(Schema::Foreign);
            }
        }
    }

    /// Programs that start at the same moment on a fresh SQLite file race for the schema; the
    /// losers look again. Who loses has seen another program make a step, so no program loses more
    /// often than there are steps.
    pub(super) async fn migrate(&self) -> Result<(), StoreError> {
        if matches!(self.schema().await, Ok(Schema::Current)) {
            return Ok(());
        }
        for _step in MIGRATIONS.iter() {
            match self.migrate_once().await {
                Ok(()) => return Ok(()),
                Err(error) if !may_be_a_race(&error) => return Err(StoreError::Schema(error)),
                Err(error) => tracing::debug!(%error, "another program may have been faster"),
            }
        }
        self.migrate_once().await.map_err(StoreError::Schema)
    }

    /// On a connection of its own: changing a large table may take longer than any other statement.
    async fn migrate_once(&self) -> Result<(), MigrateError> {
        let mut connection = self.pool.unbounded.acquire().await?;
        if connection.backend_name() == "PostgreSQL" {
            connection.execute("SET statement_timeout = 0").await?;
        }
        let result = MIGRATIONS.run(&mut *connection).await;
        connection.close_on_drop();
        result
    }
}

/// PostgreSQL's migrations take a lock; SQLite's do not, and a second program may find a table that
/// was not there a moment ago.
fn may_be_a_race(error: &MigrateError) -> bool {
    matches!(error, MigrateError::Execute(_) | MigrateError::ExecuteMigration(..))
}

fn is_no_such_table(error: &sqlx::Error) -> bool {
    /// PostgreSQL's code; SQLite has none of its own for it.
    const UNDEFINED_TABLE: &str = "42P01";
    let Some(error) = error.as_database_error() else {
        return false;
    };
    error.code().as_deref() == Some(UNDEFINED_TABLE) || error.message().contains("no such table")
}
