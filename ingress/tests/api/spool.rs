//! Redis is away, and the callers are answered all the same (spec C9).

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use passerelle_model::ledger::LedgerRecord;
use test_support::eventually;

use crate::harness::{Answer, Ingress};

/// Far more than the half second after which the spool is asked, and less than Redis is given by
/// itself.
const SOON: Duration = Duration::from_millis(1400);

pub(crate) fn created(number: usize) -> String {
    format!(
        r#"{{"table_id": 2, "webhook_id": 1, "event_id": "e-{number}", "event_type": "rows.created", "items": [{{"id": {}}}]}}"#,
        number + 1
    )
}

/// Sends the deliveries of these numbers, a few at once, and returns the answers.
pub(crate) async fn deliver(ingress: &Ingress, numbers: std::ops::Range<usize>) -> anyhow::Result<Vec<Answer>> {
    let answers = numbers.map(|number| ingress.deliver(created(number)));
    let answers: Vec<_> = futures::stream::iter(answers).buffer_unordered(20).collect().await;
    answers.into_iter().collect()
}

/// How often each event was accepted, and how many repetitions there were.
async fn accepted(ingress: &Ingress) -> anyhow::Result<(BTreeMap<String, usize>, usize)> {
    let (mut accepted, mut repeated) = (BTreeMap::new(), 0);
    for record in ingress.ledger().await? {
        match record {
            LedgerRecord::Accepted(record) => {
                *accepted.entry(record.key.event.as_str().to_owned()).or_insert(0) += 1;
            }
            LedgerRecord::Duplicate { .. } => repeated += 1,
            other => anyhow::bail!("{other:?}"),
        }
    }
    Ok((accepted, repeated))
}

/// Waits until so many events were accepted, each once; returns the repetitions.
pub(crate) async fn are_accepted_once(ingress: &Ingress, count: usize) -> usize {
    eventually(&format!("{count} events accepted once"), async || {
        match accepted(ingress).await {
            Ok((events, repeated)) if events.len() == count && events.values().all(|times| *times == 1) => Ok(repeated),
            Ok((events, repeated)) => Err(format!("{} events, {repeated} repetitions", events.len())),
            Err(error) => Err(error.to_string()),
        }
    })
    .await
}

pub(crate) async fn is_empty(folder: &Path) {
    eventually("the spool is empty", async || {
        let names: Vec<_> = std::fs::read_dir(folder)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.file_name())
            .collect();
        if names.is_empty() { Ok(()) } else { Err(names) }
    })
    .await;
}

#[tokio::test]
async fn a_thousand_deliveries_without_redis_are_answered_200_and_accepted_once_when_it_is_back() {
    let mut ingress = Ingress::start().unwrap();
    ingress.redis.kill().unwrap();
    for answer in deliver(&ingress, 0..1000).await.unwrap() {
        assert_eq!((answer.status, answer.word()), (200, "queued"));
        assert_eq!(answer.body["accepted"], true);
    }
    let ready = ingress.get("/readyz").await.unwrap();
    assert_eq!(ready.status, 200);
    assert!(
        ready.body["warnings"][0].as_str().unwrap().contains("spool"),
        "{ready:?}"
    );

    ingress.redis.boot().unwrap();
    are_accepted_once(&ingress, 1000).await;
    is_empty(ingress.spool.path()).await;
    assert_eq!(ingress.queue.stats().await.unwrap().active, 1000);
    let answer = ingress.deliver(created(1000)).await.unwrap();
    assert_eq!((answer.status, answer.word()), (200, "queued"));
    are_accepted_once(&ingress, 1001).await;
    eventually("the metrics say so", async || {
        let metrics = ingress.get("/metrics").await.map_err(|error| error.to_string())?;
        let lines = [
            r#"passerelle_ingress_deliveries_total{status="spooled"} 1000"#,
            r#"passerelle_ingress_spool_drained_total{status="queued"} 1000"#,
            "passerelle_ingress_spool_bytes 0",
        ];
        let text = metrics.body.as_str().unwrap_or_default();
        match lines.iter().find(|line| !text.contains(**line)) {
            None => Ok(()),
            Some(line) => Err(format!("{line} is not in\n{text}")),
        }
    })
    .await;
}

#[tokio::test]
async fn a_delivery_that_comes_again_while_redis_is_away_is_one_event() {
    let mut ingress = Ingress::start().unwrap();
    ingress.redis.kill().unwrap();
    for _ in 0..3 {
        assert_eq!(ingress.deliver(created(0)).await.unwrap().status, 200);
        assert_eq!(ingress.deliver(created(1)).await.unwrap().status, 200);
    }
    ingress.redis.boot().unwrap();
    eventually("all are drained", async || match accepted(&ingress).await {
        Ok((events, 4)) if events.values().eq([&1, &1]) => Ok(()),
        other => Err(other.map_err(|error| error.to_string())),
    })
    .await;
    assert_eq!(ingress.queue.stats().await.unwrap().active, 2);
}

#[tokio::test]
async fn a_frozen_redis_costs_the_first_callers_half_a_second_and_nobody_a_delivery() {
    let ingress = Ingress::start().unwrap();
    ingress.deliver(created(0)).await.unwrap();
    ingress.redis.freeze().unwrap();
    let began = Instant::now();
    assert_eq!(ingress.deliver(created(1)).await.unwrap().status, 200);
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
    let each = (2..100).map(async |number| {
        let began = Instant::now();
        (ingress.deliver(created(number)).await, began.elapsed())
    });
    let answers: Vec<_> = futures::stream::iter(each).buffer_unordered(20).collect().await;
    for (answer, took) in answers {
        let answer = answer.unwrap();
        assert_eq!((answer.status, answer.word()), (200, "queued"));
        assert!(took < SOON, "{took:?}");
    }
    ingress.redis.thaw().unwrap();
    are_accepted_once(&ingress, 100).await;
}

