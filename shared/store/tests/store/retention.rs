//! What is old goes, and the ledger still adds up.

use anyhow::Context as _;
use passerelle_model::config::Channel;
use passerelle_model::event::Disposition::{Closed, Sync};
use passerelle_model::id::{EventId, JobKey, PageId, Slot};
use passerelle_model::ledger::{LedgerEntry, LedgerRecord, Verdict};
use passerelle_model::outcome::Outcome;
use passerelle_model::seq::Seq;
use passerelle_model::time::Timestamp;
use passerelle_store::{EventPlace, Link, LinkState, NoticeState, Store, StoredNotice};
use rstest::rstest;

use crate::databases::Database;
use crate::history::{accepted, at, attempt, entry, failure, row};

/// Walks over everything older than the moment; returns how many events went.
async fn retire_all(store: &Store, before: Timestamp) -> anyhow::Result<u64> {
    let (mut from, mut events) = (Seq::ZERO, 0);
    loop {
        let retired = store.retire(from, before).await?;
        events += retired.events;
        let Some(next) = retired.next else { return Ok(events) };
        from = next;
    }
}

/// Whether the event is there, with how many attempts for its first item.
async fn attempts_of(store: &Store, event: &str) -> anyhow::Result<Option<usize>> {
    let stories = store.trace_event(&EventId::parse(event)?).await?;
    Ok(stories.first().map(|story| story.items[0].attempts.len()))
}

/// A notice of an event of the history, older than all that is kept.
async fn add_notice(store: &Store, event: &str, state: &str) -> anyhow::Result<()> {
    let traced = store.trace_event(&EventId::parse(event)?).await?;
    let found = traced.first().context("no such event")?;
    let notice = StoredNotice {
        id: JobKey::parse(&format!("notice/{event}-{state}/1"))?,
        kind: "trainer-assigned".to_owned(),
        channel: Channel::Mail,
        rule: "attribution-mail".to_owned(),
        row: None,
        event: Some(EventPlace {
            seq: found.seq,
            place: found.place,
        }),
        args: "{}".to_owned(),
        created: at(1),
        state: NoticeState::parse(state).context("no such state")?,
        ended: None,
        tries: 0,
        error: None,
    };
    store.add_notice(&notice).await?;
    Ok(())
}

/// What is left of them, by event and state.
async fn notices(store: &Store) -> anyhow::Result<Vec<String>> {
    let stored = store.latest_notices(None, 100).await?;
    let mut names: Vec<String> = stored
        .iter()
        .filter_map(|notice| Some(notice.id.to_string().split('/').nth(1)?.to_owned()))
        .collect();
    names.sort();
    Ok(names)
}

async fn adds_up(store: &Store) -> anyhow::Result<()> {
    let counts = store.counts().await?;
    anyhow::ensure!(counts.missing() == 0, "{counts:?}");
    let recount = store.recount().await?;
    anyhow::ensure!(counts == recount, "{counts:?}\n{recount:?}");
    Ok(())
}

fn done(n: i64, of: u64) -> anyhow::Result<LedgerEntry> {
    Ok(entry(
        n,
        vec![attempt(n, row(of)?, n - 1, Verdict::Done(Outcome::Synced))?],
    ))
}

fn dead(n: i64, of: u64) -> anyhow::Result<LedgerEntry> {
    let reason = "permanent".to_owned();
    let failure = failure();
    Ok(entry(
        n,
        vec![attempt(n, row(of)?, n - 1, Verdict::Bury { reason, failure })?],
    ))
}

/// Events of rows 1 to 6: done, echo, open, dead, dead and discarded, done but not old.
async fn write_history(store: &Store) -> anyhow::Result<()> {
    let discarded = LedgerRecord::Discarded {
        letter: "letter".to_owned(),
        job: JobKey::Row(row(5)?),
        by: "operator".to_owned(),
        why: "obsolete".to_owned(),
        at: at(14),
    };
    let entries = [
        entry(1, vec![accepted(1, "done", &[(1, Sync)])?]),
        done(2, 1)?,
        entry(3, vec![accepted(3, "echo", &[(2, Closed(Outcome::Echo))])?]),
        entry(4, vec![accepted(4, "open", &[(3, Sync), (1, Sync)])?]),
        done(5, 1)?,
        entry(6, vec![accepted(6, "dead", &[(4, Sync)])?]),
        dead(7, 4)?,
        entry(8, vec![accepted(8, "discarded", &[(5, Sync)])?]),
        dead(9, 5)?,
        entry(14, vec![discarded]),
        entry(20, vec![accepted(20, "young", &[(6, Sync)])?]),
        done(21, 6)?,
    ];
    store.record(&entries, None).await?;
    Ok(())
}

