//! The traces of events, and which of them an attempt answered for.

use passerelle_model::event::Disposition;
use passerelle_model::id::{EventId, JobKey};
use passerelle_model::ledger::{LedgerRecord, Verdict};
use passerelle_model::outcome::Outcome;
use passerelle_store::Store;
use rstest::rstest;

use crate::databases::Database;
use crate::history::{accepted, at, attempt, entry, failure, row, seq};

/// The n-th event of row 5, in a trace of its own.
fn traced(n: i64) -> anyhow::Result<LedgerRecord> {
    match accepted(n, &format!("e-{n}"), &[(5, Disposition::Sync)])? {
        LedgerRecord::Accepted(mut event) => {
            event.trace = Some(format!("00-{n:032x}-00f067aa0ba902b7-01").parse()?);
            Ok(LedgerRecord::Accepted(event))
        }
        other => Ok(other),
    }
}

/// The events of an attempt: their ids, and how it ended them.
async fn of_attempt(store: &Store, covers: i64, entry: i64) -> anyhow::Result<Vec<(String, Option<Outcome>)>> {
    let job = JobKey::Row(row(5)?);
    let traced = store.traced_attempt(&job, seq(covers), seq(entry)).await?;
    let events = traced.events.into_iter();
    Ok(events.map(|event| (event.event, event.outcome)).collect())
}

#[rstest]
#[case::sqlite(Database::sqlite())]
#[case::postgres(Database::postgres())]
#[tokio::test]
async fn an_attempt_knows_the_traces_of_the_events_that_it_answered_for(#[case] database: anyhow::Result<Database>) {
    let database = database.unwrap();
    let store = database.open().await.unwrap();
    let after_ms = 5;
    let retry = Verdict::Retry {
        after_ms,
        failure: failure(),
    };
    let done = Verdict::Done(Outcome::Synced);
    let entries = [
        entry(1, vec![traced(1).unwrap()]),
        entry(2, vec![attempt(2, row(5).unwrap(), 1, retry).unwrap()]),
        entry(3, vec![traced(3).unwrap()]),
        entry(4, vec![accepted(4, "no-trace", &[(5, Disposition::Sync)]).unwrap()]),
        entry(6, vec![attempt(6, row(5).unwrap(), 3, done.clone()).unwrap()]),
        entry(8, vec![traced(8).unwrap()]),
        entry(9, vec![attempt(9, row(5).unwrap(), 8, done).unwrap()]),
    ];
    store.record(&entries, None).await.unwrap();

    let event = |id: &str, outcome| (id.to_owned(), outcome);
    assert_eq!(of_attempt(&store, 1, 2).await.unwrap(), [event("e-1", None)]);
    let wanted = [
        event("e-3", Some(Outcome::Synced)),
        event("e-1", Some(Outcome::Superseded)),
    ];
    assert_eq!(of_attempt(&store, 3, 6).await.unwrap(), wanted);
    let wanted = [event("e-8", Some(Outcome::Synced))];
    assert_eq!(
        of_attempt(&store, 8, 9).await.unwrap(),
        wanted,
        "no event that ended before"
    );

    let job = JobKey::Row(row(5).unwrap());
    let second = store.traced_attempt(&job, seq(3), seq(6)).await.unwrap();
    assert_eq!(second.previous_ended, Some(at(3)));
    assert_eq!(second.events[0].queued, at(3));
    let story = store.trace_event(&EventId::parse("e-3").unwrap()).await.unwrap();
    assert_eq!(story[0].trace.as_ref().map(|trace| trace.sampled), Some(true));
}
