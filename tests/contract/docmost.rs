//! The sandbox's Docmost answers as the real one did: the captured exchanges, replayed in the order
//! of their capture.

#[path = "docmost/accounts.rs"]
mod accounts;
#[path = "docmost/compare.rs"]
mod compare;
#[path = "docmost/outages.rs"]
mod outages;
#[path = "docmost/pages.rs"]
mod pages;
#[path = "docmost/replay.rs"]
mod replay;
#[path = "docmost/switches.rs"]
mod switches;

use std::collections::BTreeSet;

use replay::Replay;

/// The captures that are not replayed, and why.
const NOT_PLAYED: [(&str, &str); 6] = [
    (
        "07e-body-5MiB",
        "the real server resets the connection while the body is sent; the sandbox answers 413",
    ),
    (
        "07g-body-0.9MiB-distinct-words",
        "the body was not kept; a unit test of the search index has one like it",
    ),
    (
        "08e-zombie-create",
        "not an exchange but an experiment; `switches` repeats it",
    ),
    ("10-concurrency", "figures of a load test"),
    (
        "10c-ambiguous-outcomes",
        "figures of a load test; `switches` has each outcome",
    ),
    (
        "08c-redis-down-health",
        "the sandbox has no second store; its health route is failed by a switch in 08a",
    ),
];

/// The default space of the captured server.
const GENERAL: &str = "01a202d9-a2b4-7f71-a1a6-3f16bb3e3358";

#[tokio::test]
async fn every_captured_exchange_has_the_same_answer_again() {
    let mut replay = Replay::start().unwrap();
    accounts::accounts(&mut replay).await.unwrap();
    accounts::spaces(&mut replay).await.unwrap();
    pages::creates(&mut replay).await.unwrap();
    pages::updates(&mut replay).await.unwrap();
    pages::tree(&mut replay).await.unwrap();
    pages::searches(&mut replay).await.unwrap();
    pages::trash(&mut replay).await.unwrap();
    pages::labels_and_shares(&mut replay).await.unwrap();
    accounts::members(&mut replay).await.unwrap();
    pages::lost_content(&mut replay).await.unwrap();
    accounts::sessions(&mut replay).await.unwrap();
    outages::limits(&mut replay).await.unwrap();
    outages::postgres_down(&mut replay).await.unwrap();
    outages::redis_down(&mut replay).await.unwrap();
    assert_eq!(replay.differences.join("\n"), "");
    assert_eq!(not_accounted_for(&replay.played).unwrap(), BTreeSet::new());
}

/// Captures that were neither replayed nor excused.
fn not_accounted_for(played: &BTreeSet<String>) -> anyhow::Result<BTreeSet<String>> {
    let mut left = BTreeSet::new();
    for file in std::fs::read_dir(replay::captures())? {
        let file = file?.file_name();
        let name = file
            .to_str()
            .and_then(|name| name.strip_suffix(".json"))
            .map(str::to_owned);
        left.extend(
            name.filter(|name| !played.contains(name) && !NOT_PLAYED.iter().any(|(excused, _)| excused == name)),
        );
    }
    Ok(left)
}
