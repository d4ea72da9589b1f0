//! Connecting to the store and bringing its schema up to date.

use std::path::Path;
use std::time::Duration;

use secrecy::ExposeSecret as _;
use sqlx::any::AnyPoolOptions;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _, Executor as _};
use tokio::time::timeout;

use super::StoreError;
use super::bounded_pool::BoundedPool;
use passerelle_model::config::{StoreSettings, shown_url};

static MIGRATIONS: Migrator = sqlx::migrate!("../../migrations");

/// Connections per process: the ledger writer, and a few workers that save links.
const CONNECTIONS: u32 = 8;
/// How long a call waits for a free connection.
const CONNECTION_WAIT: Duration = Duration::from_secs(10);

/// WAL lets readers and the one writer work at once; `synchronous` is FULL because the stream forgets what the store has taken:
/// a committed batch must survive a power cut.
const SQLITE_SETTINGS: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 10000; \
     PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY;";

/// The store: SQLite or PostgreSQL, by URL. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    pub(super) pool: BoundedPool,
}

impl Store {
    /// Connects and brings the schema up to date. A SQLite file is created with its folder.
    pub async fn open(settings: &StoreSettings) -> Result<Self, StoreError> {
        sqlx::any::install_default_drivers();
        let url = settings.url.expose_secret();
        let pool = match sqlite_file(url) {
            Some(file) => open_sqlite(url, file, settings.timeout).await,
            None => open_postgres(url, settings.timeout).await,
        }?;
        let store = Self { pool };
        store.migrate().await?;
        Ok(store)
    }

    /// Whether the database answers: the readiness check.
    pub async fn check(&self) -> Result<(), StoreError> {
        self.pool.execute("SELECT position FROM ledger_position").await?;
        Ok(())
    }

    /// Whether the database can be written: changes nothing.
    pub async fn check_write(&self) -> Result<(), StoreError> {
        self.pool
            .execute("UPDATE ledger_position SET position = position")
            .await?;
        Ok(())
    }

    /// Programs that start at the same moment on a fresh SQLite file race for the schema; the losers look again. Who loses has seen another
    /// program make a step, so nobody loses more often than there are steps.
    async fn migrate(&self) -> Result<(), StoreError> {
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

/// PostgreSQL's migrations take a lock; SQLite's do not, and a second program may find a table that was not there a moment ago.
fn may_be_a_race(error: &MigrateError) -> bool {
    matches!(error, MigrateError::Execute(_) | MigrateError::ExecuteMigration(..))
}

async fn open_postgres(url: &str, limit: Duration) -> Result<BoundedPool, StoreError> {
    let hint = "Is PostgreSQL running, and is DATABASE_URL right (postgres://user:password@host/database)? \
                Special characters in the password must be percent-encoded: ? as %3F, @ as %40, / as %2F, # as %23";
    let not_opened = |source| not_opened(url, source, hint);
    // A pool tries a refused connection again and again until its time is up, and forgets why. The first connection says it at once.
    let first = async { AnyConnection::connect(url).await?.close().await };
    let in_time = timeout(limit, first).await;
    in_time.unwrap_or(Err(sqlx::Error::PoolTimedOut)).map_err(not_opened)?;
    let options = options(limit).after_connect(move |connection, _| {
        Box::pin(async move {
            // What we have given up waiting for shall not pile up in the server, behind a lock for example.
            let limited = format!("SET statement_timeout = {}", limit.as_millis());
            connection.execute(AssertSqlSafe(limited)).await?;
            Ok(())
        })
    });
    BoundedPool::connect(options, url, limit).await.map_err(not_opened)
}

fn options(limit: Duration) -> AnyPoolOptions {
    AnyPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(CONNECTION_WAIT.min(limit))
}

async fn open_sqlite(url: &str, file: &str, limit: Duration) -> Result<BoundedPool, StoreError> {
    let hint = "Is its folder writable, and is DATABASE_URL right (sqlite://path/to/file.sqlite)?";
    if let Some(folder) = Path::new(file).parent() {
        std::fs::create_dir_all(folder).map_err(|error| not_opened(url, error.into(), hint))?;
    }
    let separator = if url.contains('?') { '&' } else { '?' };
    let created = if url.contains("mode=") {
        url.to_owned()
    } else {
        format!("{url}{separator}mode=rwc")
    };
    let options = options(limit).after_connect(|connection, _| {
        Box::pin(async move {
            connection.execute(SQLITE_SETTINGS).await?;
            Ok(())
        })
    });
    BoundedPool::connect(options, &created, limit)
        .await
        .map_err(|source| not_opened(url, source, hint))
}

/// The path of a `sqlite:` URL.
fn sqlite_file(url: &str) -> Option<&str> {
    let rest = url.strip_prefix("sqlite:")?;
    let path = rest.strip_prefix("//").unwrap_or(rest);
    path.split('?').next()
}

fn not_opened(url: &str, source: sqlx::Error, hint: &'static str) -> StoreError {
    StoreError::Open {
        place: shown_url(url),
        source,
        hint,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_of_a_sqlite_url_is_found_in_every_spelling() {
        assert_eq!(sqlite_file("sqlite://data/a.sqlite?mode=ro"), Some("data/a.sqlite"));
        assert_eq!(sqlite_file("sqlite:///var/lib/a.sqlite"), Some("/var/lib/a.sqlite"));
        assert_eq!(sqlite_file("sqlite:a.sqlite"), Some("a.sqlite"));
        assert_eq!(sqlite_file("postgres://host/a"), None);
    }
}
