//! `jobs` and `run-now`: what waits, why, and having it run now.

use std::time::Duration;

use passerelle_model::event::Disposition::Sync;
use passerelle_model::id::JobKey;
use passerelle_model::ledger::{FailureClass, LedgerRecord, Verdict};
use passerelle_queue::Queue;
use passerelle_store::Named;
use test_support::eventually;

use crate::desk::{Desk, Said, at, delivery, failure};

const HOUR: u64 = 3_600_000;

/// Row 1 is held, row 2 has failed, row 3 waits for a worker.
async fn with_jobs() -> anyhow::Result<(Desk, Queue)> {
    let desk = Desk::new()?;
    let queue = desk.queue()?;
    let worker = desk.worker(|job| {
        let failure = failure(FailureClass::Transient);
        match job.key.row().map(|row| row.row.get()) {
            Some(1) => Verdict::Hold {
                after_ms: HOUR,
                failure,
            },
            _ => Verdict::Retry {
                after_ms: HOUR,
                failure,
            },
        }
    })?;
    let _durable = queue.accept(delivery("e1", at(0), &[(1, Sync), (2, Sync)])?).await?;
    waiting(&queue, 2).await;
    worker.abort();
    let _ = worker.await;
    let _durable = queue.accept(delivery("e2", at(0), &[(3, Sync)])?).await?;
    Ok((desk, queue))
}

async fn waiting(queue: &Queue, count: u64) {
    eventually("they wait for their time", async || match queue.stats().await {
        Ok(stats) if stats.scheduled == count => Ok(()),
        other => Err(other),
    })
    .await;
}

fn line<'a>(said: &'a Said, job: &str) -> &'a str {
    let mut lines = said.out.lines();
    lines.find(|line| line.starts_with(job)).unwrap_or_default()
}

#[tokio::test]
async fn each_job_is_listed_with_what_it_waits_for_until_when_and_its_last_failure() {
    let (desk, queue) = with_jobs().await.unwrap();
    let store = desk.remember(Vec::new()).await.unwrap();
    let names = [("projet".to_owned(), "2".to_owned())];
    store.remember_names(Named::Table, &names).await.unwrap();
    let said = desk.passerelle(&["jobs"]).await;
    assert_eq!(said.code, 0, "{}", said.err);
    for (job, parts) in [
        ("t2/r1", ["projet", " held ", "0  it waits through no fault of its own"]),
        ("t2/r2", ["projet", " scheduled ", "1  it failed, and is tried again"]),
        ("t2/r3", ["projet", " queued ", "0  no worker is alive"]),
    ] {
        let line = line(&said, job);
        assert!(parts.iter().all(|part| line.contains(part)), "{job}: {}", said.out);
    }
    assert_eq!(said.out.matches("last failure").count(), 2, "{}", said.out);
    assert!(said.out.contains("Docmost answered 503"), "{}", said.out);
    assert!(
        said.out.contains("3 of 3 jobs: 1 queued, 1 scheduled, 1 held."),
        "{}",
        said.out
    );

    queue.pause("Ada", "a move").await.unwrap();
    let said = desk.passerelle(&["jobs", "--state", "queued"]).await;
    assert!(
        line(&said, "t2/r3").ends_with("the queue is paused by Ada (a move)"),
        "{}",
        said.out
    );
    assert!(!said.out.contains("t2/r1"), "{}", said.out);
}

#[tokio::test]
async fn jobs_are_answered_as_json_page_by_page() {
    let (desk, _queue) = with_jobs().await.unwrap();
    let first = desk
        .passerelle(&["--json", "jobs", "--table", "2", "--limit", "2"])
        .await;
    let first: serde_json::Value = serde_json::from_str(&first.out).unwrap();
    assert_eq!(first["counts"]["held"], 1);
    assert_eq!(first["jobs"][0]["last_failure"]["class"], "transient");
    let moment = |field: &str| -> Option<jiff::Timestamp> { first["jobs"][0][field].as_str()?.parse().ok() };
    let hour = moment("until").zip(moment("since"));
    let hour = hour.map(|(until, since)| until.as_millisecond() - since.as_millisecond());
    assert_eq!(hour, i64::try_from(HOUR).ok(), "{first}");
    let next = first["next"].as_str().unwrap();
    let rest = desk
        .passerelle(&["--json", "jobs", "--after", next, "--limit", "2"])
        .await;
    let rest: serde_json::Value = serde_json::from_str(&rest.out).unwrap();
    assert_eq!(rest["jobs"][0]["job"], "t2/r3");
    assert!(rest["next"].is_null() && rest["jobs"][1].is_null(), "{rest}");
    let none = desk.passerelle(&["jobs", "--table", "3"]).await;
    assert_eq!((none.code, none.out.trim()), (0, "No such jobs."));
}

