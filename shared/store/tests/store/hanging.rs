//! A database that does not answer is one that is away: no call waits for it for ever.

use std::time::Duration;

use anyhow::Context as _;
use futures::future::join_all;
use passerelle_model::config::StoreSettings;
use passerelle_model::id::{PageId, RowKey, Slot};
use passerelle_model::seq::Seq;
use passerelle_model::time::Timestamp;
use passerelle_store::{Link, LinkState, Store, StoreError};
use sqlx::{Connection as _, Executor as _};
use test_support::{PATIENCE, TestPostgres, eventually};
use tokio::time::timeout;

/// More than there are connections.
const CALLERS: usize = 20;

async fn open(server: &TestPostgres) -> anyhow::Result<Store> {
    let settings = StoreSettings {
        timeout: Duration::from_secs(3),
        ..StoreSettings::at(server.url())
    };
    let store = Store::open(&settings).await?;
    for call in calls(&store).await? {
        call?;
    }
    Ok(store)
}

/// The same link is saved by many at once: all but the first are refused.
fn already_saved(error: StoreError) -> Result<(), StoreError> {
    match error {
        StoreError::Overtaken => Ok(()),
        other => Err(other),
    }
}

/// Reads, writes and transactions, at once.
async fn calls(store: &Store) -> anyhow::Result<Vec<Result<(), StoreError>>> {
    let row: RowKey = "t2/r1".parse()?;
    let link = Link {
        row,
        slot: Slot::page(),
        page: PageId::parse("019a0000-0000-7000-8000-000000000001")?,
        slug_id: "abc".to_owned(),
        space: "agence".to_owned(),
        state: LinkState::Synced("x".to_owned()),
        written: Timestamp::now(),
        as_of: None,
        version: 0,
    };
    let one = async |number: usize| match number % 4 {
        0 => store.link(row, &Slot::page()).await.map(drop),
        1 => store.save_link(&link).await.map(drop).or_else(already_saved),
        2 => store.open_intent(row, &Slot::page(), Timestamp::now()).await.map(drop),
        _ => store.retire(Seq::ZERO, Timestamp::now()).await.map(drop),
    };
    timeout(PATIENCE, join_all((0..CALLERS).map(one)))
        .await
        .context("a call hangs")
}

#[tokio::test]
async fn a_frozen_database_is_an_outage_for_every_call_and_is_used_again_once_it_answers() {
    let server = TestPostgres::start().unwrap();
    let store = open(&server).await.unwrap();
    server.freeze().unwrap();
    for call in calls(&store).await.unwrap() {
        let error = call.expect_err("a frozen database has answered");
        assert!(error.is_outage(), "{error:?}");
    }
    server.thaw().unwrap();
    eventually("every call is answered again", async || {
        calls(&store).await.unwrap().into_iter().collect::<Result<Vec<()>, _>>()
    })
    .await;
}

#[tokio::test]
async fn a_statement_that_waits_for_a_lock_is_an_outage_and_does_not_go_on_waiting_in_the_server() {
    let server = TestPostgres::start().unwrap();
    let store = open(&server).await.unwrap();
    let mut other = sqlx::AnyConnection::connect(&server.url()).await.unwrap();
    let mut lock = other.begin().await.unwrap();
    lock.execute("LOCK TABLE links IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let error = store.link("t2/r1".parse().unwrap(), &Slot::page()).await.unwrap_err();
    assert!(error.is_outage(), "{error:?}");
    eventually("no statement waits for the lock", async || {
        let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
        match sqlx::query_scalar::<_, i64>(waiting).fetch_one(&mut *lock).await {
            Ok(0) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    lock.rollback().await.unwrap();
    store.link("t2/r1".parse().unwrap(), &Slot::page()).await.unwrap();
}
