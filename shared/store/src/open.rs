//! Connecting to the store.

use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use secrecy::ExposeSecret as _;
use sqlx::any::AnyPoolOptions;
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _, Executor as _, Row as _};
use tokio::time::{sleep, timeout};

use super::StoreError;
use super::bounded_pool::BoundedPool;
use super::follower::Follower;
use passerelle_model::config::{StoreSettings, shown_url};

/// Connections per process: the ledger writer, and a few workers that save links.
const CONNECTIONS: u32 = 8;
/// How often a new connection is compared with another, to see whether a pooler shares them.
const POOLER_TRIES: u8 = 3;
/// How long a call waits for a free connection.
const CONNECTION_WAIT: Duration = Duration::from_secs(10);

/// `synchronous` is FULL because the stream forgets what the store has taken: a committed batch
/// must survive a power cut.
const SQLITE_SETTINGS: &str = "PRAGMA busy_timeout = 10000; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; \
     PRAGMA temp_store = MEMORY;";
/// How long to wait until the file's mode is changed again, if another program is changing it.
const MODE_PAUSE: Duration = Duration::from_millis(20);
const SQLITE_HINT: &str = "Is its folder writable, and is DATABASE_URL right (sqlite://path/to/file.sqlite)?";

/// The store: SQLite or PostgreSQL, by URL. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    pub(super) pool: BoundedPool,
    /// `sqlite` or `postgresql`.
    pub(super) database: &'static str,
    pub(super) follower: Option<Arc<dyn Follower>>,
}

impl Store {
    /// Connects and brings the schema up to date. A SQLite file is created with its folder.
    pub async fn open(settings: &StoreSettings) -> Result<Self, StoreError> {
        if let Some(file) = sqlite_file(settings.url.expose_secret()) {
            let url = settings.url.expose_secret();
            create_file(file).map_err(|error| not_opened(url, error.into(), SQLITE_HINT))?;
            let changed = timeout(settings.timeout, use_wal(url)).await;
            let changed = changed.unwrap_or(Err(sqlx::Error::PoolTimedOut));
            changed.map_err(|source| not_opened(url, source, SQLITE_HINT))?;
        }
        let store = Self::connect(settings, "rwc").await?;
        store.migrate().await?;
        Ok(store)
    }

    /// Connects to the store as it is, for an operator's verbs: it is neither created nor migrated.
    /// It may be read-only, of another version or empty: see [`Store::schema`]. What it cannot
    /// answer is an error of that call alone.
    pub async fn open_as_is(settings: &StoreSettings) -> Result<Self, StoreError> {
        Self::connect(settings, "rw").await
    }

    async fn connect(settings: &StoreSettings, mode: &str) -> Result<Self, StoreError> {
        sqlx::any::install_default_drivers();
        let (url, limit) = (settings.url.expose_secret(), settings.timeout);
        let (database, pool) = if sqlite_file(url).is_some() {
            ("sqlite", open_sqlite(url, mode, limit).await?)
        } else {
            ("postgresql", open_postgres(url, limit).await?)
        };
        Ok(Self {
            pool,
            database,
            follower: None,
        })
    }

    /// Whether the database answers: the readiness check.
    pub async fn check(&self) -> Result<(), StoreError> {
        self.pool.execute("SELECT position FROM ledger_position").await?;
        Ok(())
    }

    /// Whether the database can be written. It writes a row of its own, so that it never waits for
    /// the writer of the ledger.
    pub async fn check_write(&self) -> Result<(), StoreError> {
        self.pool.execute("UPDATE write_probe SET probes = probes + 1").await?;
        Ok(())
    }
}

