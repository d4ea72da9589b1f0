//! `trace`: one story per way of ending.

use passerelle_model::event::Disposition::{Closed, Sync};
use passerelle_model::id::{JobKey, PageId, Slot};
use passerelle_model::ledger::{FailureClass, LedgerRecord, Verdict};
use passerelle_model::outcome::{IgnoredReason, Outcome};
use passerelle_store::{Link, LinkState};
use rstest::rstest;

use crate::desk::{Desk, accepted, at, attempt, delivery, failure, row};

fn retry() -> Verdict {
    Verdict::Retry {
        after_ms: 2000,
        failure: failure(FailureClass::Transient),
    }
}

fn bury() -> Verdict {
    Verdict::Bury {
        reason: "permanent".to_owned(),
        failure: failure(FailureClass::Permanent),
    }
}

#[tokio::test]
async fn a_synced_event_is_told_with_every_attempt_and_step() {
    let desk = Desk::new().unwrap();
    let first = accepted(1, "e1", &[(5, Sync)]).unwrap();
    let LedgerRecord::Accepted(record) = &first else {
        panic!("not accepted")
    };
    let again = LedgerRecord::Duplicate {
        key: record.key.clone(),
        received: at(1500),
    };
    let history = vec![
        first,
        again,
        attempt(3, 1, 1, retry()).unwrap(),
        attempt(6, 1, 2, Verdict::Done(Outcome::Synced)).unwrap(),
    ];
    desk.remember(history).await.unwrap();
    let said = desk.passerelle(&["trace", "e1"]).await;
    assert_eq!(said.code, 0, "{}", said.err);
    insta::assert_snapshot!(said.out);
}

#[tokio::test]
async fn the_story_of_a_row_tells_which_event_was_superseded() {
    let desk = Desk::new().unwrap();
    let history = vec![
        accepted(1, "e1", &[(5, Sync), (6, Sync)]).unwrap(),
        accepted(2, "e2", &[(5, Sync)]).unwrap(),
        attempt(3, 2, 1, Verdict::Done(Outcome::Synced)).unwrap(),
    ];
    desk.remember(history).await.unwrap();
    let said = desk.passerelle(&["trace", "2/5"]).await;
    assert_eq!(said.code, 0, "{}", said.err);
    insta::assert_snapshot!(said.out);
}

#[tokio::test]
async fn a_dead_event_is_told_with_its_cause_and_what_an_operator_did() {
    let desk = Desk::new().unwrap();
    let discarded = LedgerRecord::Discarded {
        letter: "01JD".to_owned(),
        job: JobKey::Row(row(5).unwrap()),
        by: "camille".to_owned(),
        why: "the customer left".to_owned(),
        at: at(60_000),
    };
    let history = vec![
        accepted(1, "e1", &[(5, Sync)]).unwrap(),
        attempt(3, 1, 1, bury()).unwrap(),
        discarded,
    ];
    desk.remember(history).await.unwrap();
    let said = desk.passerelle(&["trace", "e1"]).await;
    assert_eq!(said.code, 0, "{}", said.err);
    insta::assert_snapshot!(said.out);
}

#[rstest]
#[case(Closed(Outcome::Echo), "The bridge's own write into the row caused this event")]
#[case(Closed(Outcome::NoChange), "nothing was written")]
#[case(
    Closed(Outcome::Ignored(IgnoredReason::NoRule)),
    "No rule in bridge.toml watches this table"
)]
#[case(Closed(Outcome::Ignored(IgnoredReason::TestCall)), "Baserow's test call")]
#[case(Closed(Outcome::Ignored(IgnoredReason::UnknownEvent)), "can use this kind")]
#[case(Closed(Outcome::Ignored(IgnoredReason::NoRows)), "names no rows")]
#[case(Closed(Outcome::RowNotFound), "no longer in Baserow")]
#[case(Closed(Outcome::Rejected("not wanted".to_owned())), "It was rejected: not wanted.")]
#[case(Sync, "waits for a worker")]
#[tokio::test]
async fn every_way_of_ending_is_explained(
    #[case] disposition: passerelle_model::event::Disposition,
    #[case] why: &str,
) {
    let desk = Desk::new().unwrap();
    desk.remember(vec![accepted(1, "e1", &[(5, disposition)]).unwrap()])
        .await
        .unwrap();
    let said = desk.passerelle(&["trace", "e1"]).await;
    assert!(said.out.contains("Why: ") && said.out.contains(why), "{}", said.out);
}

