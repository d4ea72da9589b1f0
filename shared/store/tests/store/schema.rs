//! Opening the store: the schema on both databases, and errors that say what to do.

use crate::databases::Database;
use passerelle_model::config::StoreSettings;
use passerelle_store::Store;
use rstest::rstest;

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
