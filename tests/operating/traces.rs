//! Traces, from the webhook to the page, as a collector gets them.

use std::collections::BTreeMap;

use passerelle_model::id::RowKey;
use serde_json::{Value, json};
use system_tests::System;
use system_tests::system::{SECRET, STOPS_WITHIN};
use test_support::{Collecting, Span, TestCollector, attribute, eventually, hex};

use crate::project;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";
const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

/// A system whose spans go to this collector, with the key that it asks for.
async fn traced(collector: &TestCollector) -> anyhow::Result<System> {
    let builder = System::builder().without_webhook();
    let builder = builder.variable(ENDPOINT, &collector.url());
    let builder = builder.variable("OTEL_EXPORTER_OTLP_HEADERS", "x-key=the-key-of-the-collector");
    builder.start().await
}

/// Tells the ingress of a row, within a trace.
async fn tell(system: &System, row: RowKey, event: &str, trace: &str) -> anyhow::Result<()> {
    let item = json!({"id": row.row.get(), "order": "1.00", "Nom": "Confidentiel"});
    let body = system_tests::webhook::delivery("rows.updated", row.table, event, &[item]);
    let caller = system.caller().within(&format!("00-{trace}-{CALLER}-01"));
    let answer = caller.post(body.to_string()).await?;
    anyhow::ensure!(answer.status == 200, "{answer:?}");
    Ok(())
}

/// One line for each span of a trace once its outcome is there: `parent > name`, and what failed.
async fn tree(collector: &TestCollector, trace: &str) -> Vec<String> {
    let spans = eventually("the outcome is traced", async || {
        let spans = collector.spans(trace);
        let has_ended = spans.iter().any(|span| span.name == "outcome");
        if has_ended { Ok(spans) } else { Err(spans) }
    })
    .await;
    let names: BTreeMap<String, &str> = spans
        .iter()
        .map(|span| (hex(&span.span_id), span.name.as_str()))
        .collect();
    let line = |span: &Span| {
        let parent = hex(&span.parent_span_id);
        let parent = names.get(&parent).map_or(parent.as_str(), |name| name);
        let failed = span.status.as_ref().map(|status| format!(" !{}", status.message));
        format!("{parent} > {}{}", span.name, failed.unwrap_or_default())
    };
    spans.iter().map(line).collect()
}

fn count(tree: &[String], line: &str) -> usize {
    tree.iter().filter(|found| *found == line).count()
}

#[tokio::test]
async fn a_trace_leads_from_the_webhook_to_the_page() {
    let collector = TestCollector::start(Collecting::Takes).await.unwrap();
    let system = traced(&collector).await.unwrap();
    let row = project(&system, "Confidentiel").await.unwrap();
    tell(&system, row, "traced-1", TRACE).await.unwrap();
    let tree = tree(&collector, TRACE).await;
    for (line, times) in [
        (&*format!("{CALLER} > webhook received"), 1),
        ("webhook received > job waited", 1),
        ("webhook received > attempt", 1),
        ("attempt > GET rows/table/{id}/{id}/", 1),
        ("attempt > POST pages/create", 1),
        ("attempt > PATCH rows/table/{id}/{id}/", 1),
        ("attempt > ledger written", 1),
        ("webhook received > outcome", 1),
    ] {
        assert_eq!(count(&tree, line), times, "{line}: {tree:#?}");
    }
    let is_within = |line: &String| line.starts_with("attempt > ") || line.starts_with("webhook received > ");
    assert_eq!(tree.iter().filter(|line| !is_within(line)).count(), 1, "{tree:#?}");
    let spans = collector.spans(TRACE);
    assert!(
        spans
            .iter()
            .all(|span| span.start_time_unix_nano <= span.end_time_unix_nano)
    );
    let create = spans.iter().find(|span| span.name == "POST pages/create").unwrap();
    for (key, value) in [
        ("http.request.method", "POST"),
        ("http.response.status_code", "200"),
        ("server.address", "127.0.0.1"),
        ("peer.service", "docmost"),
    ] {
        assert_eq!(attribute(create, key).as_deref(), Some(value), "{key}: {create:?}");
    }
    let outcome = spans.iter().find(|span| span.name == "outcome").unwrap();
    assert_eq!(attribute(outcome, "passerelle.outcome").as_deref(), Some("synced"));

    says_no_secret(&system, &collector);
    let told = system.operator(&["--json", "trace", "traced-1"]).await.unwrap();
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["events"][0]["trace"], json!({"id": TRACE, "sampled": true}));
    let told = system.operator(&["trace", "traced-1"]).await.unwrap();
    assert!(told.contains(&format!("trace      {TRACE}")), "{told}");
}

/// What the collector got names the service and carries its key, and nothing that is nobody's
/// business.
fn says_no_secret(system: &System, collector: &TestCollector) {
    let bytes = collector.bytes();
    let has = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(has("x-key: the-key-of-the-collector\r\n") && has("service.name") && has("passerelle"));
    let environment = system.environment();
    for secret in [
        "Confidentiel",
        "En cours",
        "user_field_names",
        SECRET,
        &environment["BASEROW_TOKEN"],
        &environment["DOCMOST_PASSWORD"],
        &environment["DOCMOST_EMAIL"],
    ] {
        assert!(!has(secret), "the collector was told {secret:?}");
    }
    assert!(!system.logs().contains("the-key-of-the-collector"));
}