#[rstest]
#[case(
    retry(),
    "The next attempt is at 2024-11-22 12:53:25+00:00, because Docmost was unavailable: Docmost answered 503."
)]
#[case(
    Verdict::Hold { after_ms: 60_000, failure: failure(FailureClass::Throttled) },
    "It is held until 2024-11-22 12:54:23+00:00, because Docmost throttled the bridge: Docmost answered 503. Holding counts no attempt."
)]
#[case(Verdict::GiveBack, "Its worker was stopping; the next free worker takes it.")]
#[case(
    bury(),
    "It is dead (permanent), because Docmost does not accept it as it is: Docmost answered 503. It is kept as a dead letter"
)]
#[tokio::test]
async fn what_an_event_waits_for_is_explained(#[case] verdict: Verdict, #[case] why: &str) {
    let desk = Desk::new().unwrap();
    let history = vec![
        accepted(1, "e1", &[(5, Sync)]).unwrap(),
        attempt(3, 1, 1, verdict).unwrap(),
    ];
    desk.remember(history).await.unwrap();
    let said = desk.passerelle(&["trace", "t2/r5"]).await;
    assert!(said.out.contains(why), "{}", said.out);
}

#[tokio::test]
async fn an_event_that_was_accepted_a_moment_ago_is_found_before_any_worker_has_recorded_it() {
    let desk = Desk::new().unwrap();
    let queue = desk.queue().unwrap();
    let _ = queue
        .accept(delivery("fresh", at(0), &[(5, Sync)]).unwrap())
        .await
        .unwrap();
    let said = desk.passerelle(&["trace", "fresh", "--json"]).await;
    assert_eq!(said.code, 0, "{}", said.err);
    let report: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(report["events"][0]["key"]["event"], "fresh");
    assert_eq!(report["ledger"], "complete");
    assert_eq!(queue.stats().await.unwrap().ledger_backlog, 0);
    assert_eq!(
        desk.passerelle(&["trace", "7-fresh-0"]).await.code,
        0,
        "a delivery key is understood too"
    );
}

#[tokio::test]
async fn an_unreachable_redis_is_said_and_what_is_known_is_shown() {
    let mut desk = Desk::new().unwrap();
    desk.remember(vec![accepted(1, "e1", &[(5, Sync)]).unwrap()])
        .await
        .unwrap();
    desk.redis.kill().unwrap();
    let said = desk.passerelle(&["trace", "e1"]).await;
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(
        said.out.contains("the newest facts may be missing here"),
        "{}",
        said.out
    );
}

#[tokio::test]
async fn an_unknown_event_fails_with_advice() {
    let desk = Desk::new().unwrap();
    let said = desk.passerelle(&["trace", "nobody-knows"]).await;
    assert_eq!((said.code, said.out.as_str()), (1, ""));
    assert!(said.err.contains("Check the webhook in Baserow"), "{}", said.err);
    assert_eq!(desk.passerelle(&["trace"]).await.code, 2);
}

#[tokio::test]
async fn a_row_is_found_by_the_address_of_itself_and_of_its_page() {
    let desk = Desk::new().unwrap();
    let store = desk
        .remember(vec![accepted(1, "e1", &[(5, Sync)]).unwrap()])
        .await
        .unwrap();
    let link = Link {
        row: row(5).unwrap(),
        slot: Slot::parse("page").unwrap(),
        page: PageId::parse("0198b7a0-0000-7000-8000-000000000001").unwrap(),
        slug_id: "Xa3kQ9b2Lm".to_owned(),
        space: "s".to_owned(),
        state: LinkState::Synced("00ff".to_owned()),
        written: at(0),
        as_of: None,
        version: 0,
    };
    store.save_link(&link).await.unwrap();
    for address in [
        "https://baserow.example.org/database/1/table/2/77/row/5",
        "https://wiki.example.org/s/agence/p/refonte-du-site-Xa3kQ9b2Lm",
    ] {
        let said = desk.passerelle(&["trace", address]).await;
        assert_eq!(said.code, 0, "{address}: {}", said.err);
        assert!(said.out.contains("e1"), "{address}: {}", said.out);
    }
    let unknown = desk
        .passerelle(&["trace", "https://wiki.example.org/p/Zz3kQ9b2Lm"])
        .await;
    assert!(
        unknown.code == 1 && unknown.err.contains("give the row instead"),
        "{}",
        unknown.err
    );
}
