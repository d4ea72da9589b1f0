//! The ledger at a glance.

use std::time::Duration;

use passerelle_model::event::Disposition;
use passerelle_model::ledger::{LedgerRecord, Verdict};
use passerelle_model::outcome::Outcome;
use passerelle_store::InStep;
use rstest::rstest;

use crate::databases::Database;
use crate::history::{accepted, at, attempt, entry, row, seq};
use crate::pages::link;

fn from(source: &str, record: LedgerRecord) -> anyhow::Result<LedgerRecord> {
    Ok(match record {
        LedgerRecord::Accepted(mut event) => {
            event.source = passerelle_model::id::SourceName::parse(source)?;
            LedgerRecord::Accepted(event)
        }
        other => other,
    })
}

#[rstest]
#[case::sqlite(Database::sqlite())]
#[case::postgres(Database::postgres())]
#[tokio::test]
async fn what_ended_is_counted_by_its_time_and_each_source_has_its_newest_delivery(
    #[case] database: anyhow::Result<Database>,
) {
    let database = database.unwrap();
    let store = database.open().await.unwrap();
    assert_eq!(store.last_deliveries().await.unwrap(), []);
    let nothing = InStep {
        pages: 0,
        last_change: None,
    };
    assert_eq!(store.in_step().await.unwrap(), nothing);
    let one = |n: i64, id: &str, item: u64| accepted(n, id, &[(item, Disposition::Sync)]).unwrap();
    let synced = |n: i64, item: u64| {
        let verdict = Verdict::Done(Outcome::Synced);
        attempt(n, row(item).unwrap(), n - 1, verdict).unwrap()
    };
    let entries = [
        entry(1, vec![from("b", one(1, "e1", 5)).unwrap()]),
        entry(2, vec![synced(2, 5)]),
        entry(3, vec![from("a", one(3, "e2", 6)).unwrap()]),
        entry(70_000, vec![from("b", one(70_000, "e3", 7)).unwrap()]),
        entry(70_001, vec![synced(70_001, 7)]),
        entry(70_002, vec![from("a", one(70_002, "e4", 8)).unwrap()]),
    ];
    store.record(&entries, None).await.unwrap();
    store
        .save_link(&link(row(5).unwrap(), "page", "page-1").unwrap())
        .await
        .unwrap();

    let minute = Duration::from_mins(1);
    let ended = store.ended_between(at(-60_000), at(120_000), minute).await.unwrap();
    let found: Vec<_> = ended
        .iter()
        .map(|ended| (ended.outcome.as_str(), ended.items))
        .collect();
    assert_eq!(found, [("synced", 1), ("synced", 1)]);
    assert!(ended.iter().all(|ended| ended.from.as_millis() % 60_000 == 0));
    assert!(ended[0].from < ended[1].from);
    let later = store.ended_between(at(60_000), at(120_000), minute).await.unwrap();
    assert_eq!(later.len(), 1, "only what ended in that time");

    let last: Vec<_> = store.last_deliveries().await.unwrap();
    let last: Vec<_> = last.iter().map(|last| (last.source.as_str(), last.at)).collect();
    assert_eq!(last, [("a", seq(70_002).moment()), ("b", seq(70_000).moment())]);
    let found = InStep {
        pages: 1,
        last_change: Some(at(70_002)),
    };
    assert_eq!(store.in_step().await.unwrap(), found);
    let of_slug = store.links_of_slug("aB3x").await.unwrap();
    assert_eq!(of_slug.len(), 1);
    assert_eq!(store.links_of_slug("nobody's").await.unwrap(), []);
}
