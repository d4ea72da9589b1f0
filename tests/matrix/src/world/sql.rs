//! The database of a world, and what is done to it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqliteConnection};
use test_support::TestPostgres;

use crate::schedule::Database;

/// The database of a world.
#[derive(Debug)]
pub(crate) enum Sql {
    Sqlite(PathBuf),
    Postgres(Arc<TestPostgres>),
}

impl Sql {
    pub(crate) async fn start(database: Database, folder: &Path) -> anyhow::Result<Self> {
        Ok(match database {
            Database::Sqlite => Self::Sqlite(folder.join("store.sqlite")),
            Database::Postgres => {
                let server = tokio::task::spawn_blocking(TestPostgres::start).await??;
                Self::Postgres(Arc::new(server))
            }
        })
    }

    /// Its URL, without any line between.
    pub(crate) fn url(&self) -> String {
        match self {
            Self::Sqlite(file) => format!("sqlite://{}", file.display()),
            Self::Postgres(server) => server.url(),
        }
    }

    /// Its port; any if it is a file.
    pub(crate) fn port(&self) -> u16 {
        match self {
            Self::Sqlite(_) => 1,
            Self::Postgres(server) => server.port(),
        }
    }

    /// Somebody else has the lock of everything for so long.
    pub(crate) async fn lock_for(&self, time: Duration) -> anyhow::Result<()> {
        match self {
            Self::Sqlite(file) => {
                let mut connection = SqliteConnection::connect(&format!("sqlite://{}", file.display())).await?;
                // Waits like everybody for its turn.
                sqlx::query("PRAGMA busy_timeout = 5000")
                    .execute(&mut connection)
                    .await?;
                sqlx::query("BEGIN IMMEDIATE").execute(&mut connection).await?;
                tokio::time::sleep(time).await;
                sqlx::query("ROLLBACK").execute(&mut connection).await?;
            }
            Self::Postgres(server) => {
                let mut connection = PgConnection::connect(&server.url()).await?;
                let tables: Vec<(String,)> =
                    sqlx::query_as("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'")
                        .fetch_all(&mut connection)
                        .await?;
                let tables: Vec<String> = tables.into_iter().map(|(name,)| name).collect();
                let lock = format!("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE", tables.join(", "));
                loop {
                    sqlx::query("BEGIN").execute(&mut connection).await?;
                    match sqlx::query(AssertSqlSafe(lock.clone())).execute(&mut connection).await {
                        Ok(_) => break,
                        // Each wanted what the other had, and it was ours that had to give way.
                        Err(error) if is_deadlock(&error) => sqlx::query("ROLLBACK").execute(&mut connection).await?,
                        Err(error) => return Err(error.into()),
                    };
                }
                tokio::time::sleep(time).await;
                sqlx::query("ROLLBACK").execute(&mut connection).await?;
            }
        }
        Ok(())
    }

    /// It takes no writes from now on, or takes them again. Only a server can be told so.
    pub(crate) async fn set_read_only(&self, read_only: bool) -> anyhow::Result<()> {
        let Self::Postgres(server) = self else { return Ok(()) };
        let word = if read_only { "on" } else { "off" };
        let mut connection = PgConnection::connect(&server.url()).await?;
        let statement = format!("ALTER SYSTEM SET default_transaction_read_only = {word}");
        sqlx::query(AssertSqlSafe(statement)).execute(&mut connection).await?;
        sqlx::query("SELECT pg_reload_conf()").execute(&mut connection).await?;
        Ok(())
    }

    /// Does something to the server, if there is one. It may take seconds, in which the rest of the
    /// world goes on.
    pub(crate) async fn on_server(&self, act: fn(&TestPostgres) -> anyhow::Result<()>) -> anyhow::Result<()> {
        let Self::Postgres(server) = self else { return Ok(()) };
        let server = server.clone();
        tokio::task::spawn_blocking(move || act(&server)).await?
    }

    /// Copies the file, as a back-up does.
    pub(crate) async fn back_up(&self) -> anyhow::Result<Option<PathBuf>> {
        let Self::Sqlite(file) = self else { return Ok(None) };
        let copy = file.with_extension("copy");
        let _ = std::fs::remove_file(&copy);
        let mut connection = SqliteConnection::connect(&self.url()).await?;
        sqlx::query("PRAGMA busy_timeout = 5000")
            .execute(&mut connection)
            .await?;
        let statement = format!("VACUUM INTO '{}'", copy.display());
        sqlx::query(AssertSqlSafe(statement)).execute(&mut connection).await?;
        Ok(Some(copy))
    }

    /// Puts a copy in the place of the file. Nobody may have it open.
    pub(crate) fn restore(&self, copy: &Path) -> anyhow::Result<()> {
        let Self::Sqlite(file) = self else { return Ok(()) };
        for suffix in ["-wal", "-shm"] {
            let mut beside = file.clone().into_os_string();
            beside.push(suffix);
            let _ = std::fs::remove_file(beside);
        }
        std::fs::rename(copy, file).context("the copy cannot be put back")
    }

    /// Whatever was done to it is undone.
    pub(crate) async fn heal(&self) -> anyhow::Result<()> {
        let Self::Postgres(server) = self else { return Ok(()) };
        let _ = server.thaw();
        self.set_read_only(false).await
    }
}

fn is_deadlock(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code)
        .as_deref()
        == Some("40P01")
}
