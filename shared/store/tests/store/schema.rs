//! Opening the store: the schema on both databases, and errors that say what to do.

use crate::databases::Database;
use crate::history::{accepted, at, attempt, entry, failure, row};
use crate::notices::notice;
use crate::pages::link;
use passerelle_model::config::StoreSettings;
use passerelle_model::event::Disposition;
use passerelle_model::id::{EventId, JobKey, PageId, RowKey, Slot};
use passerelle_model::ledger::{LedgerRecord, Verdict};
use passerelle_store::{NoticeState, Schema, Store, StoreError};
use rstest::rstest;
use secrecy::ExposeSecret as _;
use test_support::{ErrorLog, TestPgBouncer, TestPostgres};

#[rstest]
#[case::sqlite(Database::sqlite())]
#[case::postgres(Database::postgres())]
#[tokio::test]
async fn programs_that_start_at_the_same_moment_all_open_a_fresh_store(#[case] database: anyhow::Result<Database>) {
    let (database, _errors) = (database.unwrap(), ErrorLog::watch());
    let settings = database.settings();
    let stores = futures::future::join_all((0..12).map(|_| Store::open(&settings))).await;
    for store in stores {
        assert_eq!(store.unwrap().ledger_position().await.unwrap(), None);
    }
    database.open().await.unwrap().check().await.unwrap();
}

/// What an upgrade does beside a program that is running: its statements are prepared.
#[rstest]
#[case::sqlite(Database::sqlite())]
#[case::postgres(Database::postgres())]
#[tokio::test]
async fn a_column_that_is_added_under_an_open_store_harms_no_statement(#[case] database: anyhow::Result<Database>) {
    let database = database.unwrap();
    let store = database.open().await.unwrap();
    let row = row(5).unwrap();
    let bury = Verdict::Bury {
        reason: "permanent".to_owned(),
        failure: failure(),
    };
    let discarded = LedgerRecord::Discarded {
        letter: "letter-1".to_owned(),
        job: JobKey::Row(row),
        by: "operator".to_owned(),
        why: "obsolete".to_owned(),
        at: at(9),
    };
    let entries = [
        entry(1, vec![accepted(1, "e1", &[(5, Disposition::Sync)]).unwrap()]),
        entry(2, vec![attempt(2, row, 1, bury).unwrap()]),
        entry(3, vec![discarded]),
    ];
    store.record(&entries, None).await.unwrap();
    store.save_link(&link(row, "page", "page-1").unwrap()).await.unwrap();
    let (page, table) = (PageId::parse("page-2").unwrap(), row.table);
    store.intend_page_row(&page, table, at(1)).await.unwrap();
    let waiting = notice("notice/a/1", NoticeState::Waiting).unwrap();
    store.add_notice(&waiting).await.unwrap();
    let before = everything(&store, row, &page).await.unwrap();

    sqlx::any::install_default_drivers();
    let migration = sqlx::AnyPool::connect(database.settings().url.expose_secret())
        .await
        .unwrap();
    for table in [
        "events",
        "items",
        "attempts",
        "operator_acts",
        "links",
        "notices",
        "page_rows",
    ] {
        let added = sqlx::AssertSqlSafe(format!("ALTER TABLE {table} ADD COLUMN of_tomorrow TEXT"));
        sqlx::query(added).execute(&migration).await.unwrap();
    }
    // Every connection of the pool has prepared them.
    for _ in 0..20 {
        assert_eq!(everything(&store, row, &page).await.unwrap(), before);
    }
}

/// Whatever is read, by every statement that reads whole rows.
async fn everything(store: &Store, row: RowKey, page: &PageId) -> anyhow::Result<String> {
    let links = (
        store.link(row, &Slot::page()).await?,
        store.links(row).await?,
        store.links_of_page(&PageId::parse("page-1")?).await?,
        store.links_of_table(row.table, None, 10).await?,
    );
    let stories = (
        store.trace_event(&EventId::parse("e1")?).await?,
        store.trace_row(row, 10).await?,
        store.trace_job(&JobKey::Row(row), 10).await?,
    );
    let notices = (
        store.latest_notices(None, 10).await?,
        store.page_row(page, row.table).await?,
    );
    Ok(format!("{links:?} {stories:?} {notices:?}"))
}

#[test]
fn no_statement_reads_columns_that_it_does_not_name() {
    let found = std::process::Command::new("git")
        .args(["grep", "-nE", r"(SELECT|RETURNING) +([a-z_]+\.)?\*", "--", "src"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let statements = String::from_utf8(found.stdout).unwrap();
    assert_eq!(statements, "", "a migration adds columns while older programs run");
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