#[rstest]
#[case::sqlite(Database::sqlite())]
#[case::postgres(Database::postgres())]
#[tokio::test]
async fn old_finished_events_go_and_nothing_that_is_open_or_dead(#[case] database: anyhow::Result<Database>) {
    let database = database.unwrap();
    let store = database.open().await.unwrap();
    write_history(&store).await.unwrap();
    let link = Link {
        row: row(1).unwrap(),
        slot: Slot::page(),
        page: PageId::parse("page-1").unwrap(),
        slug_id: "aB3x".to_owned(),
        space: "Agence".to_owned(),
        state: LinkState::Synced("00ff".to_owned()),
        written: at(2),
        as_of: None,
        version: 0,
    };
    let link = store.save_link(&link).await.unwrap();
    store.open_intent(row(4).unwrap(), &Slot::page(), at(6)).await.unwrap();
    let before = store.counts().await.unwrap();
    for (event, state) in [
        ("done", "sent"),
        ("echo", "off"),
        ("done", "failed"),
        ("done", "waiting"),
        ("open", "sent"),
    ] {
        add_notice(&store, event, state).await.unwrap();
    }

    assert_eq!(retire_all(&store, at(20)).await.unwrap(), 3);
    assert_eq!(
        notices(&store).await.unwrap(),
        ["done-failed", "done-waiting", "open-sent"]
    );
    for gone in ["done", "echo", "discarded"] {
        assert_eq!(attempts_of(&store, gone).await.unwrap(), None, "{gone}");
    }
    for (kept, attempts) in [("open", 0), ("dead", 1), ("young", 1)] {
        assert_eq!(attempts_of(&store, kept).await.unwrap(), Some(attempts), "{kept}");
    }
    // The other row of the open delivery keeps its story too.
    let open = store.trace_event(&EventId::parse("open").unwrap()).await.unwrap();
    assert_eq!(open[0].items[1].attempts.len(), 1);
    assert_eq!(store.counts().await.unwrap(), before);
    adds_up(&store).await.unwrap();
    assert_eq!(store.link(row(1).unwrap(), &Slot::page()).await.unwrap(), Some(link));
    assert!(
        store
            .open_intent(row(4).unwrap(), &Slot::page(), at(30))
            .await
            .unwrap()
            .existed
    );
    assert_eq!(
        retire_all(&store, at(20)).await.unwrap(),
        0,
        "a second walk finds nothing"
    );
}

#[rstest]
#[case::sqlite(Database::sqlite())]
#[case::postgres(Database::postgres())]
#[tokio::test]
async fn an_event_that_is_closed_later_goes_at_a_later_walk(#[case] database: anyhow::Result<Database>) {
    let database = database.unwrap();
    let store = database.open().await.unwrap();
    let first = [entry(1, vec![accepted(1, "late", &[(1, Sync)]).unwrap()])];
    store.record(&first, None).await.unwrap();
    assert_eq!(retire_all(&store, at(10)).await.unwrap(), 0);
    store.record(&[done(2, 1).unwrap()], Some(&first[0].id)).await.unwrap();
    assert_eq!(retire_all(&store, at(10)).await.unwrap(), 1);
    adds_up(&store).await.unwrap();
}

#[rstest]
#[case::sqlite(Database::sqlite())]
#[case::postgres(Database::postgres())]
#[tokio::test]
async fn a_long_past_goes_in_small_steps(#[case] database: anyhow::Result<Database>) {
    let database = database.unwrap();
    let store = database.open().await.unwrap();
    let mut entries = Vec::new();
    for n in (1..=1000).step_by(2) {
        entries.push(entry(n, vec![accepted(n, &format!("e{n}"), &[(1, Sync)]).unwrap()]));
        entries.push(done(n + 1, 1).unwrap());
    }
    store.record(&entries, None).await.unwrap();
    let step = store.retire(Seq::ZERO, at(2000)).await.unwrap();
    assert_eq!(step.events, 200);
    assert!(step.next.is_some());
    adds_up(&store).await.unwrap();
    assert_eq!(retire_all(&store, at(2000)).await.unwrap(), 300);
    adds_up(&store).await.unwrap();
    assert_eq!(store.counts().await.unwrap().items, 500);
}
