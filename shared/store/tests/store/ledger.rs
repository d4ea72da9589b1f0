//! The ledger rule on real databases: which fact closes which items, and exactly once.

use crate::databases::Database;
use crate::history::{accepted, at, attempt, entry, failure, key, row, seq};
use passerelle_model::event::Disposition::{Closed, Sync};
use passerelle_model::event::EventKind;
use passerelle_model::id::EventId;
use passerelle_model::job::EventKinds;
use passerelle_model::ledger::{LedgerEntry, LedgerRecord, UnreadableRecord, Verdict};
use passerelle_model::outcome::Outcome;
use passerelle_store::{Store, StoreError};
use rstest::rstest;

async fn outcomes(store: &Store, event: &str) -> anyhow::Result<Vec<Option<Outcome>>> {
    let stories = store.trace_event(&EventId::parse(event)?).await?;
    Ok(stories
        .into_iter()
        .flat_map(|story| story.items)
        .map(|item| item.outcome)
        .collect())
}

#[rstest]
#[case::sqlite(Database::sqlite())]
#[case::postgres(Database::postgres())]
#[tokio::test]
async fn the_last_covered_event_gets_the_outcome_and_the_earlier_ones_are_superseded(
    #[case] database: anyhow::Result<Database>,
) {
    let database = database.unwrap();
    let store = database.open().await.unwrap();
    let first = [
        entry(
            1,
            vec![accepted(1, "e1", &[(5, Sync), (6, Sync), (7, Closed(Outcome::Echo))]).unwrap()],
        ),
        entry(
            2,
            vec![
                accepted(2, "e2", &[(5, Sync)]).unwrap(),
                accepted(2, "e3", &[(5, Sync)]).unwrap(),
            ],
        ),
    ];
    store.record(&first, None).await.unwrap();
    let retry = Verdict::Retry {
        after_ms: 2000,
        failure: failure(),
    };
    let second = [
        entry(3, vec![attempt(3, row(5).unwrap(), 2, retry).unwrap()]),
        entry(4, vec![accepted(4, "e4", &[(5, Sync)]).unwrap()]),
        entry(
            5,
            vec![attempt(5, row(5).unwrap(), 2, Verdict::Done(Outcome::Synced)).unwrap()],
        ),
    ];
    store.record(&second, Some(&first[1].id)).await.unwrap();

    let superseded = Some(Outcome::Superseded);
    assert_eq!(
        outcomes(&store, "e1").await.unwrap(),
        [superseded.clone(), None, Some(Outcome::Echo)]
    );
    assert_eq!(outcomes(&store, "e2").await.unwrap(), [superseded]);
    assert_eq!(outcomes(&store, "e3").await.unwrap(), [Some(Outcome::Synced)]);
    assert_eq!(outcomes(&store, "e4").await.unwrap(), [None]);

    let story = store
        .trace_event(&EventId::parse("e1").unwrap())
        .await
        .unwrap()
        .remove(0);
    assert_eq!((story.received, story.duplicates), (at(1), 0));
    let verdicts: Vec<_> = story.items[0]
        .attempts
        .iter()
        .map(|attempt| attempt.verdict.clone())
        .collect();
    assert_eq!(
        verdicts,
        [
            Verdict::Retry {
                after_ms: 2000,
                failure: failure()
            },
            Verdict::Done(Outcome::Synced)
        ]
    );
    assert_eq!(
        store.payload(story.seq, story.place).await.unwrap().unwrap(),
        br#"{"event_id":"e1"}"#
    );
    let counts = store.counts().await.unwrap();
    assert_eq!((counts.items, counts.open, counts.missing()), (6, 2, 0));
    assert_eq!(counts, store.recount().await.unwrap());
}

#[rstest]
#[case::sqlite(Database::sqlite())]
#[case::postgres(Database::postgres())]
#[tokio::test]
async fn a_job_that_is_given_up_is_the_answer_to_all_its_events(#[case] database: anyhow::Result<Database>) {
    let database = database.unwrap();
    let store = database.open().await.unwrap();
    let bury = Verdict::Bury {
        reason: "permanent\0".to_owned(),
        failure: failure(),
    };
    let by = "operator".to_owned();
    let letter = "letter-1".to_owned();
    let job = passerelle_model::id::JobKey::Row(row(5).unwrap());
    let discarded = LedgerRecord::Discarded {
        letter,
        job,
        by,
        why: "obsolete\0".to_owned(),
        at: at(9),
    };
    let entries = [
        entry(1, vec![accepted(1, "e1", &[(5, Sync)]).unwrap()]),
        entry(2, vec![accepted(2, "e2", &[(5, Sync)]).unwrap()]),
        entry(3, vec![attempt(3, row(5).unwrap(), 2, bury).unwrap()]),
        entry(4, vec![discarded]),
    ];
    store.record(&entries, None).await.unwrap();
    let dead = Some(Outcome::Dead("permanent\u{FFFD}".to_owned()));
    let of_both = [
        outcomes(&store, "e1").await.unwrap(),
        outcomes(&store, "e2").await.unwrap(),
    ]
    .concat();
    assert_eq!(of_both, [dead.clone(), dead]);
    let stories = store.trace_row(row(5).unwrap(), 10).await.unwrap();
    assert_eq!(stories.len(), 2);
    assert_eq!(stories[1].items[0].acts[0].why.as_deref(), Some("obsolete\u{FFFD}"));
}

