//! `doctor` on what does not move: an ingress that is down, a job that waits, a database that is
//! not there yet.

use passerelle_model::event::Disposition::Sync;
use passerelle_store::{Backlog, Intake, take_ledger};
use serde_json::json;
use test_support::eventually;

use crate::desk::{at, delivery};
use crate::doctor::{complaints, examined, sound_town};
use crate::town::Town;

#[tokio::test]
async fn an_ingress_that_does_not_answer_is_found() {
    let (town, settings) = sound_town().await.unwrap();
    let mut settings: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    settings.push(("INGRESS_URL", "http://me:geheim@127.0.0.1:1"));
    let (code, findings) = examined(&town, &settings).await.unwrap();
    assert_eq!(code, 2);
    let found = complaints(&findings, "ingress");
    assert_eq!(found.len(), 1, "{findings:?}");
    let told = found[0]["found"].as_str().unwrap();
    assert!(
        told.starts_with("http://127.0.0.1:1 does not answer: no connection"),
        "{told}"
    );
}

#[tokio::test]
async fn a_job_that_waits_too_long_is_found_by_its_age() {
    let (town, settings) = sound_town().await.unwrap();
    let settings: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let queue = town.desk.queue().unwrap();
    let delivery = delivery("e1", at(0), &[(1, Sync)]).unwrap();
    let _ = queue.accept(delivery).await.unwrap();
    let (code, findings) = examined(&town, &settings).await.unwrap();
    assert_eq!((code, complaints(&findings, "stalls").len()), (0, 0), "{findings:?}");
    // No worker takes it.
    let soon = [&settings[..], &[("STALL_QUEUED_SECONDS", "1")]].concat();
    let said = eventually("the job is old", async || {
        let (_, findings) = examined(&town, &soon).await.unwrap_or_default();
        match complaints(&findings, "stalls").as_slice() {
            [found] => Ok(found["found"].as_str().unwrap_or_default().to_owned()),
            _ => Err(format!("{findings:?}")),
        }
    })
    .await;
    assert!(said.starts_with("the oldest queued job waits since "), "{said}");
}

#[tokio::test]
async fn a_redis_that_does_not_forget_what_the_database_has_is_found_and_is_no_backlog() {
    let (town, settings) = sound_town().await.unwrap();
    let settings: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let (queue, store) = (
        town.desk.queue().unwrap(),
        town.desk.remember(Vec::new()).await.unwrap(),
    );
    while take_ledger(&queue, &store, 500).await.unwrap() != Intake::Empty {}
    for _ in 0..1_501 {
        queue.note_act("gate/smtp", "ramp", "lea", "it is well").await.unwrap();
    }
    let unread = Backlog { unread: 1_501, kept: 0 };
    assert_eq!(store.backlog(&queue).await.unwrap(), unread);
    let (_, findings) = examined(&town, &settings).await.unwrap();
    assert!(complaints(&findings, "ledger").is_empty(), "{findings:?}");
    // A writer that may not trim the stream.
    let (position, entries) = (
        store.ledger_position().await.unwrap(),
        queue.read_ledger(None, 2_000).await.unwrap(),
    );
    store.record(&entries, position.as_deref()).await.unwrap();
    let kept = Backlog { unread: 0, kept: 1_501 };
    assert_eq!(store.backlog(&queue).await.unwrap(), kept);
    let (_, findings) = examined(&town, &settings).await.unwrap();
    let found = complaints(&findings, "ledger");
    assert_eq!(found.len(), 1, "{findings:?}");
    assert!(
        found[0]["found"]
            .as_str()
            .unwrap_or_default()
            .contains("keeps 1501 entries"),
        "{findings:?}"
    );
}

#[tokio::test]
async fn a_database_that_no_worker_has_created_yet_is_no_failure() {
    let town = Town::start().unwrap();
    let new = format!("sqlite://{}/new/store.sqlite", town.desk.database().display());
    let (_, findings) = examined(&town, &[("DATABASE_URL", new.as_str())]).await.unwrap();
    let found = complaints(&findings, "store");
    assert_eq!((found.len(), &found[0]["state"]), (1, &json!("warn")), "{findings:?}");
    assert!(complaints(&findings, "conservation").is_empty(), "{findings:?}");
}
