//! Programs that start while what they need is away: they wait, say so, and then work.

use system_tests::System;
use system_tests::system::STOPS_WITHIN;
use test_support::TestPostgres;

use crate::world::{delivery, have_one_page_each, project, readiness, start_worker};

#[tokio::test]
async fn a_worker_that_starts_while_redis_is_away_says_so_and_works_when_it_is_there() {
    let mut system = System::builder().workers(0).start().await.unwrap();
    system.redis.kill().unwrap();
    let worker = start_worker(&mut system, &[]).unwrap();
    readiness(&system, &worker, 503, "waiting for Redis").await;
    system.wait_for_log("Redis does not answer").await;

    system.redis.boot().unwrap();
    readiness(&system, &worker, 200, "ready").await;
    let row = project(&system, "Refonte").await.unwrap();
    have_one_page_each(&system, &[row]).await;
}

#[tokio::test]
async fn a_worker_that_starts_while_the_database_is_away_takes_no_job_says_so_and_works_when_it_is_there() {
    let postgres = TestPostgres::start().unwrap();
    let builder = System::builder().workers(0).database(&postgres.url());
    let mut system = builder.start().await.unwrap();
    postgres.kill().unwrap();
    let row = project(&system, "Refonte").await.unwrap();
    let worker = start_worker(&mut system, &[]).unwrap();
    readiness(&system, &worker, 503, "waiting for the database").await;
    let stats = system.queue.stats().await.unwrap();
    assert_eq!((stats.active, stats.running), (1, 0));
    system.wait_for_log("waiting for it").await;

    postgres.boot().unwrap();
    readiness(&system, &worker, 200, "ready").await;
    have_one_page_each(&system, &[row]).await;
    let log = system.workers[0].output();
    assert_eq!(log.matches("waiting for it").count(), 1, "{log}");
}

#[tokio::test]
async fn a_worker_that_waits_for_the_database_stops_when_it_is_told() {
    let postgres = TestPostgres::start().unwrap();
    let builder = System::builder().workers(0).database(&postgres.url());
    let mut system = builder.start().await.unwrap();
    postgres.kill().unwrap();
    let worker = start_worker(&mut system, &[]).unwrap();
    readiness(&system, &worker, 503, "waiting for the database").await;
    let ended = system.workers[0].stop(STOPS_WITHIN).await.unwrap();
    assert!(ended.success(), "{ended}");
}

#[tokio::test]
async fn an_ingress_that_starts_while_redis_is_away_takes_deliveries_at_once() {
    let mut system = System::builder().workers(0).without_webhook().start().await.unwrap();
    system.ingress.kill().unwrap();
    system.redis.kill().unwrap();
    system.start_ingress().unwrap();
    let ingress = system.ingress_url.clone();
    readiness(&system, &ingress, 200, "does not take a write").await;
    let answer = system.caller().post(delivery(1, 1)).await.unwrap();
    assert_eq!((answer.status, answer.body["status"].as_str()), (200, Some("queued")));
    system.redis.boot().unwrap();
    test_support::eventually("it is in the queue", async || match system.queue.stats().await {
        Ok(stats) if stats.active == 1 => Ok(()),
        other => Err(format!("{other:?}\n{}", system.logs())),
    })
    .await;
    system.expect_open(1);
}
