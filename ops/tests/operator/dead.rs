//! `dead`: real letters of a real queue.

use apalis::prelude::*;
use passerelle_model::event::Disposition::Sync;
use passerelle_model::id::ProcessName;
use passerelle_model::ledger::{FailureClass, Settlement, Verdict};
use passerelle_model::time::Timestamp;
use passerelle_queue::{BackendSettings, CrashPolicy, DeadLetter, Leased, Queue};
use reqwest::Method;
use serde_json::json;
use test_support::eventually;

use crate::desk::{Desk, at, delivery, failure};
use crate::town::Town;

async fn give_up(job: Leased) {
    let verdict = Verdict::Bury {
        reason: "permanent".to_owned(),
        failure: failure(FailureClass::Permanent),
    };
    let started = Timestamp::now();
    job.settle(Settlement {
        verdict,
        steps: Vec::new(),
        started,
    })
    .await;
}

/// A desk with three dead letters, of rows 1 to 3.
async fn with_letters() -> anyhow::Result<(Desk, Queue, Vec<DeadLetter>)> {
    let desk = Desk::new()?;
    let queue = desk.queue()?;
    let _ = queue
        .accept(delivery("e1", at(0), &[(1, Sync), (2, Sync), (3, Sync)])?)
        .await?;
    give_all_up(&queue).await;
    let letters = queue.dead_letters(None, 10).await?;
    Ok((desk, queue, letters))
}

async fn give_all_up(queue: &Queue) {
    let name = ProcessName::unique("worker");
    let worker = WorkerBuilder::new(name.as_str())
        .backend(queue.backend(BackendSettings::new(name.clone(), 1, CrashPolicy::of_seconds(1, 10))))
        .concurrency(1)
        .build(give_up);
    let running = tokio::spawn(worker.run());
    eventually("the jobs are given up", async || match queue.stats().await {
        Ok(stats) if stats.dead == 3 && stats.active + stats.running == 0 => Ok(()),
        other => Err(other),
    })
    .await;
    running.abort();
}

#[tokio::test]
async fn a_dry_run_of_a_replay_says_what_would_become_of_each_page() {
    let town = Town::start().unwrap();
    let row = json!({"Nom": "Éole", "Statut": "En cours"});
    let rows = "rows/table/2/?user_field_names=true";
    town.baserow_as_user(Method::POST, rows, Some(row)).await.unwrap();
    let queue = town.desk.queue().unwrap();
    let letters = delivery("e1", at(0), &[(1, Sync), (2, Sync), (3, Sync)]).unwrap();
    let _ = queue.accept(letters).await.unwrap();
    give_all_up(&queue).await;
    let said = town.passerelle(&["dead", "replay", "--all", "--dry-run"]).await;
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    for line in [
        "t2/r1: a sync would make its page.",
        "t2/r2: not compared with its page: the row does not exist",
        "t2/r3: not compared with its page: the row does not exist",
    ] {
        assert!(said.out.contains(line), "{line}: {}", said.out);
    }
}

#[tokio::test]
async fn the_letter_of_a_row_that_died_again_says_how_often_and_since_when() {
    let (desk, queue, letters) = with_letters().await.unwrap();
    let first = letters.iter().find(|letter| letter.job.to_string() == "t2/r1").unwrap();
    let _ = queue
        .accept(delivery("e2", at(1), &[(1, Sync)]).unwrap())
        .await
        .unwrap();
    give_all_up(&queue).await;
    let listed = desk.passerelle(&["dead", "list"]).await;
    assert!(listed.out.contains("died 2 times; docmost"), "{}", listed.out);
    let id = &queue.dead_letters(None, 1).await.unwrap()[0].id;
    let shown = desk.passerelle(&["dead", "show", id]).await;
    let died = first.first_died().to_string();
    let since = format!(
        "died 2 times since {}",
        passerelle_ops::local_time::local_times(&died, &jiff::tz::TimeZone::UTC)
    );
    assert!(shown.out.contains(&since), "{since}: {}", shown.out);
    let former = desk.passerelle(&["dead", "show", &first.id]).await;
    assert!(former.err.contains("has its job died again"), "{}", former.err);
}

