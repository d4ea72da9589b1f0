//! Opening the store: the schema on both databases, and errors that say what to do.

use crate::databases::Database;
use passerelle_model::config::StoreSettings;
use passerelle_store::{Schema, Store, StoreError};
use rstest::rstest;
use test_support::{TestPgBouncer, TestPostgres};

#[rstest]
#[case::sqlite(Database::sqlite())]
#[case::postgres(Database::postgres())]
#[tokio::test]
async fn programs_that_start_at_the_same_moment_all_open_a_fresh_store(#[case] database: anyhow::Result<Database>) {
    let database = database.unwrap();
    let settings = database.settings();
    let stores = futures::future::join_all((0..12).map(|_| Store::open(&settings))).await;
    for store in stores {
        assert_eq!(store.unwrap().ledger_position().await.unwrap(), None);
    }
    database.open().await.unwrap().check().await.unwrap();
}

#[tokio::test]
async fn a_store_that_cannot_be_opened_says_where_and_what_to_do_without_the_password() {
    let unused = test_support::free_port().unwrap();
    let settings = StoreSettings::at(format!("postgres://me:hunter2@127.0.0.1:{unused}/bridge"));
    let error = Store::open(&settings).await.unwrap_err().to_string();
    assert!(
        error.contains(&format!("postgres://127.0.0.1:{unused}/bridge")),
        "{error}"
    );
    assert!(error.contains("Is PostgreSQL running"), "{error}");
    assert!(!error.contains("hunter2"), "{error}");
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let settings = StoreSettings::at(format!("sqlite://{}/store.sqlite", file.display()));
    let error = Store::open(&settings).await.unwrap_err().to_string();
    assert!(error.contains("Is its folder writable"), "{error}");
}

#[tokio::test]
async fn a_pooler_in_transaction_mode_is_refused_in_one_sentence_and_one_in_session_mode_works() {
    let server = TestPostgres::start().unwrap();
    let pooler = TestPgBouncer::start(server.port(), "transaction").unwrap();
    let error = Store::open(&StoreSettings::at(pooler.url())).await.unwrap_err();
    assert!(matches!(error, StoreError::Pooler { .. }), "{error:?}");
    assert!(
        error
            .to_string()
            .contains("connect to PostgreSQL directly, or in session mode"),
        "{error}"
    );
    let pooler = TestPgBouncer::start(server.port(), "session").unwrap();
    let store = Store::open(&StoreSettings::at(pooler.url())).await.unwrap();
    store.check_write().await.unwrap();
}

#[tokio::test]
async fn a_read_only_database_is_opened_as_it_is_read_and_never_migrated() {
    let server = TestPostgres::start().unwrap();
    let settings = StoreSettings::at(server.url());
    let empty = Store::open_as_is(&settings).await.unwrap();
    assert_eq!(empty.schema().await.unwrap(), Schema::Missing);
    Store::open(&settings).await.unwrap();
    let read_only = "ALTER DATABASE postgres SET default_transaction_read_only = on";
    let admin = sqlx::AnyPool::connect(&server.url()).await.unwrap();
    sqlx::query(read_only).execute(&admin).await.unwrap();

    let store = Store::open_as_is(&settings).await.unwrap();
    assert_eq!(store.schema().await.unwrap(), Schema::Current);
    assert_eq!(store.ledger_position().await.unwrap(), None);
    let error = store.check_write().await.unwrap_err();
    assert!(error.is_outage(), "{error:?}");
    // A worker starts too: it waits for a store that can be written.
    Store::open(&settings).await.unwrap();
}

#[tokio::test]
async fn a_missing_sqlite_file_is_not_created_to_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("store.sqlite");
    let settings = StoreSettings::at(format!("sqlite://{}", file.display()));
    assert!(Store::open_as_is(&settings).await.is_err());
    assert!(!file.exists());
    Store::open(&settings).await.unwrap();
    let store = Store::open_as_is(&settings).await.unwrap();
    assert_eq!(store.schema().await.unwrap(), Schema::Current);
}