#[tokio::test]
async fn a_full_spool_refuses_with_a_time_to_come_back_and_says_so() {
    let mut ingress = Ingress::start_with(&[("INGRESS_SPOOL_BYTES", "3000")]).unwrap();
    ingress.errors.expect("refused: Redis is away, and the spool is full");
    ingress.redis.kill().unwrap();
    let answers = deliver(&ingress, 0..40).await.unwrap();
    let kept = answers.iter().filter(|answer| answer.status == 200).count();
    assert!((1..40).contains(&kept), "{kept}");
    let refused = answers.iter().find(|answer| answer.status != 200).unwrap();
    assert_eq!((refused.status, refused.word()), (503, "queue_unavailable"));
    let ready = ingress.get("/readyz").await.unwrap();
    assert_eq!(ready.status, 503);
    assert!(
        ready.body["warnings"][0].as_str().unwrap().contains("full"),
        "{ready:?}"
    );
    let metrics = ingress.get("/metrics").await.unwrap();
    let refusals = format!(
        r#"passerelle_ingress_refused_total{{reason="spool_full"}} {}"#,
        40 - kept
    );
    assert!(metrics.body.as_str().unwrap().contains(&refusals), "{metrics:?}");

    ingress.redis.boot().unwrap();
    are_accepted_once(&ingress, kept).await;
    eventually("no trouble any more", async || match ingress.get("/readyz").await {
        Ok(ready) if ready.body["warnings"].as_array().is_some_and(Vec::is_empty) => Ok(()),
        other => Err(other),
    })
    .await;
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_refuses_only_while_redis_is_away_and_is_told_before() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let folder = file.path().join("spool");
    let mut ingress = Ingress::start_with(&[("INGRESS_SPOOL_DIR", folder.to_str().unwrap())]).unwrap();
    ingress.errors.expect("cannot be written: Not a directory");
    ingress.errors.expect("the spool cannot be drained");
    let ready = ingress.get("/readyz").await.unwrap();
    assert_eq!(ready.status, 200);
    let warning = ready.body["warnings"][0].as_str().unwrap();
    assert!(warning.contains("INGRESS_SPOOL_DIR"), "{warning}");
    assert_eq!(ingress.deliver(created(0)).await.unwrap().status, 200);

    ingress.redis.kill().unwrap();
    let answer = ingress.deliver(created(1)).await.unwrap();
    assert_eq!((answer.status, answer.word()), (503, "queue_unavailable"));
    assert_eq!(ingress.get("/readyz").await.unwrap().status, 503);
    let metrics = ingress.get("/metrics").await.unwrap();
    let refused = r#"passerelle_ingress_refused_total{reason="spool_failed"} 1"#;
    assert!(metrics.body.as_str().unwrap().contains(refused), "{metrics:?}");
}

#[tokio::test]
async fn processes_that_share_a_folder_drain_what_is_abandoned_and_leave_each_other_alone() {
    let mut first = Ingress::start().unwrap();
    let folder = first.spool.path().to_str().unwrap().to_owned();
    let shared = [("INGRESS_SPOOL_DIR", folder.as_str())];
    let mut gone = Ingress::start_with(&shared).unwrap();
    first.redis.kill().unwrap();
    gone.redis.kill().unwrap();
    deliver(&first, 0..10).await.unwrap();
    deliver(&gone, 10..15).await.unwrap();
    gone.stop().await.unwrap();

    let second = Ingress::start_with(&shared).unwrap();
    are_accepted_once(&second, 5).await;
    deliver(&second, 15..16).await.unwrap();
    let (events, _) = accepted(&second).await.unwrap();
    assert!(events.keys().all(|event| event.len() == "e-10".len()), "{events:?}");

    first.redis.boot().unwrap();
    are_accepted_once(&first, 10).await;
    is_empty(first.spool.path()).await;
}

#[tokio::test]
async fn a_damaged_file_is_kept_for_people_and_costs_its_neighbours_nothing() {
    let mut ingress = Ingress::start().unwrap();
    ingress.errors.expect("a part of this file of the spool cannot be read");
    let folder = ingress.spool.path().to_owned();
    let damaged = folder.join("00000000000000000000000000.spool");
    std::fs::write(&damaged, b"PSPOOL1\n\x03\0\0\0\0\0\0\0abc\x03\0\0\0").unwrap();
    ingress.redis.kill().unwrap();
    deliver(&ingress, 0..3).await.unwrap();
    ingress.redis.boot().unwrap();
    are_accepted_once(&ingress, 3).await;
    eventually("it is set aside", async || {
        if damaged.with_extension("damaged").exists() && !damaged.exists() {
            Ok(())
        } else {
            Err("not yet")
        }
    })
    .await;
}

#[tokio::test]
async fn a_push_of_the_wiki_that_is_spooled_is_answered_as_work() {
    let mut ingress = Ingress::start().unwrap();
    ingress.redis.kill().unwrap();
    let push = r#"{"event_id": "p", "event_type": "page.updated", "page_id": "0199a1f0-0000-7000-8000-0000000000aa"}"#;
    let answer = ingress.push(push).await.unwrap();
    assert_eq!((answer.status, answer.word()), (200, "queued"));
}
