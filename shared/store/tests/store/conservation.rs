//! Laws of the ledger over random histories, on both databases at once: however the stream is cut
//! into batches, whoever crashes in the middle of one and whoever competes, every item has at most
//! one outcome, the one that the rule says, and nothing is lost or doubled.

use std::pin::pin;
use std::task::Poll;

use crate::databases::Database;
use crate::history::{accepted, at, attempt, entry, failure, key, row};
use futures::FutureExt as _;
use passerelle_model::event::Disposition;
use passerelle_model::id::EventId;
use passerelle_model::ledger::{LedgerEntry, LedgerRecord, UnreadableRecord, Verdict};
use passerelle_model::outcome::{IgnoredReason, Outcome};
use passerelle_store::{Store, StoreError};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use test_support::TestPostgres;

/// One fact to come, in small numbers.
#[derive(Debug, Clone)]
enum Fact {
    Accepted(Vec<(u64, bool)>),
    Again(usize),
    Attempt { row: u64, back: i64, verdict: usize },
    Unreadable,
}

/// How a writer behaves at one step: how many entries it takes, and after how many polls it dies
/// (if it does).
type Behaviour = (usize, Option<usize>);

fn fact() -> impl Strategy<Value = Fact> {
    prop_oneof![
        4 => vec((1_u64..4, prop::bool::weighted(0.2)), 1..4).prop_map(Fact::Accepted),
        1 => (0_usize..8).prop_map(Fact::Again),
        4 => (1_u64..4, 0_i64..4, 0_usize..8).prop_map(|(row, back, verdict)| Fact::Attempt { row, back, verdict }),
        1 => Just(Fact::Unreadable),
    ]
}

fn verdict(which: usize) -> Verdict {
    match which {
        0 | 1 => Verdict::Done(Outcome::Synced),
        2 => Verdict::Done(Outcome::NoChange),
        3 => Verdict::Done(Outcome::Rejected("by an operator".to_owned())),
        4 => Verdict::Bury {
            reason: "exhausted".to_owned(),
            failure: failure(),
        },
        5 => Verdict::Retry {
            after_ms: 10,
            failure: failure(),
        },
        6 => Verdict::Hold {
            after_ms: 10,
            failure: failure(),
        },
        _ => Verdict::GiveBack,
    }
}

/// The facts as a stream. The n-th entry is stamped n; an event is called `e<entry>-<fact>`.
fn stream(entries: &[Vec<Fact>]) -> anyhow::Result<Vec<LedgerEntry>> {
    let mut events = Vec::new();
    let mut stream = Vec::new();
    for (n, facts) in (1_i64..).zip(entries) {
        let mut built = entry(n, Vec::new());
        for (index, fact) in facts.iter().enumerate() {
            let record = match fact {
                Fact::Accepted(rows) => {
                    let name = format!("e{n}-{index}");
                    let closed = Disposition::Closed(Outcome::Ignored(IgnoredReason::NoRule));
                    let rows: Vec<_> = rows
                        .iter()
                        .map(|(row, ignored)| (*row, if *ignored { closed.clone() } else { Disposition::Sync }))
                        .collect();
                    events.push(name.clone());
                    accepted(n, &name, &rows)?
                }
                Fact::Again(which) => {
                    let Some(name) = events.get(*which) else { continue };
                    LedgerRecord::Duplicate {
                        key: key(name)?,
                        received: at(n),
                    }
                }
                Fact::Attempt {
                    row: number,
                    back,
                    verdict: which,
                } => attempt(n, row(*number)?, (n - back).max(0), verdict(*which))?,
                Fact::Unreadable => {
                    let bytes = vec![0, 159, 146, 150];
                    built.records.push(Err(UnreadableRecord {
                        error: "no JSON".to_owned(),
                        bytes,
                    }));
                    continue;
                }
            };
            built.records.push(Ok(record));
        }
        stream.push(built);
    }
    Ok(stream)
}

/// What must be stored, event by event: the rule in its most naive form. Repetitions, then the
/// outcomes of the event's items.
type Expected = Vec<(EventId, i64, Vec<Option<Outcome>>)>;

fn expected(stream: &[LedgerEntry]) -> Expected {
    let mut events: Expected = Vec::new();
    let mut items = Vec::new();
    for entry in stream {
        for record in entry.records.iter().flatten() {
            match record {
                LedgerRecord::Accepted(accepted) => {
                    for (index, item) in accepted.items.iter().enumerate() {
                        items.push((events.len(), index, entry.seq, item.row));
                    }
                    let outcomes = accepted.items.iter().map(|item| match &item.disposition {
                        Disposition::Sync | Disposition::Job(_) => None,
                        Disposition::Closed(outcome) => Some(outcome.clone()),
                    });
                    events.push((accepted.key.event.clone(), 0, outcomes.collect()));
                }
                LedgerRecord::Duplicate { key, .. } => {
                    events
                        .iter_mut()
                        .filter(|(event, ..)| *event == key.event)
                        .for_each(|event| event.1 += 1);
                }
                LedgerRecord::Attempt(attempt) => {
                    let (outcome, for_all) = match &attempt.verdict {
                        Verdict::Done(Outcome::Rejected(why)) => (Outcome::Rejected(why.clone()), true),
                        Verdict::Done(outcome) => (outcome.clone(), false),
                        Verdict::Bury { reason, .. } => (Outcome::Dead(reason.clone()), true),
                        _ => continue,
                    };
                    let row = attempt.job.row().map(|key| key.row);
                    let mut next = Some(outcome.clone());
                    for (event, index, seq, of_row) in items.iter().rev() {
                        let slot = &mut events[*event].2[*index];
                        if slot.is_none() && *of_row == row && *seq <= attempt.covers {
                            let given = next.take().or_else(|| for_all.then(|| outcome.clone()));
                            *slot = Some(given.unwrap_or(Outcome::Superseded));
                        }
                    }
                }
                LedgerRecord::Replayed { .. } | LedgerRecord::Discarded { .. } | LedgerRecord::Switched { .. } => {}
            }
        }
    }
    events
}