#[tokio::test]
async fn a_letter_is_listed_shown_and_replayed_once() {
    let (desk, queue, letters) = with_letters().await.unwrap();
    let id = letters[0].id.as_str();
    let listed = desk
        .passerelle(&["dead", "list", "--table", "2", "--reason", "permanent"])
        .await;
    assert!(
        listed.out.contains("3 of 3 dead letters") && listed.out.contains(id),
        "{}",
        listed.out
    );
    let shown = desk.passerelle(&["dead", "show", id]).await;
    assert!(
        shown.out.contains("Docmost answered 503") && shown.out.contains("Event e1"),
        "{}",
        shown.out
    );

    let replayed = desk
        .passerelle(&["dead", "replay", id, "--why", "the title is allowed now"])
        .await;
    assert_eq!(
        (replayed.code, replayed.out.trim()),
        (0, "1 of 1 dead letters replayed.")
    );
    let stats = queue.stats().await.unwrap();
    assert_eq!((stats.dead, stats.active), (2, 1));
    let again = desk.passerelle(&["dead", "replay", id]).await;
    assert_eq!(again.code, 1);
    assert!(again.err.contains(id), "{}", again.err);

    let row = &letters[0].job.to_string();
    let traced = desk.passerelle(&["trace", row]).await;
    assert!(
        traced.out.contains("camille replayed it as event")
            && traced.out.contains("(the title is allowed now)")
            && traced.out.contains("requested  by camille: the title is allowed now"),
        "{}",
        traced.out
    );
}

#[tokio::test]
async fn replaying_all_needs_a_reason_and_a_dry_run_of_it_does_not() {
    let (desk, queue, _) = with_letters().await.unwrap();
    for why in [&[][..], &["--why", " "]] {
        let said = desk.passerelle(&[&["dead", "replay", "--all"], why].concat()).await;
        assert_eq!(said.code, 2, "{}", said.out);
        assert!(said.err.contains("--why"), "{}", said.err);
    }
    assert_eq!(desk.passerelle(&["dead", "replay", "--all", "--dry-run"]).await.code, 0);
    assert_eq!(queue.stats().await.unwrap().dead, 3);
}

#[tokio::test]
async fn a_dry_run_changes_nothing() {
    let (desk, queue, _) = with_letters().await.unwrap();
    let said = desk
        .passerelle(&["dead", "replay", "--all", "--limit", "2", "--dry-run"])
        .await;
    assert!(said.out.contains("2 dead letters would be replayed"), "{}", said.out);
    assert_eq!(queue.stats().await.unwrap().dead, 3);
}

#[tokio::test]
async fn a_discard_needs_a_reason_and_is_kept_with_it() {
    let (desk, queue, letters) = with_letters().await.unwrap();
    assert_eq!(desk.passerelle(&["dead", "discard", "--all"]).await.code, 2);
    assert_eq!(
        desk.passerelle(&["dead", "discard", "--all", "--why", " "]).await.code,
        2
    );
    let said = desk
        .passerelle(&["dead", "discard", "--all", "--why", "the customer left", "--by", "noor"])
        .await;
    assert_eq!(said.out.trim(), "3 of 3 dead letters discarded.");
    assert_eq!(queue.stats().await.unwrap().dead, 0);
    let traced = desk.passerelle(&["trace", &letters[2].job.to_string()]).await;
    assert!(
        traced.out.contains("noor discarded it: the customer left."),
        "{}",
        traced.out
    );
    let empty = desk.passerelle(&["dead", "list"]).await;
    assert_eq!(empty.out.trim(), "No dead letters.");
}

#[tokio::test]
async fn letters_of_a_table_are_found_by_its_number_and_by_its_address() {
    let (desk, _queue, _letters) = with_letters().await.unwrap();
    for table in ["2", "t2", "https://baserow.example.org/database/1/table/2/77"] {
        let said = desk.passerelle(&["dead", "list", "--table", table]).await;
        assert!(
            said.code == 0 && said.out.contains("t2/r1"),
            "{table}: {}{}",
            said.out,
            said.err
        );
    }
    let other = desk.passerelle(&["dead", "list", "--table", "3"]).await;
    assert!(other.code == 0 && !other.out.contains("t2/r1"), "{}", other.out);
}
