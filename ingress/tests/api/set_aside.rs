//! What Redis does not take at all is set aside, for an operator.

use passerelle_model::ledger::LedgerRecord;
use test_support::{Line, TestRedis, eventually};

use crate::harness::Ingress;
use crate::spool::{are_accepted_once, created, deliver, is_empty};

#[tokio::test]
async fn one_delivery_for_which_redis_cuts_the_connection_holds_up_no_other() {
    let ingress = Ingress::start().unwrap();
    ingress.errors.expect("a delivery cuts the connection to Redis");
    let client = redis::Client::open(ingress.redis.url()).unwrap();
    redis::cmd("CONFIG")
        .arg("SET")
        .arg("client-query-buffer-limit")
        .arg("1mb")
        .exec(&mut client.get_connection().unwrap())
        .unwrap();
    ingress.redis.freeze().unwrap();
    let fat = format!(
        r#"{{"table_id": 2, "webhook_id": 1, "event_id": "fat", "event_type": "rows.created", "items": [{{"id": 7, "text": "{}"}}]}}"#,
        noise(3 << 19)
    );
    assert_eq!(ingress.deliver(fat).await.unwrap().status, 200);
    for answer in deliver(&ingress, 0..20).await.unwrap() {
        assert_eq!(answer.status, 200);
    }
    ingress.redis.thaw().unwrap();
    are_accepted_once(&ingress, 20).await;
    let quarantine = ingress.spool.path().join("quarantine");
    eventually("the fat one is set aside", async || {
        match std::fs::read_dir(&quarantine).map(Iterator::count) {
            Ok(1) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    eventually("readiness names it", async || {
        let ready = ingress.get("/readyz").await.map_err(|error| error.to_string())?;
        if ready.status == 200 && ready.body["warnings"].to_string().contains("set aside") {
            Ok(())
        } else {
            Err(format!("{ready:?}"))
        }
    })
    .await;
    let answer = ingress.deliver(created(20)).await.unwrap();
    assert_eq!((answer.status, answer.word()), (200, "queued"));

    // With a limit that fits, the operator moves the file back.
    redis::cmd("CONFIG")
        .arg("SET")
        .arg("client-query-buffer-limit")
        .arg("1gb")
        .exec(&mut client.get_connection().unwrap())
        .unwrap();
    let file = std::fs::read_dir(&quarantine).unwrap().next().unwrap().unwrap();
    std::fs::rename(file.path(), ingress.spool.path().join(file.file_name())).unwrap();
    ingress.deliver(created(21)).await.unwrap();
    are_accepted_once(&ingress, 23).await;
}

#[tokio::test]
async fn what_is_set_aside_is_counted_from_the_start_until_it_is_taken_away() {
    let spool = tempfile::tempdir().unwrap();
    let file = spool.path().join("quarantine/of-an-earlier-process.spool");
    std::fs::create_dir(file.parent().unwrap()).unwrap();
    std::fs::write(&file, "a delivery").unwrap();
    let ingress = Ingress::start_with(&[("INGRESS_SPOOL_DIR", spool.path().to_str().unwrap())]).unwrap();
    shows(&ingress, "passerelle_ingress_spool_quarantined 1").await;
    std::fs::remove_file(&file).unwrap();
    shows(&ingress, "passerelle_ingress_spool_quarantined 0").await;
}

#[tokio::test]
async fn what_a_killed_process_had_begun_to_make_is_not_counted_for_ever() {
    let spool = tempfile::tempdir().unwrap();
    std::fs::write(spool.path().join("01J.new"), b"PSPOOL1\n").unwrap();
    let ingress = Ingress::start_with(&[("INGRESS_SPOOL_DIR", spool.path().to_str().unwrap())]).unwrap();
    shows(&ingress, "passerelle_ingress_spool_bytes 0").await;
    is_empty(spool.path()).await;
}

async fn shows(ingress: &Ingress, line: &str) {
    eventually(&format!("{line} at /metrics"), async || {
        let metrics = ingress.get("/metrics").await.map_err(|error| error.to_string())?;
        let text = metrics.body.as_str().unwrap_or_default();
        if text.lines().any(|shown| shown == line) {
            Ok(())
        } else {
            Err(text.to_owned())
        }
    })
    .await;
}

/// Text that no compression makes shorter.
fn noise(length: usize) -> String {
    let mut state = 1_u64;
    let letters = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        char::from(b'0' + u8::try_from((state >> 33) % 64).unwrap_or(0))
    });
    letters.filter(|letter| *letter != '\\').take(length).collect()
}

#[tokio::test]
async fn a_heavy_delivery_over_a_slow_line_has_the_time_of_its_upload_and_holds_up_no_other() {
    let redis = TestRedis::start().unwrap();
    // 8 Mbit/s: the upload takes longer than Redis is given for an answer.
    let line = Line::slow(redis.port(), 1_000).await.unwrap();
    let url = format!("redis://127.0.0.1:{}/", line.port());
    let ingress = Ingress::start_with(&[("REDIS_URL", url.as_str())]).unwrap();
    let fat = format!(
        r#"{{"table_id": 2, "webhook_id": 1, "event_id": "fat", "event_type": "rows.created", "items": [{{"id": 7, "text": "{}"}}]}}"#,
        noise(1_900_000)
    );
    let (fat, others) = tokio::join!(ingress.deliver(fat), deliver(&ingress, 0..20));
    assert_eq!(fat.unwrap().status, 200);
    for answer in others.unwrap() {
        assert_eq!(answer.status, 200);
    }
    are_accepted_once(&ingress, 21).await;
    is_empty(ingress.spool.path()).await;
    let bodies = ingress
        .ledger()
        .await
        .unwrap()
        .into_iter()
        .filter_map(|record| match record {
            LedgerRecord::Accepted(event) => Some(event.payload.len()),
            _ => None,
        });
    assert!(bodies.max() > Some(1_900_000), "the body was shortened");
}