/// Lets a future be polled so many times, then drops it, as a crash would. `None` if it had not
/// finished.
async fn cut_short<T>(future: impl Future<Output = T>, polls: usize) -> Option<T> {
    let mut future = pin!(future);
    let mut left = polls;
    std::future::poll_fn(move |context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        future.poll_unpin(context).map(Some)
    })
    .await
}

/// A ledger writer that dies on schedule and starts again, until everything is written.
async fn write_all(store: &Store, stream: &[LedgerEntry], behaviour: &[Behaviour]) -> anyhow::Result<()> {
    let whole = (stream.len(), None);
    let mut steps = behaviour.iter().copied().chain(std::iter::repeat(whole));
    loop {
        let position = store.ledger_position().await?;
        let done = position
            .as_ref()
            .map_or(0, |id| stream.partition_point(|entry| entry.id <= *id));
        if done == stream.len() {
            return Ok(());
        }
        let (count, dies) = steps.next().unwrap_or(whole);
        let batch = &stream[done..(done + count.max(1)).min(stream.len())];
        let recorded = store.record(batch, position.as_deref());
        let result = match dies {
            Some(polls) => cut_short(recorded, polls).await.unwrap_or(Ok(())),
            None => recorded.await,
        };
        match result {
            Ok(()) | Err(StoreError::LedgerMoved) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// What is stored, in the form of [`expected`].
async fn stored(store: &Store, events: &Expected) -> anyhow::Result<Expected> {
    let mut found = Vec::new();
    for (event, ..) in events {
        for story in store.trace_event(event).await? {
            let outcomes = story.items.into_iter().map(|item| item.outcome).collect();
            found.push((story.key.event, story.duplicates, outcomes));
        }
    }
    Ok(found)
}

async fn check(
    stores: [Store; 2],
    stream: &[LedgerEntry],
    writers: &[Vec<Behaviour>; 2],
) -> anyhow::Result<Result<(), TestCaseError>> {
    let [one, other] = &stores;
    let (first, second) = tokio::join!(
        write_all(one, stream, &writers[0]),
        write_all(other, stream, &writers[1])
    );
    first.and(second)?;
    let wanted = expected(stream);
    let (found, counts, recount) = (stored(one, &wanted).await?, one.counts().await?, one.recount().await?);
    Ok((|| {
        prop_assert_eq!(&wanted, &found);
        prop_assert_eq!(counts.missing(), 0);
        prop_assert_eq!(&counts, &recount);
        let items: usize = wanted.iter().map(|(.., outcomes)| outcomes.len()).sum();
        prop_assert_eq!(counts.items, i64::try_from(items).unwrap_or(-1));
        Ok(())
    })())
}

fn histories() -> impl Strategy<Value = (Vec<Vec<Fact>>, [Vec<Behaviour>; 2])> {
    let writer = || vec((1_usize..6, prop::option::weighted(0.5, 0_usize..60)), 0..12);
    (vec(vec(fact(), 1..4), 1..30), [writer(), writer()])
}

#[test]
fn whatever_crashes_or_competes_every_accepted_item_is_stored_once_with_its_one_outcome() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let server = TestPostgres::start().unwrap();
    let admin = runtime.block_on(async {
        sqlx::any::install_default_drivers();
        sqlx::AnyPool::connect(&server.url()).await.unwrap()
    });
    let number = std::cell::Cell::new(0);
    let case = |(facts, writers): (Vec<Vec<Fact>>, [Vec<Behaviour>; 2])| {
        number.set(number.get() + 1);
        let name = format!("case_{}", number.get());
        let outcome: anyhow::Result<Result<(), TestCaseError>> = runtime.block_on(async {
            let stream = stream(&facts)?;
            let database = Database::sqlite()?;
            let on_sqlite = check([database.open().await?, database.open().await?], &stream, &writers).await?;
            if on_sqlite.is_err() {
                return Ok(on_sqlite);
            }
            sqlx::query(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}")))
                .execute(&admin)
                .await?;
            let url = server.url().replace("/postgres", &format!("/{name}"));
            let open = || crate::databases::open_url(&url);
            check([open().await?, open().await?], &stream, &writers).await
        });
        outcome.map_err(|error| TestCaseError::fail(format!("{error:#}")))?
    };
    let config = Config {
        cases: 24,
        failure_persistence: None,
        ..Config::default()
    };
    if let Err(failure) = TestRunner::new(config).run(&histories(), case) {
        panic!("{failure}");
    }
}
