//! How the rules do.

use passerelle_model::event::Disposition;
use passerelle_model::ledger::Verdict;
use passerelle_model::time::Timestamp;
use passerelle_store::NoticeState;
use rstest::rstest;

use crate::databases::Database;
use crate::history::{accepted, at, attempt, entry, failure, row, seq};
use crate::notices::notice;

#[rstest]
#[case::sqlite(Database::sqlite())]
#[case::postgres(Database::postgres())]
#[tokio::test]
async fn a_table_has_its_newest_event_and_what_died_lately_and_a_rule_its_failed_notices(
    #[case] database: anyhow::Result<Database>,
) {
    let database = database.unwrap();
    let store = database.open().await.unwrap();
    let table = row(5).unwrap().table;
    assert_eq!(store.last_event_of(table).await.unwrap(), None);
    let bury = || Verdict::Bury {
        reason: "permanent".to_owned(),
        failure: failure(),
    };
    let entries = [
        entry(1, vec![accepted(1, "e1", &[(5, Disposition::Sync)]).unwrap()]),
        entry(2, vec![attempt(2, row(5).unwrap(), 1, bury()).unwrap()]),
        entry(3, vec![accepted(3, "e2", &[(6, Disposition::Sync)]).unwrap()]),
        entry(4, vec![attempt(4, row(6).unwrap(), 3, bury()).unwrap()]),
        entry(5, vec![accepted(5, "e3", &[(7, Disposition::Sync)]).unwrap()]),
    ];
    store.record(&entries, None).await.unwrap();
    assert_eq!(store.last_event_of(table).await.unwrap(), Some(seq(5).moment()));
    assert_eq!(store.died_since(at(0)).await.unwrap(), [(table, 2)]);
    assert_eq!(store.died_since(at(4)).await.unwrap(), [(table, 1)]);
    assert_eq!(store.died_since(at(6)).await.unwrap(), []);

    for (id, state) in [
        ("notice/a/1", NoticeState::Failed),
        ("notice/a/2", NoticeState::Sent),
        ("notice/a/3", NoticeState::Failed),
    ] {
        store.add_notice(&notice(id, state).unwrap()).await.unwrap();
    }
    let since = |millis| store.failed_notices_since(Timestamp::from_millis(millis));
    assert_eq!(since(1000).await.unwrap(), [("attribution-mail".to_owned(), 2)]);
    assert_eq!(since(1001).await.unwrap(), []);
}
