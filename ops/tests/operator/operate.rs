//! `sync`, `pause`, `resume`, `workers`, `stats --watch`: what an operator does to a running
//! bridge.

use passerelle_model::event::Disposition::Sync;
use passerelle_model::id::ProcessName;
use passerelle_model::ledger::{LedgerRecord, Verdict};
use passerelle_model::outcome::Outcome;
use passerelle_queue::WorkerInfo;
use test_support::eventually;

use crate::desk::{Desk, at, delivery};

#[tokio::test]
async fn a_forced_sync_is_queued_with_an_event_to_trace_it_by() {
    let desk = Desk::new().unwrap();
    let said = desk.passerelle(&["--json", "sync", "2/42"]).await;
    assert_eq!(said.code, 0, "{}", said.err);
    let report: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    let event = report["event"].as_str().unwrap();
    assert_eq!(desk.queue().unwrap().stats().await.unwrap().active, 1);
    let traced = desk.passerelle(&["trace", event]).await;
    assert!(
        traced.out.contains("t2/r42") && traced.out.contains("requested  by camille: requested by hand"),
        "{}",
        traced.out
    );
}

#[tokio::test]
async fn who_asked_for_a_sync_and_why_is_told_by_its_trace() {
    let desk = Desk::new().unwrap();
    let arguments = ["sync", "2/42", "--by", "noor", "--why", "the customer called"];
    assert_eq!(desk.passerelle(&arguments).await.code, 0);
    let traced = desk.passerelle(&["trace", "t2/r42"]).await;
    assert!(
        traced.out.contains("requested  by noor: the customer called"),
        "{}",
        traced.out
    );
}

#[tokio::test]
async fn a_dry_run_asks_nobody_for_a_name_and_an_act_does() {
    let desk = Desk::new().unwrap();
    desk.with_schema().await;
    let nobody = [("USER", "")];
    for verb in [
        &["run-now", "t2/r42", "--why", "a test"][..],
        &["notices", "discard", "--rule", "projet-page", "--why", "a test"],
        &["dead", "replay", "--all", "--why", "a test"],
        &["dead", "discard", "--all", "--why", "a test"],
    ] {
        let planned = desk.passerelle_with(&[verb, &["--dry-run"]].concat(), &nobody).await;
        assert!(!planned.err.contains("--by"), "{verb:?}: {}", planned.err);
        let acted = desk.passerelle_with(verb, &nobody).await;
        assert!(
            acted.err.contains("say who you are with --by"),
            "{verb:?}: {}",
            acted.err
        );
    }
}

#[tokio::test]
async fn waiting_for_a_sync_tells_how_it_ended() {
    let desk = Desk::new().unwrap();
    let worker = desk.worker(|_| Verdict::Done(Outcome::Synced)).unwrap();
    let said = desk.passerelle(&["sync", "t2/r42", "--wait"]).await;
    worker.abort();
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(said.out.contains("synced"), "{}", said.out);
    assert!(
        said.err.contains("It may wait: no worker is alive."),
        "this one sends no heartbeat: {}",
        said.err
    );
}

#[tokio::test]
async fn waiting_for_a_sync_says_what_it_waits_for() {
    let desk = Desk::new().unwrap();
    desk.with_schema().await;
    let queue = desk.queue().unwrap();
    queue.pause("Ada", "a move").await.unwrap();
    let told = "Waiting for row t2/r42: the queue is paused by Ada (a move).";
    let said = desk.passerelle_until(&["sync", "t2/r42", "--wait"], told).await;
    assert_eq!(said.err.matches(told).count(), 1, "{}", said.err);
}

#[tokio::test]
async fn ctrl_c_ends_the_waiting_and_not_the_sync() {
    let desk = Desk::new().unwrap();
    desk.stop.cancel();
    let said = desk.passerelle(&["sync", "t2/r42", "--wait"]).await;
    assert_eq!(said.code, 130);
    assert!(said.err.contains("passerelle trace bridge:force-"), "{}", said.err);
    assert_eq!(desk.queue().unwrap().stats().await.unwrap().active, 1);
}

#[tokio::test]
async fn a_tables_name_needs_baserow_and_the_answer_says_so() {
    let desk = Desk::new().unwrap();
    let said = desk.passerelle(&["sync", "projet/42"]).await;
    assert_eq!(said.code, 2);
    assert!(
        said.err.contains("BASEROW_URL") && said.err.contains("number"),
        "{}",
        said.err
    );
}

