//! Under which trace a delivery stands.

use passerelle_model::ledger::LedgerRecord;
use passerelle_model::trace_context::TraceContext;
use rstest::rstest;

use crate::harness::{Ingress, SECRET, SIGNATURE, signature};

const GIVEN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const COLLECTOR: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9");

const BODY: &str =
    r#"{"table_id": 2, "webhook_id": 1, "event_id": "e-1", "event_type": "rows.created", "items": [{"id": 9}]}"#;

/// The trace of a delivery with this header, as the ledger has it.
async fn trace_of(settings: &[(&str, &str)], traceparent: Option<&str>) -> anyhow::Result<Option<TraceContext>> {
    let ingress = Ingress::start_with(settings)?;
    let signature = signature(SECRET, BODY.as_bytes())?;
    let mut headers = vec![(SIGNATURE, signature.as_str())];
    headers.extend(traceparent.map(|given| ("traceparent", given)));
    let answer = ingress.send(&headers, BODY).await?;
    anyhow::ensure!(answer.status == 200, "{answer:?}");
    match ingress.ledger().await?.as_slice() {
        [LedgerRecord::Accepted(event)] => Ok(event.trace),
        other => anyhow::bail!("{other:?}"),
    }
}

#[rstest]
#[case::with_a_collector(&[COLLECTOR])]
#[case::without_one(&[])]
#[tokio::test]
async fn the_trace_of_the_caller_goes_with_the_delivery(#[case] settings: &[(&str, &str)]) {
    let trace = trace_of(settings, Some(GIVEN)).await.unwrap();
    assert_eq!(trace.map(|trace| trace.to_string()).as_deref(), Some(GIVEN));
}

#[tokio::test]
async fn without_a_collector_no_trace_begins() {
    for given in [None, Some("00-nonsense-00f067aa0ba902b7-01")] {
        assert_eq!(trace_of(&[], given).await.unwrap(), None);
    }
}

#[tokio::test]
async fn with_a_collector_a_delivery_without_a_trace_begins_one_of_its_own() {
    let mut ids = Vec::new();
    for given in [None, Some("00-00000000000000000000000000000000-00f067aa0ba902b7-01")] {
        let trace = trace_of(&[COLLECTOR], given).await.unwrap().unwrap();
        assert!(trace.is_sampled() && trace.caller().is_none(), "{trace}");
        ids.push(trace.id());
    }
    assert_ne!(ids[0], ids[1]);
}

#[tokio::test]
async fn the_share_that_is_sampled_is_a_setting() {
    let none = [COLLECTOR, ("OTEL_TRACES_SAMPLER_ARG", "0")];
    let trace = trace_of(&none, None).await.unwrap().unwrap();
    assert!(!trace.is_sampled(), "{trace}");
    let given = trace_of(&none, Some(GIVEN)).await.unwrap().unwrap();
    assert!(given.is_sampled(), "a caller decides for its own trace");
}
