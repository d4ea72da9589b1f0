//! What becomes of a delivery.

use std::io::Write as _;

use passerelle_model::ledger::LedgerRecord;
use rstest::rstest;
use serde_json::json;
use tempfile::NamedTempFile;

use crate::harness::{Answer, Ingress, SECRET, SIGNATURE, print_items, signature};

fn created(event: &str) -> String {
    format!(
        r#"{{"table_id": 2, "webhook_id": 1, "event_id": "{event}", "event_type": "rows.created", "items": [{{"id": 9}}]}}"#
    )
}

#[tokio::test]
async fn a_proven_delivery_is_durable_before_it_is_answered() {
    let ingress = Ingress::start().unwrap();
    let answer = ingress.deliver(created("e-1")).await.unwrap();
    let body = json!({ "accepted": true, "event_id": "e-1", "status": "queued" });
    assert_eq!(answer, Answer { status: 200, body });
    assert_eq!(ingress.queue.stats().await.unwrap().active, 1);
    let ledger = ingress.ledger().await.unwrap();
    let [LedgerRecord::Accepted(record)] = ledger.as_slice() else {
        panic!("{ledger:?}");
    };
    assert_eq!(record.payload, created("e-1").as_bytes());
    assert_eq!(print_items(&record.items), "9 sync");
}