#[tokio::test]
async fn a_pause_holds_the_queue_shows_who_and_why_and_is_kept_in_the_ledger() {
    let desk = Desk::new().unwrap();
    let queue = desk.queue().unwrap();
    assert_eq!(desk.passerelle(&["pause", "--why", " "]).await.code, 2);
    let paused = desk.passerelle(&["pause", "--why", "Docmost moves"]).await;
    assert!(paused.out.contains("sync is paused"), "{}", paused.out);
    let stats = desk.passerelle(&["stats"]).await;
    assert!(stats.out.contains("by camille (Docmost moves)"), "{}", stats.out);

    let _ = queue
        .accept(delivery("e1", at(0), &[(1, Sync)]).unwrap())
        .await
        .unwrap();
    let worker = desk.worker(|_| Verdict::Done(Outcome::Synced)).unwrap();
    assert_eq!(queue.stats().await.unwrap().active, 1);
    let resumed = desk.passerelle(&["resume", "--why", "moved", "--by", "noor"]).await;
    assert!(resumed.out.contains("is running again"), "{}", resumed.out);
    eventually("the job that waited is done", async || match queue.stats().await {
        Ok(stats) if stats.active + stats.running == 0 => Ok(()),
        other => Err(other),
    })
    .await;
    worker.abort();
    let again = desk.passerelle(&["resume", "--why", "moved"]).await;
    assert!(again.out.contains("was not paused"), "{}", again.out);
}

#[tokio::test]
async fn pausing_writes_one_fact_and_resuming_another() {
    let desk = Desk::new().unwrap();
    let queue = desk.queue().unwrap();
    assert!(!queue.pause("camille", "a move").await.unwrap());
    assert!(queue.resume("noor", "moved").await.unwrap());
    assert!(!queue.resume("noor", "moved").await.unwrap());
    let entries = queue.read_ledger(None, 10).await.unwrap();
    let facts: Vec<(String, String)> = entries
        .into_iter()
        .flat_map(|entry| entry.records)
        .filter_map(|record| match record {
            Ok(LedgerRecord::Switched { act, by, .. }) => Some((act, by)),
            _ => None,
        })
        .collect();
    let expected = [("paused", "camille"), ("resumed", "noor")].map(|(act, by)| (act.to_owned(), by.to_owned()));
    assert_eq!(facts, expected);
    let stats = desk.passerelle(&["stats"]).await;
    assert!(
        stats.code == 0 && !stats.out.contains("could not be read"),
        "the store takes these facts: {}",
        stats.out
    );
}

#[tokio::test]
async fn workers_are_listed_while_they_give_signs_of_life() {
    let desk = Desk::new().unwrap();
    let none = desk.passerelle(&["workers"]).await;
    assert_eq!(none.code, 1);
    assert!(none.err.contains("no worker is alive"), "{}", none.err);

    let queue = desk.queue().unwrap();
    let me = WorkerInfo::of_this_process(ProcessName::unique("worker"), 16);
    queue.beat(&me).await.unwrap();
    let alive = desk.passerelle(&["workers"]).await;
    assert_eq!(alive.code, 0, "{}", alive.err);
    assert!(
        alive.out.contains(me.name.as_str()) && alive.out.contains("0 of at most 16"),
        "{}",
        alive.out
    );
    queue.leave(&me.name).await.unwrap();
    assert_eq!(desk.passerelle(&["workers"]).await.code, 1);
}

#[tokio::test]
async fn a_running_job_is_shown_with_the_worker_that_has_it() {
    let desk = Desk::new().unwrap();
    let queue = desk.queue().unwrap();
    queue
        .force("t2/r42".parse().unwrap(), "camille", "to see it run")
        .await
        .unwrap();
    let (release, held) = std::sync::mpsc::channel::<()>();
    let held = std::sync::Mutex::new(held);
    let worker = desk
        .worker(move |_| {
            let _ = held.lock().map(|held| held.recv());
            Verdict::Done(Outcome::Synced)
        })
        .unwrap();
    let running = eventually("the job runs", async || match queue.running().await {
        Ok(running) if running.len() == 1 => Ok(running),
        other => Err(other),
    })
    .await;
    assert_eq!(running[0].job.to_string(), "t2/r42");
    assert!(running[0].worker.starts_with("worker"), "{}", running[0].worker);
    drop(release);
    worker.abort();
}

#[tokio::test]
async fn watching_ends_with_ctrl_c() {
    let desk = Desk::new().unwrap();
    desk.stop.cancel();
    assert_eq!(desk.passerelle(&["stats", "--watch"]).await.code, 0);
}
