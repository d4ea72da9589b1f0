//! Moments that lie ahead: the clock of the machine that wrote them was ahead, or has gone back
//! since.

use std::time::Duration;

use passerelle_model::id::Slot;
use passerelle_model::time::{LongAgo, Timestamp};
use passerelle_store::NoticeState;
use rstest::rstest;

use crate::databases::Database;
use crate::history::row;
use crate::notices::notice;

const NOW: Timestamp = Timestamp::from_millis(1_732_280_000_000);
const HOUR: Duration = Duration::from_hours(1);

#[rstest]
#[case::sqlite(Database::sqlite())]
#[case::postgres(Database::postgres())]
#[tokio::test]
async fn an_intent_that_began_in_what_is_the_future_now_begins_now(#[case] database: anyhow::Result<Database>) {
    let database = database.unwrap();
    let store = database.open().await.unwrap();
    let (row, slot) = (row(5).unwrap(), Slot::page());
    store.open_intent(row, &slot, NOW.plus(HOUR)).await.unwrap();
    assert_eq!(store.open_intent(row, &slot, NOW).await.unwrap().started, NOW);
    let later = store.open_intent(row, &slot, NOW.plus(HOUR)).await.unwrap();
    assert_eq!(later.started, NOW, "one of the past stays as it is");
}

#[rstest]
#[case::sqlite(Database::sqlite())]
#[case::postgres(Database::postgres())]
#[tokio::test]
async fn what_was_written_before_a_clock_went_back_is_looked_after(#[case] database: anyhow::Result<Database>) {
    let database = database.unwrap();
    let store = database.open().await.unwrap();
    let (row, slot, ahead) = (row(5).unwrap(), Slot::page(), NOW.plus(HOUR));
    store.open_intent(row, &slot, ahead).await.unwrap();
    store.note_unconfirmed_create(row, &slot, ahead).await.unwrap();
    let mut waiting = notice("notice/a/1", NoticeState::Waiting).unwrap();
    waiting.created = ahead;
    store.add_notice(&waiting).await.unwrap();
    for (old, found) in [(LongAgo::of_age(HOUR, NOW), 1), (LongAgo::of_age(HOUR, ahead), 0)] {
        assert_eq!(store.stale_intents(old, 10).await.unwrap().len(), found);
        assert_eq!(store.unconfirmed_creates(old, 10).await.unwrap().len(), found);
        assert_eq!(store.unsent_notices(old, 10).await.unwrap().len(), found);
    }
}
