//! Who may use the console, and who is signed in.

use passerelle_model::time::Timestamp;
use passerelle_store::{Account, Role, Session, Store};
use rstest::rstest;

use crate::databases::Database;
use crate::history::at;

fn account(name: &str, role: Role) -> Account {
    Account {
        name: name.to_owned(),
        role,
        password: Some("a hash".to_owned()),
        created: at(0),
    }
}

async fn begin(store: &Store, id: &str, account: &str, began: Timestamp) -> anyhow::Result<()> {
    let session = Session {
        id: id.to_owned(),
        account: account.to_owned(),
        began,
        ends: at(1000),
    };
    store.begin_session(&session, 20).await?;
    Ok(())
}

async fn whose(store: &Store, id: &str, now: i64) -> anyhow::Result<Option<(String, Role)>> {
    let found = store.session(id, at(now)).await?;
    Ok(found.map(|account| (account.name, account.role)))
}

#[rstest]
#[case::sqlite(Database::sqlite())]
#[case::postgres(Database::postgres())]
#[tokio::test]
async fn a_session_ends_with_its_time_its_account_and_every_change_of_it(#[case] database: anyhow::Result<Database>) {
    let database = database.unwrap();
    let store = database.open().await.unwrap();
    let mut camille = account("camille", Role::Operator);
    assert!(store.add_account(&camille).await.unwrap());
    assert!(
        !store.add_account(&account("camille", Role::Reader)).await.unwrap(),
        "a name is taken once"
    );

    begin(&store, "s1", "camille", at(1)).await.unwrap();
    let operator = Some(("camille".to_owned(), Role::Operator));
    assert_eq!(whose(&store, "s1", 999).await.unwrap(), operator);
    assert_eq!(whose(&store, "s1", 1000).await.unwrap(), None, "its time is over");
    assert_eq!(whose(&store, "another", 2).await.unwrap(), None);

    camille.role = Role::Reader;
    assert!(store.change_account(&camille).await.unwrap());
    assert_eq!(
        whose(&store, "s1", 2).await.unwrap(),
        None,
        "whoever has it signs in again"
    );

    begin(&store, "s2", "camille", at(2)).await.unwrap();
    assert_eq!(
        whose(&store, "s2", 3).await.unwrap(),
        Some(("camille".to_owned(), Role::Reader))
    );
    store.end_session("s2").await.unwrap();
    assert_eq!(whose(&store, "s2", 3).await.unwrap(), None);

    begin(&store, "s3", "camille", at(2)).await.unwrap();
    assert!(store.remove_account("camille").await.unwrap());
    assert_eq!(whose(&store, "s3", 3).await.unwrap(), None);
    assert!(!store.remove_account("camille").await.unwrap());
    assert!(!store.change_account(&camille).await.unwrap());
}

#[rstest]
#[case::sqlite(Database::sqlite())]
#[case::postgres(Database::postgres())]
#[tokio::test]
async fn a_person_has_a_few_sessions_however_often_somebody_signs_in(#[case] database: anyhow::Result<Database>) {
    let database = database.unwrap();
    let store = database.open().await.unwrap();
    for name in ["camille", "dominique"] {
        store.add_account(&account(name, Role::Reader)).await.unwrap();
    }
    begin(&store, "of dominique", "dominique", at(0)).await.unwrap();
    for number in 0..200 {
        begin(&store, &format!("s{number:03}"), "camille", at(number))
            .await
            .unwrap();
    }
    assert_eq!(whose(&store, "s179", 300).await.unwrap(), None);
    assert!(whose(&store, "s180", 300).await.unwrap().is_some());
    assert!(whose(&store, "s199", 300).await.unwrap().is_some());
    assert!(
        whose(&store, "of dominique", 300).await.unwrap().is_some(),
        "nobody ends another's"
    );
}