#[tokio::test]
async fn an_attempt_that_fails_and_the_one_after_it_stand_in_one_trace() {
    let collector = TestCollector::start(Collecting::Takes).await.unwrap();
    let system = traced(&collector).await.unwrap();
    let refusal = json!({"message": "Alpha & Co is not wanted"});
    let fault = json!({"path": "/api/pages/create", "kind": "status", "status": 503, "body": refusal, "times": 1});
    system.break_docmost(&[fault]).await.unwrap();
    let row = project(&system, "Confidentiel").await.unwrap();
    tell(&system, row, "traced-1", TRACE).await.unwrap();
    let tree = tree(&collector, TRACE).await;
    let attempts: Vec<&String> = tree.iter().filter(|line| line.contains("> attempt")).collect();
    assert!(attempts.len() >= 2, "{tree:#?}");
    assert_eq!(
        count(&tree, "webhook received > job waited"),
        attempts.len(),
        "{tree:#?}"
    );
    let failed = attempts.iter().filter(|line| line.contains('!')).count();
    assert_eq!(failed, attempts.len() - 1, "all but the last: {tree:#?}");
    let calls: Vec<_> = collector
        .spans(TRACE)
        .into_iter()
        .filter(|span| span.name == "POST pages/create")
        .collect();
    let statuses: Vec<_> = calls
        .iter()
        .map(|call| attribute(call, "http.response.status_code"))
        .collect();
    assert_eq!(statuses, [Some("503".to_owned()), Some("200".to_owned())]);
    assert!(
        calls[0].status.as_ref().is_some_and(|status| status.code == 2),
        "{:?}",
        calls[0]
    );
    let bytes = collector.bytes();
    assert!(!bytes.windows(10).any(|window| window == b"Alpha & Co"));
}

#[tokio::test]
async fn events_that_one_attempt_answers_for_are_linked_to_it() {
    let collector = TestCollector::start(Collecting::Takes).await.unwrap();
    let mut system = System::builder()
        .without_webhook()
        .workers(0)
        .variable(ENDPOINT, &collector.url())
        .start()
        .await
        .unwrap();
    let row = project(&system, "Confidentiel").await.unwrap();
    let later = TRACE.replace('4', "5");
    tell(&system, row, "traced-1", TRACE).await.unwrap();
    tell(&system, row, "traced-2", &later).await.unwrap();
    system.start_worker().unwrap();
    let (earlier, later) = (tree(&collector, TRACE).await, tree(&collector, &later).await);
    assert_eq!(count(&later, "webhook received > attempt"), 1, "{later:#?}");
    assert_eq!(count(&earlier, "webhook received > attempt"), 0, "{earlier:#?}");
    let spans = collector.spans(TRACE);
    let waited = spans.iter().find(|span| span.name == "job waited").unwrap();
    let attempt = collector.spans(&hex(&waited.links[0].trace_id));
    let attempt = attempt.iter().find(|span| span.name == "attempt").unwrap();
    assert_eq!(waited.links[0].span_id, attempt.span_id);
    assert_eq!(hex(&attempt.links[0].trace_id), TRACE);
    let outcome = spans.iter().find(|span| span.name == "outcome").unwrap();
    assert_eq!(attribute(outcome, "passerelle.outcome").as_deref(), Some("superseded"));
}

#[tokio::test]
async fn a_collector_that_hangs_costs_spans_and_nothing_else() {
    let collector = TestCollector::start(Collecting::Hangs).await.unwrap();
    let mut system = traced(&collector).await.unwrap();
    let first = project(&system, "Premier").await.unwrap();
    tell(&system, first, "traced-0", TRACE).await.unwrap();
    eventually("the collector holds a call", async || match collector.calls() {
        0 => Err(system.logs()),
        calls => Ok(calls),
    })
    .await;
    let names: Vec<String> = (0..30).map(|number| format!("Projet {number}")).collect();
    system.paste_projects(&names, "traced-1").await.unwrap();
    system.every_item_has_one_outcome().await.unwrap();
    assert_eq!(system.docmost.pages("agence").await.unwrap().len(), 31);
    let mut worker = system.workers.pop().unwrap();
    let ended = worker.stop(STOPS_WITHIN).await.unwrap();
    assert!(ended.success(), "{}", worker.output());
    assert!(worker.output().contains("they are lost"), "{}", worker.output());
}

#[tokio::test]
async fn without_an_endpoint_nothing_is_sent_whatever_else_the_environment_says() {
    let collector = TestCollector::start(Collecting::Takes).await.unwrap();
    let builder = System::builder().variable(ENDPOINT, "");
    let builder = builder.variable(
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
        &format!("{}/v1/traces", collector.url()),
    );
    let mut system = builder.variable("OTEL_TRACES_EXPORTER", "otlp").start().await.unwrap();
    let row = project(&system, "Alpha").await.unwrap();
    system.drain().await;
    let told = system.operator(&["--json", "trace", &row.to_string()]).await.unwrap();
    let told: Value = serde_json::from_str(&told).unwrap();
    assert!(
        told["events"][0]["key"].is_object() && told["events"][0].get("trace").is_none(),
        "{told:#}"
    );
    let mut worker = system.workers.pop().unwrap();
    worker.stop(STOPS_WITHIN).await.unwrap();
    assert_eq!(collector.calls(), 0);
}
