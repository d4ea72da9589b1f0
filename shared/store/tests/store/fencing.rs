//! Two attempts at one row at once, as after a lease that was lost unnoticed: of two only the later
//! one creates and saves. On both databases.

use passerelle_model::id::Slot;
use passerelle_model::time::Timestamp;
use passerelle_store::{LinkState, StoreError};
use rstest::rstest;

use crate::databases::Database;
use crate::history::row;
use crate::pages::link;

#[rstest]
#[case::sqlite(Database::sqlite())]
#[case::postgres(Database::postgres())]
#[tokio::test]
async fn an_intent_is_remembered_until_its_link_is_saved(#[case] database: anyhow::Result<Database>) {
    let database = database.unwrap();
    let store = database.open().await.unwrap();
    let (earlier, later) = (Timestamp::from_millis(1000), Timestamp::from_millis(2000));

    let fresh = store
        .open_intent(row(5).unwrap(), &Slot::page(), earlier)
        .await
        .unwrap();
    assert_eq!((fresh.existed, fresh.started), (false, earlier));
    let again = store.open_intent(row(5).unwrap(), &Slot::page(), later).await.unwrap();
    assert_eq!((again.existed, again.started), (true, earlier));
    let other_slot = Slot::parse("bloc-17").unwrap();
    assert!(
        !store
            .open_intent(row(5).unwrap(), &other_slot, later)
            .await
            .unwrap()
            .existed
    );

    store
        .save_link(&link(row(5).unwrap(), "page", "page-1").unwrap())
        .await
        .unwrap();
    assert!(
        !store
            .open_intent(row(5).unwrap(), &Slot::page(), later)
            .await
            .unwrap()
            .existed
    );
    assert!(
        store
            .open_intent(row(5).unwrap(), &other_slot, later)
            .await
            .unwrap()
            .existed
    );
}

#[rstest]
#[case::sqlite(Database::sqlite())]
#[case::postgres(Database::postgres())]
#[tokio::test]
async fn an_attempt_that_was_overtaken_sends_no_create(#[case] database: anyhow::Result<Database>) {
    let database = database.unwrap();
    let store = database.open().await.unwrap();
    let (page, now) = (Slot::page(), Timestamp::from_millis(3000));
    let slow = store.open_intent(row(5).unwrap(), &page, now).await.unwrap();
    let fast = store.open_intent(row(5).unwrap(), &page, now).await.unwrap();
    assert!(fast.token > slow.token);
    let refused = store.renew_intent(&slow, now).await.unwrap_err();
    assert!(matches!(refused, StoreError::Overtaken), "{refused}");
    store.close_intent(&slow).await.unwrap();
    store.renew_intent(&fast, now).await.unwrap();

    store
        .save_link(&link(row(5).unwrap(), "page", "page-1").unwrap())
        .await
        .unwrap();
    let refused = store.renew_intent(&fast, now).await.unwrap_err();
    assert!(matches!(refused, StoreError::Overtaken), "{refused}");
}

#[rstest]
#[case::sqlite(Database::sqlite())]
#[case::postgres(Database::postgres())]
#[tokio::test]
async fn an_attempt_that_was_overtaken_neither_saves_nor_forgets_a_link(#[case] database: anyhow::Result<Database>) {
    let database = database.unwrap();
    let store = database.open().await.unwrap();
    let new = link(row(5).unwrap(), "page", "page-1").unwrap();
    let slow = store.save_link(&new).await.unwrap();
    assert!(matches!(store.save_link(&new).await, Err(StoreError::Overtaken)));

    let fast = store.save_link(&slow).await.unwrap();
    assert!(matches!(store.save_link(&slow).await, Err(StoreError::Overtaken)));
    store.restate_link(&slow, &LinkState::Unconfirmed).await.unwrap();
    store.forget_link(&slow).await.unwrap();
    assert_eq!(
        store.link(row(5).unwrap(), &Slot::page()).await.unwrap(),
        Some(fast.clone())
    );

    store.forget_link(&fast).await.unwrap();
    assert!(matches!(store.save_link(&fast).await, Err(StoreError::Overtaken)));
}
