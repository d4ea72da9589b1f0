//! Both databases, real and each test's own.

use passerelle_model::config::StoreSettings;
use passerelle_store::Store;
use tempfile::TempDir;
use test_support::TestPostgres;

/// A database of the test's own.
pub(crate) enum Database {
    Sqlite(TempDir),
    Postgres(Box<TestPostgres>),
}

impl Database {
    pub(crate) fn sqlite() -> anyhow::Result<Self> {
        Ok(Self::Sqlite(tempfile::tempdir()?))
    }

    pub(crate) fn postgres() -> anyhow::Result<Self> {
        Ok(Self::Postgres(Box::new(TestPostgres::start()?)))
    }

    pub(crate) fn settings(&self) -> StoreSettings {
        let url = match self {
            Self::Sqlite(folder) => format!("sqlite://{}/new/store.sqlite", folder.path().display()),
            Self::Postgres(server) => server.url(),
        };
        settings(&url)
    }

    /// An empty database of this name beside the usual one.
    pub(crate) async fn url_of(&self, name: &str) -> anyhow::Result<String> {
        match self {
            Self::Sqlite(folder) => Ok(format!("sqlite://{}/{name}.sqlite?mode=rwc", folder.path().display())),
            Self::Postgres(server) => {
                sqlx::any::install_default_drivers();
                let admin = sqlx::AnyPool::connect(&server.url()).await?;
                let create = sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"));
                sqlx::query(create).execute(&admin).await?;
                admin.close().await;
                Ok(server.url().replace("/postgres", &format!("/{name}")))
            }
        }
    }

    pub(crate) async fn open(&self) -> anyhow::Result<Store> {
        Ok(Store::open(&self.settings()).await?)
    }
}

fn settings(url: &str) -> StoreSettings {
    StoreSettings::at(url)
}

/// A store by URL.
pub(crate) async fn open_url(url: &str) -> anyhow::Result<Store> {
    Ok(Store::open(&settings(url)).await?)
}