#[tokio::test]
async fn jobs_are_listed_without_the_ledger_and_the_answer_says_that_it_is_not_complete() {
    let (desk, _queue) = with_jobs().await.unwrap();
    let away = [("DATABASE_URL", "sqlite:///nowhere/at/all.sqlite")];
    let said = desk.passerelle_with(&["jobs"], &away).await;
    assert_eq!(said.code, 1);
    assert!(line(&said, "t2/r1").contains("held"), "{}", said.out);
    assert!(said.out.contains("Not read: the ledger"), "{}", said.out);
}

#[tokio::test]
async fn waiting_jobs_of_a_table_run_now_and_the_ledger_keeps_who_and_why() {
    let (desk, queue) = with_jobs().await.unwrap();
    let usage = desk.passerelle(&["run-now", "--table", "2", "--why", "x"]).await;
    assert_eq!(usage.code, 2, "which of them? {}", usage.out);
    let unfounded = desk.passerelle(&["run-now", "t2/r1", "--why", " "]).await;
    assert_eq!(unfounded.code, 2, "{}", unfounded.out);

    let mended = ["run-now", "--table", "t2", "--held", "--why", "it is mended"];
    let dry = desk.passerelle(&[&mended[..], &["--dry-run"]].concat()).await;
    assert!(
        dry.code == 0 && dry.out.contains("1 jobs would run now"),
        "{}{}",
        dry.out,
        dry.err
    );
    waiting(&queue, 2).await;
    let said = desk.passerelle(&mended).await;
    assert!(
        said.code == 0 && said.out.contains("1 jobs are ready now"),
        "{}{}",
        said.out,
        said.err
    );
    assert!(said.out.contains("no worker is alive"), "{}", said.out);
    waiting(&queue, 1).await;
    let both = [
        "run-now",
        "--table",
        "2",
        "--held",
        "--scheduled",
        "--why",
        "all of them",
    ];
    let said = desk.passerelle(&both).await;
    assert!(
        said.code == 0 && said.out.contains("1 jobs are ready now"),
        "{}{}",
        said.out,
        said.err
    );
    waiting(&queue, 0).await;

    let ledger = queue.read_ledger(None, 100).await.unwrap();
    let facts = ledger.into_iter().flat_map(|entry| entry.records).flatten();
    let acts: Vec<String> = facts
        .filter_map(|fact| match fact {
            LedgerRecord::Switched { on, act, by, why, .. } => Some(format!("{on} {act} by {by}: {why}")),
            _ => None,
        })
        .collect();
    assert_eq!(
        acts,
        [
            "job/t2/r1 run_now by camille: it is mended",
            "job/t2/r2 run_now by camille: all of them"
        ]
    );
}

#[tokio::test]
async fn who_had_a_job_run_now_and_why_is_told_by_its_trace_and_among_the_acts() {
    let (desk, _queue) = with_jobs().await.unwrap();
    let said = desk.passerelle(&["run-now", "t2/r1", "--why", "it is mended"]).await;
    assert_eq!(said.code, 0, "{}", said.err);
    let traced = desk.passerelle(&["trace", "t2/r1"]).await;
    assert!(
        traced.out.contains("run_now by camille: it is mended"),
        "{}",
        traced.out
    );
    let other = desk.passerelle(&["trace", "t2/r2"]).await;
    assert!(!other.out.contains("run_now"), "{}", other.out);
    let acts = desk.passerelle(&["acts"]).await;
    let line = acts
        .out
        .lines()
        .find(|line| line.contains("job/t2/r1"))
        .unwrap_or_default();
    for part in ["camille", "run_now", "it is mended"] {
        assert!(line.contains(part), "{part}: {}", acts.out);
    }
}

#[tokio::test]
async fn a_job_that_cannot_run_now_is_refused_with_the_reason() {
    let (desk, queue) = with_jobs().await.unwrap();
    let said = desk.passerelle(&["run-now", "t2/r9", "--why", "x"]).await;
    assert_eq!(said.code, 1);
    assert!(said.out.contains("passerelle sync t2/r9"), "{}", said.out);

    let job = JobKey::parse("t2/r7").unwrap();
    let hour = Duration::from_millis(HOUR);
    queue
        .hold_table(&job, "the field Nom is gone", hour, hour)
        .await
        .unwrap();
    for (row, dry) in [("t2/r1", true), ("t2/r3", true), ("t2/r1", false), ("t2/r3", false)] {
        let more = if dry { &["--dry-run"][..] } else { &[] };
        let said = desk.passerelle(&[&["run-now", row, "--why", "x"], more].concat()).await;
        assert_eq!(said.code, 1, "{row}, dry run: {dry}: {}", said.out);
        assert!(
            said.out.contains("its rule is broken (the field Nom is gone)"),
            "{}",
            said.out
        );
        assert!(said.err.contains("1 of 1 jobs cannot run now"), "{}", said.err);
    }
    let listed = desk.passerelle(&["jobs", "t2/r3"]).await;
    let line = line(&listed, "t2/r3");
    assert!(
        line.contains(" held ") && line.ends_with("the rule of its table is broken: the field Nom is gone"),
        "{}",
        listed.out
    );
    waiting(&queue, 2).await;
}
