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
