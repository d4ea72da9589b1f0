//! `dead replay`: the canary, Ctrl-C, and letters that have been overtaken.

use passerelle_model::event::Disposition::Sync;
use passerelle_model::ledger::{FailureClass, Verdict};
use passerelle_model::outcome::Outcome;
use test_support::eventually;

use crate::desk::{Desk, at, delivery, failure};

fn give_up() -> Verdict {
    Verdict::Bury {
        reason: "permanent".to_owned(),
        failure: failure(FailureClass::Permanent),
    }
}

/// A desk with six dead letters, of rows 1 to 6.
async fn with_letters() -> anyhow::Result<Desk> {
    let desk = Desk::new()?;
    let queue = desk.queue()?;
    let rows: Vec<_> = (1..=6).map(|row| (row, Sync)).collect();
    let _ = queue.accept(delivery("e1", at(0), &rows)?).await?;
    let worker = desk.worker(|_| give_up())?;
    eventually("six jobs are given up", async || match queue.stats().await {
        Ok(stats) if stats.dead == 6 => Ok(()),
        other => Err(other),
    })
    .await;
    worker.abort();
    Ok(desk)
}

#[tokio::test]
async fn when_the_first_letters_die_again_the_others_stay_untouched() {
    let desk = with_letters().await.unwrap();
    let worker = desk.worker(|_| give_up()).unwrap();
    let said = desk
        .passerelle(&["dead", "replay", "--all", "--rate", "1000", "--why", "mended"])
        .await;
    worker.abort();
    assert_eq!(said.code, 1);
    assert!(
        said.out.contains("3 of 6") && said.err.contains("was replayed first and ended as dead"),
        "{} {}",
        said.out,
        said.err
    );
}

#[tokio::test]
async fn when_the_first_letters_end_well_the_others_follow() {
    let desk = with_letters().await.unwrap();
    let worker = desk.worker(|_| Verdict::Done(Outcome::Synced)).unwrap();
    let said = desk
        .passerelle(&["dead", "replay", "--all", "--rate", "1000", "--why", "mended"])
        .await;
    worker.abort();
    assert_eq!(
        (said.code, said.out.trim()),
        (0, "6 of 6 dead letters replayed."),
        "{}",
        said.err
    );
}

#[tokio::test]
async fn ctrl_c_stops_between_two_letters_and_says_what_was_done() {
    let desk = with_letters().await.unwrap();
    desk.stop.cancel();
    let said = desk
        .passerelle(&["dead", "replay", "--all", "--no-canary", "--why", "mended"])
        .await;
    assert_eq!(said.code, 130);
    assert!(said.err.contains("stopped after 0 of 6"), "{}", said.err);
    assert_eq!(desk.queue().unwrap().stats().await.unwrap().dead, 6);
}

#[tokio::test]
async fn an_export_has_one_letter_per_line() {
    let desk = with_letters().await.unwrap();
    let said = desk
        .passerelle(&["dead", "export", "--table", "t2", "--text", "DOCMOST"])
        .await;
    assert_eq!((said.code, said.out.lines().count()), (0, 6), "{}", said.err);
}

#[tokio::test]
async fn a_letter_that_is_replayed_twice_has_one_effect() {
    let desk = with_letters().await.unwrap();
    let queue = desk.queue().unwrap();
    let letters = queue.dead_letters(None, 10).await.unwrap();
    let id = letters[0].id.clone();
    let first = desk.passerelle(&["dead", "replay", &id]).await;
    assert_eq!(first.code, 0, "{}", first.err);
    let second = desk.passerelle(&["dead", "replay", &id]).await;
    assert_eq!(second.code, 1, "the letter is gone: {}", second.out);
    let stats = queue.stats().await.unwrap();
    assert_eq!((stats.active, stats.dead), (1, 5));

    let worker = desk.worker(|_| Verdict::Done(Outcome::Synced)).unwrap();
    eventually("the row is synced", async || match queue.stats().await {
        Ok(stats) if stats.active + stats.running == 0 => Ok(()),
        other => Err(other),
    })
    .await;
    worker.abort();
    let traced = desk
        .passerelle(&["--json", "trace", &format!("bridge:replay-{id}")])
        .await;
    let report: serde_json::Value = serde_json::from_str(&traced.out).unwrap();
    let report = &report["events"];
    assert_eq!(report.as_array().map(Vec::len), Some(1), "{}", traced.out);
    assert_eq!(report[0]["items"][0]["attempts"].as_array().map(Vec::len), Some(1));
}