/// I5.
#[rstest]
#[case::wrong_secret(signature("another-secret-0123456789", created("e").as_bytes()).ok())]
#[case::of_another_body(signature(SECRET, b"another body").ok())]
#[case::nonsense(Some("nonsense".to_owned()))]
#[case::missing(None)]
#[tokio::test]
async fn a_wrong_signature_is_refused_and_leaves_no_trace_in_redis(#[case] proof: Option<String>) {
    let ingress = Ingress::start().unwrap();
    let headers: Vec<_> = proof.iter().map(|proof| (SIGNATURE, proof.as_str())).collect();
    let answer = ingress.send(&headers, created("e")).await.unwrap();
    let body = json!({ "accepted": false, "reason": "unauthorized" });
    assert_eq!(answer, Answer { status: 401, body });
    assert_eq!(ingress.keys().await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn a_source_that_names_its_tables_speaks_of_no_other() {
    let mut bridge = NamedTempFile::new().unwrap();
    let sources = r#"
        [sources]
        projects = { proof = "hmac", secrets = "BASEROW_WEBHOOK_SECRET", tables = [2, 3] }
        "*" = { proof = "hmac", secrets = "BASEROW_WEBHOOK_SECRET" }
    "#;
    bridge.write_all(sources.as_bytes()).unwrap();
    let ingress = Ingress::start_with(&[("BRIDGE_FILE", bridge.path().to_str().unwrap())]).unwrap();
    let deliver = async |source: &str, body: String| {
        let proof = signature(SECRET, body.as_bytes()).unwrap();
        let request = ingress
            .http
            .post(ingress.url(&format!("/api/webhooks/baserow/{source}")));
        let answer = request.header(SIGNATURE, proof).body(body).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let of_table_9 = |event: &str| created(event).replace("\"table_id\": 2", "\"table_id\": 9");
    let (status, answer) = deliver("projects", of_table_9("e-1")).await;
    assert_eq!(
        (status, answer.as_str()),
        (403, r#"{"accepted":false,"reason":"table_not_allowed"}"#)
    );
    assert_eq!(ingress.keys().await.unwrap(), Vec::<String>::new());
    assert_eq!(deliver("projects", created("e-2")).await.0, 200);
    assert_eq!(deliver("others", of_table_9("e-3")).await.0, 200);
}

/// I1.
#[tokio::test]
async fn the_same_delivery_five_times_is_one_job() {
    let ingress = Ingress::start().unwrap();
    let mut words = Vec::new();
    for _ in 0..5 {
        let answer = ingress.deliver(created("e-1")).await.unwrap();
        assert_eq!(answer.status, 200);
        words.push(answer.word().to_owned());
    }
    assert_eq!(words, ["queued", "duplicate", "duplicate", "duplicate", "duplicate"]);
    assert_eq!(ingress.queue.stats().await.unwrap().active, 1);
    let ledger = ingress.ledger().await.unwrap();
    let accepted = ledger
        .iter()
        .filter(|record| matches!(record, LedgerRecord::Accepted(_)));
    assert_eq!(accepted.count(), 1);
}

/// I2.
#[tokio::test]
async fn our_own_write_comes_back_and_is_ignored_as_an_echo() {
    let ingress = Ingress::start().unwrap();
    let body = r#"{"table_id": 2, "webhook_id": 1, "event_id": "e", "event_type": "rows.updated",
        "items": [{"id": 9, "Nom": "a", "docmost_page_id": "p-1", "docmost_url": "http://wiki/p-1"}],
        "old_items": [{"id": 9, "Nom": "a", "docmost_page_id": null, "docmost_url": ""}]}"#;
    let answer = ingress.deliver(body).await.unwrap();
    assert_eq!((answer.status, answer.word()), (200, "ignored"));
    assert_eq!(ingress.queue.stats().await.unwrap().active, 0);
    let ledger = ingress.ledger().await.unwrap();
    let [LedgerRecord::Accepted(record)] = ledger.as_slice() else {
        panic!("{ledger:?}");
    };
    assert_eq!(print_items(&record.items), "9 echo");
}

#[tokio::test]
async fn during_a_rotation_both_secrets_are_accepted() {
    let secrets = format!("new-secret-0123456789, {SECRET}");
    let ingress = Ingress::start_with(&[("BASEROW_WEBHOOK_SECRET", &secrets)]).unwrap();
    for (event, secret) in [("e-1", SECRET), ("e-2", "new-secret-0123456789")] {
        let proof = signature(secret, created(event).as_bytes()).unwrap();
        let answer = ingress.send(&[(SIGNATURE, &proof)], created(event)).await.unwrap();
        assert_eq!((answer.status, answer.word()), (200, "queued"), "{event}");
    }
}

#[tokio::test]
async fn a_source_may_prove_itself_by_a_token() {
    let mut bridge = tempfile::NamedTempFile::new().unwrap();
    let text = "[sources]\nprojet-changed = { proof = \"token\", secrets = \"BASEROW_TOKENS\" }\n";
    std::io::Write::write_all(&mut bridge, text.as_bytes()).unwrap();
    let bridge = bridge.path().to_str().unwrap();
    let own = [
        ("BRIDGE_FILE", bridge),
        ("BASEROW_TOKENS", "a-token-of-many-characters"),
    ];
    let ingress = Ingress::start_with(&own).unwrap();
    let right = [("X-Bridge-Token", "a-token-of-many-characters")];
    assert_eq!(ingress.send(&right, created("e-1")).await.unwrap().word(), "queued");
    let wrong = [("X-Bridge-Token", "b-token-of-many-characters")];
    assert_eq!(ingress.send(&wrong, created("e-2")).await.unwrap().status, 401);
}

#[tokio::test]
async fn a_body_that_cannot_be_understood_is_refused_with_a_reason_and_leaves_no_trace() {
    let ingress = Ingress::start().unwrap();
    let answer = ingress.deliver("{}").await.unwrap();
    let body = json!({ "accepted": false, "reason": "missing_field", "field": "event_type" });
    assert_eq!(answer, Answer { status: 400, body });
    assert_eq!(ingress.keys().await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn without_redis_and_spool_a_delivery_is_refused_with_a_time_to_come_back_and_accepted_afterwards() {
    let own = [("INGRESS_ACCEPT_TIMEOUT_SECONDS", "1"), ("INGRESS_SPOOL_BYTES", "0")];
    let mut ingress = Ingress::start_with(&own).unwrap();
    ingress.errors.expect("refused: the delivery could not be made durable");
    ingress.redis.kill().unwrap();
    let answer = ingress.deliver(created("e-1")).await.unwrap();
    assert_eq!((answer.status, answer.word()), (503, "queue_unavailable"));
    ingress.redis.boot().unwrap();
    test_support::eventually("accepted", async || match ingress.deliver(created("e-1")).await {
        Ok(answer) if answer.status == 200 => Ok(()),
        other => Err(other),
    })
    .await;
    assert_eq!(ingress.queue.stats().await.unwrap().active, 1);
}

#[tokio::test]
async fn what_happened_is_counted() {
    let ingress = Ingress::start().unwrap();
    ingress.deliver(created("e-1")).await.unwrap();
    ingress.deliver(created("e-1")).await.unwrap();
    ingress.send(&[], created("e-2")).await.unwrap();
    let metrics = ingress.get("/metrics").await.unwrap();
    let text = metrics.body.as_str().unwrap();
    for line in [
        r#"passerelle_ingress_deliveries_total{status="queued"} "#,
        r#"passerelle_ingress_deliveries_total{status="duplicate"} "#,
        r#"passerelle_ingress_items_total{disposition="sync"} "#,
        r#"passerelle_ingress_refused_total{reason="proof_missing"} "#,
        "passerelle_ingress_accept_seconds_count ",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
}

#[tokio::test]
async fn a_push_of_the_wiki_is_proven_and_durable_like_any_delivery() {
    let ingress = Ingress::start().unwrap();
    let page = "0199a1f0-0000-7000-8000-0000000000aa";
    let body = json!({"event_id": "p-1", "event_type": "page.updated", "page_id": page}).to_string();
    let refused = ingress.get("/api/webhooks/docmost").await.unwrap();
    assert_eq!(refused.status, 405);
    assert_eq!(ingress.push(body.clone()).await.unwrap().word(), "queued");
    assert_eq!(ingress.push(body).await.unwrap().word(), "duplicate");
    assert_eq!(ingress.queue.stats().await.unwrap().active, 1);
    let ledger = ingress.ledger().await.unwrap();
    let LedgerRecord::Accepted(record) = &ledger[0] else {
        panic!("{ledger:?}");
    };
    assert_eq!(print_items(&record.items), format!("page/{page} sync"));
    let unclear = json!({"event_id": "p-2", "event_type": "page.updated"}).to_string();
    assert_eq!(ingress.push(unclear).await.unwrap().status, 400);
}

/// A bulk update of rows with long texts: refusing it would make Baserow switch the webhook off.
#[tokio::test]
async fn a_delivery_too_long_to_be_kept_whole_is_accepted_with_a_job_for_each_row() {
    let ingress = Ingress::start_with(&[("INGRESS_BODY_LIMIT_BYTES", "100000")]).unwrap();
    let text = "é".repeat(11_000);
    let rows = |text: &str| -> Vec<_> { (1..=200).map(|id| json!({"id": id, "Rapport": text})).collect() };
    let body = json!({
        "table_id": 2, "webhook_id": 1, "event_id": "e-fat", "event_type": "rows.updated",
        "items": rows(&text), "old_items": rows("avant"),
    });
    // The long values are missing on both sides, and are not taken for equal.
    let again = json!({
        "table_id": 2, "webhook_id": 1, "event_id": "e-again", "event_type": "rows.updated",
        "items": rows(&text), "old_items": rows(&text.replace('é', "è")),
    });
    let answer = ingress.deliver(body.to_string()).await.unwrap();
    assert_eq!((answer.status, answer.word()), (200, "queued"));
    assert_eq!(ingress.deliver(again.to_string()).await.unwrap().word(), "queued");
    assert_eq!(ingress.deliver(created("e-next")).await.unwrap().status, 200);
    let ledger = ingress.ledger().await.unwrap();
    let LedgerRecord::Accepted(record) = &ledger[0] else {
        panic!("{ledger:?}");
    };
    assert_eq!(record.items.len(), 200);
    assert!(record.payload.len() <= 100_000);
    let kept: serde_json::Value = serde_json::from_slice(&record.payload).unwrap();
    assert_eq!(kept["old_items"][199], json!({"id": 200, "Rapport": "avant"}));
}