#[rstest]
#[case::sqlite(Database::sqlite())]
#[case::postgres(Database::postgres())]
#[tokio::test]
async fn a_delivery_of_a_webhook_is_looked_for_among_the_latest_events_of_its_table(
    #[case] database: anyhow::Result<Database>,
) {
    let database = database.unwrap();
    let store = database.open().await.unwrap();
    let LedgerRecord::Accepted(event) = accepted(2, "e2", &[(5, Sync)]).unwrap() else {
        panic!("no delivery")
    };
    let mut own = event;
    own.key.webhook = None;
    let entries = [
        entry(1, vec![accepted(1, "e1", &[(5, Sync)]).unwrap()]),
        entry(2, vec![LedgerRecord::Accepted(own)]),
    ];
    store.record(&entries, None).await.unwrap();
    let table = row(5).unwrap().table;
    assert!(store.has_delivery_of(table, 7, 2).await.unwrap());
    assert!(!store.has_delivery_of(table, 7, 1).await.unwrap());
    assert!(!store.has_delivery_of(table, 8, 2).await.unwrap());
    assert_eq!(
        store.open_kinds(row(5).unwrap(), seq(2)).await.unwrap(),
        EventKinds::of(EventKind::Updated)
    );
}

#[rstest]
#[case::sqlite(Database::sqlite())]
#[case::postgres(Database::postgres())]
#[tokio::test]
async fn a_replayed_delivery_is_counted_on_its_event_and_makes_no_second_item(
    #[case] database: anyhow::Result<Database>,
) {
    let database = database.unwrap();
    let store = database.open().await.unwrap();
    let again = |n: i64| LedgerRecord::Duplicate {
        key: key("e1").unwrap(),
        received: at(n),
    };
    let first = entry(1, vec![accepted(1, "e1", &[(5, Sync)]).unwrap(), again(1)]);
    store.record(std::slice::from_ref(&first), None).await.unwrap();
    let second = [entry(2, vec![again(2), again(3)])];
    store.record(&second, Some(&first.id)).await.unwrap();
    let story = store
        .trace_event(&EventId::parse("e1").unwrap())
        .await
        .unwrap()
        .remove(0);
    assert_eq!((story.duplicates, story.last_duplicate), (3, Some(at(3))));
    let counts = store.counts().await.unwrap();
    assert_eq!((counts.duplicates, counts.items, counts.missing()), (3, 1, 0));
    assert_eq!(counts, store.recount().await.unwrap());
}

#[rstest]
#[case::sqlite(Database::sqlite())]
#[case::postgres(Database::postgres())]
#[tokio::test]
async fn a_repetition_of_a_delivery_that_an_older_copy_does_not_have_keeps_the_numbers_right(
    #[case] database: anyhow::Result<Database>,
) {
    let database = database.unwrap();
    let store = database.open().await.unwrap();
    let again = |event: &str, n: i64| LedgerRecord::Duplicate {
        key: key(event).unwrap(),
        received: at(n),
    };
    let first = entry(1, vec![accepted(1, "e1", &[(5, Sync)]).unwrap()]);
    store.record(std::slice::from_ref(&first), None).await.unwrap();
    let second = entry(2, vec![again("unknown", 2), again("e1", 3)]);
    store.record(&[second], Some(&first.id)).await.unwrap();
    let counts = store.counts().await.unwrap();
    assert_eq!((counts.duplicates, counts.items, counts.missing()), (1, 1, 0));
    assert_eq!(counts, store.recount().await.unwrap());
}

#[rstest]
#[case::sqlite(Database::sqlite())]
#[case::postgres(Database::postgres())]
#[tokio::test]
async fn the_second_of_two_writers_writes_nothing(#[case] database: anyhow::Result<Database>) {
    let database = database.unwrap();
    let store = database.open().await.unwrap();
    let entries = [entry(1, vec![accepted(1, "e1", &[(5, Sync)]).unwrap()])];
    let (one, other) = (database.open().await.unwrap(), database.open().await.unwrap());
    let results = tokio::join!(one.record(&entries, None), other.record(&entries, None));
    let moved = [results.0, results.1]
        .into_iter()
        .filter(|result| matches!(result, Err(StoreError::LedgerMoved)));
    assert_eq!(moved.count(), 1);
    assert_eq!(store.ledger_position().await.unwrap(), Some(entries[0].id.clone()));
    assert_eq!(store.counts().await.unwrap().items, 1);
}

#[rstest]
#[case::sqlite(Database::sqlite())]
#[case::postgres(Database::postgres())]
#[tokio::test]
async fn an_unreadable_record_is_kept_and_stops_nothing(#[case] database: anyhow::Result<Database>) {
    let database = database.unwrap();
    let store = database.open().await.unwrap();
    let good = entry(1, vec![accepted(1, "e1", &[(5, Sync)]).unwrap()]);
    let bad = UnreadableRecord {
        error: "no JSON\0".to_owned(),
        bytes: vec![0, 255],
    };
    let mixed = LedgerEntry {
        records: [vec![Err(bad)], good.records].concat(),
        ..good
    };
    store.record(&[mixed], None).await.unwrap();
    assert_eq!(outcomes(&store, "e1").await.unwrap(), [None]);
    assert_eq!(store.unreadable_records().await.unwrap(), 1);
}
