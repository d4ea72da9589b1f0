//! Notices on both databases: stored once, sent once, found again while they wait.

use std::time::Duration;

use crate::databases::Database;
use passerelle_model::config::Channel;
use passerelle_model::id::JobKey;
use passerelle_model::seq::Seq;
use passerelle_model::time::{LongAgo, Timestamp};
use passerelle_store::{EventPlace, NoticeState, StoredNotice};
use rstest::rstest;

const AT: EventPlace = EventPlace {
    seq: Seq::ZERO,
    place: 3,
};
const LATER: Timestamp = Timestamp::from_millis(2000);

pub(crate) fn notice(id: &str, state: NoticeState) -> anyhow::Result<StoredNotice> {
    Ok(StoredNotice {
        id: JobKey::parse(id)?,
        kind: "trainer-assigned".to_owned(),
        channel: Channel::Mail,
        rule: "attribution-mail".to_owned(),
        row: Some("t6/r1".parse()?),
        event: Some(AT),
        args: "{}".to_owned(),
        created: Timestamp::from_millis(1000),
        state,
        ended: None,
        tries: 0,
        error: None,
    })
}

#[rstest]
#[case::sqlite(Database::sqlite())]
#[case::postgres(Database::postgres())]
#[tokio::test]
async fn a_notice_is_stored_once_and_what_became_of_it_stays(#[case] database: anyhow::Result<Database>) {
    let database = database.unwrap();
    let store = database.open().await.unwrap();
    let first = notice("notice/a/1", NoticeState::Waiting).unwrap();
    assert_eq!(store.add_notice(&first).await.unwrap(), NoticeState::Waiting);
    assert_eq!(store.notices_of(AT).await.unwrap(), std::slice::from_ref(&first));

    assert!(
        store
            .end_notice(&first.id, NoticeState::Sent, None, LATER)
            .await
            .unwrap()
    );
    assert_eq!(
        store.add_notice(&first).await.unwrap(),
        NoticeState::Sent,
        "a repetition adds nothing"
    );
    for other in [NoticeState::Waiting, NoticeState::Failed] {
        assert!(!store.end_notice(&first.id, other, Some("late"), LATER).await.unwrap());
    }
    let stored = store.notice(&first.id).await.unwrap().unwrap();
    assert_eq!(
        (stored.state, stored.ended, stored.error),
        (NoticeState::Sent, Some(LATER), None)
    );
}

#[rstest]
#[case::sqlite(Database::sqlite())]
#[case::postgres(Database::postgres())]
#[tokio::test]
async fn a_notice_that_waits_is_found_and_one_that_was_tried_in_vain_is_overdue(
    #[case] database: anyhow::Result<Database>,
) {
    let database = database.unwrap();
    let store = database.open().await.unwrap();
    let waiting = notice("notice/a/1", NoticeState::Waiting).unwrap();
    let off = notice("notice/a/2", NoticeState::Off).unwrap();
    for notice in [&waiting, &off] {
        store.add_notice(notice).await.unwrap();
    }
    assert_eq!(
        store
            .unsent_notices(LongAgo::of_age(Duration::ZERO, waiting.created), 10)
            .await
            .unwrap(),
        [],
        "too young"
    );
    let unsent = store
        .unsent_notices(LongAgo::of_age(Duration::ZERO, LATER), 10)
        .await
        .unwrap();
    assert_eq!(unsent, [(waiting.id.clone(), Channel::Mail)]);

    assert_eq!(store.overdue_notices().await.unwrap(), None);
    store.delay_notice(&waiting.id, "smtp: no answer\0").await.unwrap();
    store.delay_notice(&off.id, "not tried").await.unwrap();
    let overdue = store.overdue_notices().await.unwrap().unwrap();
    assert_eq!((overdue.count, overdue.error.as_str()), (1, "smtp: no answer\u{FFFD}"));
    assert_eq!(store.notice(&waiting.id).await.unwrap().unwrap().tries, 1);

    assert!(
        store
            .end_notice(&off.id, NoticeState::Waiting, None, LATER)
            .await
            .unwrap()
    );
    assert_eq!(
        store
            .latest_notices(Some(NoticeState::Waiting), 10)
            .await
            .unwrap()
            .len(),
        2
    );
    assert_eq!(store.latest_notices(Some(NoticeState::Off), 10).await.unwrap(), []);
    assert_eq!(store.latest_notices(None, 1).await.unwrap().len(), 1);
}