async fn open_postgres(url: &str, limit: Duration) -> Result<BoundedPool, StoreError> {
    let hint = "Is PostgreSQL running, and is DATABASE_URL right (postgres://user:password@host/database)? \
                A password with special characters stands in DATABASE_PASSWORD as it is, or is percent-encoded in the URL: \
                ? as %3F, @ as %40, / as %2F, # as %23";
    let foreign = "Name the certificate (PEM) of the authority that signed PostgreSQL's own in EXTRA_CA_FILE, or as \
                   sslrootcert=/path in DATABASE_URL";
    let not_opened = |source: sqlx::Error| {
        let is_foreign = source.to_string().contains("invalid peer certificate");
        not_opened(url, source, if is_foreign { foreign } else { hint })
    };
    // A pool tries a refused connection again and again until its time is up, and forgets why. The
    // first connection says it at once.
    let in_time = timeout(limit, shares_connections(url)).await;
    let is_shared = in_time.unwrap_or(Err(sqlx::Error::PoolTimedOut)).map_err(not_opened)?;
    if is_shared {
        let place = shown_url(url);
        return Err(StoreError::Pooler { place });
    }
    let options = options(limit).after_connect(move |connection, _| {
        Box::pin(async move {
            // What we have given up waiting for shall not pile up in the server, behind a lock for
            // example.
            let limited = format!("SET statement_timeout = {}", limit.as_millis());
            connection.execute(AssertSqlSafe(limited)).await?;
            Ok(())
        })
    });
    BoundedPool::connect(options, url, limit).await.map_err(not_opened)
}

/// Whether two of our connections are one at the server: a pooler in transaction mode. A prepared
/// statement of ours would meet those of others.
async fn shares_connections(url: &str) -> Result<bool, sqlx::Error> {
    let (mut one, mut other) = (AnyConnection::connect(url).await?, AnyConnection::connect(url).await?);
    let mut is_shared = false;
    // Only the simple protocol, which prepares nothing. Another client may take the connection in
    // between, but hardly each time.
    for _try in 0..POOLER_TRIES {
        let first = server_process(&mut one).await?;
        other.execute("BEGIN").await?;
        is_shared |= server_process(&mut other).await? == first;
        other.execute("ROLLBACK").await?;
    }
    one.close().await?;
    other.close().await?;
    Ok(is_shared)
}

async fn server_process(connection: &mut AnyConnection) -> Result<i32, sqlx::Error> {
    let row = sqlx::raw_sql("SELECT pg_backend_pid()").fetch_one(connection).await?;
    row.try_get(0)
}

fn options(limit: Duration) -> AnyPoolOptions {
    AnyPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(CONNECTION_WAIT.min(limit))
}

/// The file and its folder, unless they are there. What people wrote is in it: no other user of the
/// machine may read it. The files that SQLite puts beside it have the same rights.
fn create_file(file: &str) -> std::io::Result<()> {
    Path::new(file).parent().map_or(Ok(()), std::fs::create_dir_all)?;
    let mut options = std::fs::OpenOptions::new();
    let created = options.write(true).create_new(true).mode(0o600).open(file);
    match created {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

async fn open_sqlite(url: &str, mode: &str, limit: Duration) -> Result<BoundedPool, StoreError> {
    let options = options(limit).after_connect(|connection, _| {
        Box::pin(async move {
            connection.execute(SQLITE_SETTINGS).await?;
            Ok(())
        })
    });
    BoundedPool::connect(options, &with_mode(url, mode), limit)
        .await
        .map_err(|source| not_opened(url, source, SQLITE_HINT))
}

/// Puts the file into WAL mode, in which it stays: readers and the one writer work at once. SQLite
/// refuses the change at once, whatever its `busy_timeout`, while another program makes it.
async fn use_wal(url: &str) -> Result<(), sqlx::Error> {
    sqlx::any::install_default_drivers();
    let mut connection = AnyConnection::connect(&with_mode(url, "rwc")).await?;
    loop {
        match connection.execute("PRAGMA journal_mode = WAL").await {
            Err(sqlx::Error::Database(error)) if error.message().contains("locked") => sleep(MODE_PAUSE).await,
            changed => return changed.and(connection.close().await),
        }
    }
}

fn with_mode(url: &str, mode: &str) -> String {
    if url.contains("mode=") {
        return url.to_owned();
    }
    let separator = if url.contains('?') { '&' } else { '?' };
    format!("{url}{separator}mode={mode}")
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
