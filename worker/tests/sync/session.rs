//! One session with Docmost for all replicas, and no job pays for its troubles.

use passerelle_model::ledger::{FailureClass, Verdict};
use passerelle_model::outcome::Outcome;
use passerelle_sandbox::faults::{Fault, FaultKind};

use crate::world::{World, attempt};

const LOGIN: &str = "/api/auth/login";

#[tokio::test]
async fn replicas_share_one_login() {
    let world = World::start().await.unwrap();
    let replica = world.replica().await.unwrap();
    let mut rows = Vec::new();
    for number in 0..6 {
        rows.push(world.project(&format!("P{number}")).await.unwrap());
    }
    let jobs = rows.iter().enumerate().map(|(number, row)| {
        let context = if number % 2 == 0 { &world.context } else { &replica };
        attempt(context, *row)
    });
    for settlement in futures::future::join_all(jobs).await {
        assert_eq!(settlement.verdict, Verdict::Done(Outcome::Synced));
    }
    assert_eq!(world.docmost.calls.count(LOGIN), 1);
    assert_eq!(world.pages().await.unwrap().len(), 6);

    // A process that starts later needs no login at all.
    let row = world.project("late").await.unwrap();
    let restarted = world.replica().await.unwrap();
    assert_eq!(attempt(&restarted, row).await.verdict, Verdict::Done(Outcome::Synced));
    assert_eq!(world.docmost.calls.count(LOGIN), 1);
}

#[tokio::test]
async fn a_token_that_docmost_refuses_is_renewed_once_and_the_job_goes_on() {
    let world = World::start().await.unwrap();
    let replica = world.replica().await.unwrap();
    let (first, second) = (world.project("A").await.unwrap(), world.project("B").await.unwrap());
    world.synced(first).await.unwrap();
    world
        .docmost_control(reqwest::Method::DELETE, "sessions")
        .await
        .unwrap();
    assert_eq!(world.sync(second).await.unwrap(), Outcome::Synced);
    let third = world.project("C").await.unwrap();
    assert_eq!(attempt(&replica, third).await.verdict, Verdict::Done(Outcome::Synced));
    assert_eq!(world.docmost.calls.count(LOGIN), 2);
}

#[tokio::test]
async fn a_throttled_login_holds_the_job_for_as_long_as_docmost_says() {
    let world = World::start().await.unwrap();
    let row = world.project("A").await.unwrap();
    let throttled = FaultKind::Status {
        status: 429,
        headers: [("retry-after-auth".to_owned(), "42".to_owned())].into(),
        body: None,
    };
    world.docmost_fault(Fault::on(LOGIN, throttled).times(1));
    let Verdict::Hold { after_ms, failure } = world.attempt(row).await.verdict else {
        panic!("not held");
    };
    assert_eq!(failure.class, FailureClass::Throttled);
    assert!(after_ms >= 42_000, "{after_ms}");
    assert_eq!(world.sync(row).await.unwrap(), Outcome::Synced);
}

#[tokio::test]
async fn wrong_credentials_hold_jobs_and_never_use_up_the_logins_that_docmost_allows() {
    let world = World::start().await.unwrap();
    let row = world.project("A").await.unwrap();
    let refused = FaultKind::Status {
        status: 401,
        headers: [].into(),
        body: None,
    };
    world.docmost_fault(Fault::on(LOGIN, refused));
    for _ in 0..20 {
        let verdict = world.attempt(row).await.verdict;
        let Verdict::Hold { failure, .. } = verdict else {
            panic!("not held: {verdict:?}");
        };
        assert_eq!(failure.class, FailureClass::Auth);
    }
    assert!(world.docmost.calls.count(LOGIN) <= 8);
}

#[tokio::test]
async fn a_cache_that_is_away_fails_no_sync() {
    let mut world = World::start().await.unwrap();
    let (first, second) = (world.project("A").await.unwrap(), world.project("B").await.unwrap());
    world.synced(first).await.unwrap();
    world.redis.kill().unwrap();
    assert_eq!(world.sync(second).await.unwrap(), Outcome::Synced);
}
