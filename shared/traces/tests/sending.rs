//! What a collector gets of the ledger, and what becomes of spans that it does not take.

use std::time::Duration;

use passerelle_model::config::{Reader, StoreSettings, TraceSettings};
use passerelle_model::event::{DeliveryKey, Disposition, EventKind, Item, NewEvent};
use passerelle_model::id::{EventId, RowId, SourceName, TableId, WebhookId};
use passerelle_model::ledger::{LedgerEntry, LedgerRecord};
use passerelle_model::outcome::Outcome;
use passerelle_model::seq::Seq;
use passerelle_model::time::Timestamp;
use passerelle_store::Store;
use passerelle_traces::Traces;
use test_support::{Collecting, PATIENCE, TestCollector, attribute, eventually};

const START: i64 = 1_732_280_000_000;
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

struct World {
    collector: TestCollector,
    store: Store,
    traces: Traces,
    entries: i64,
    _folder: tempfile::TempDir,
}

impl World {
    async fn start(does: Collecting) -> anyhow::Result<Self> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let collector = TestCollector::start(does).await?;
        let folder = tempfile::tempdir()?;
        let url = format!("sqlite://{}/store.sqlite", folder.path().display());
        let mut reader = Reader::from_pairs([("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url().as_str())]);
        let settings = TraceSettings::read(&mut reader);
        let (store, traces) = Traces::follow(settings, Store::open(&StoreSettings::at(url)).await?)?;
        Ok(Self {
            collector,
            store,
            traces,
            entries: 0,
            _folder: folder,
        })
    }

    /// Writes so many deliveries to the ledger, as one entry.
    async fn write(&mut self, count: usize, flags: &str) -> anyhow::Result<()> {
        let position = self.store.ledger_position().await?;
        self.entries += 1;
        let id = format!("{}-0", START + self.entries);
        let event = |number| {
            let item = Item {
                row: RowId::new(7).ok(),
                disposition: Disposition::Closed(Outcome::Echo),
            };
            let event = NewEvent {
                key: DeliveryKey {
                    webhook: Some(WebhookId::new(7)?),
                    event: EventId::parse(&format!("e-{}-{number}", self.entries))?,
                    batch: 0,
                },
                source: SourceName::parse("projet-changed")?,
                kind: EventKind::Updated,
                table: Some(TableId::new(2)?),
                received: Timestamp::from_millis(START),
                trace: Some(format!("00-{TRACE}-00f067aa0ba902b7-{flags}").parse()?),
                items: vec![item],
                payload: b"Confidentiel".to_vec(),
            };
            Ok(Ok(LedgerRecord::Accepted(event)))
        };
        let entry = LedgerEntry {
            seq: Seq::from_stream_id(&id)?,
            id,
            answered: None,
            number: None,
            records: (0..count).map(event).collect::<anyhow::Result<_>>()?,
        };
        Ok(self.store.record(&[entry], position.as_deref()).await?)
    }

    async fn has_spans(&self, count: usize) {
        eventually("the spans are there", async || {
            match self.collector.spans(TRACE).len() {
                found if found == count => Ok(()),
                found => Err(found),
            }
        })
        .await;
    }
}

/// The value of a counter, as Prometheus reads it.
fn counted(page: &str, line: &str) -> usize {
    let value = page.lines().find_map(|found| found.strip_prefix(line));
    value.and_then(|value| value.trim().parse().ok()).unwrap_or(0)
}

#[tokio::test]
async fn a_delivery_that_ended_at_once_is_two_spans_and_one_that_is_not_sampled_is_none() {
    let mut world = World::start(Collecting::Takes).await.unwrap();
    world.write(1, "00").await.unwrap();
    world.write(1, "01").await.unwrap();
    world.traces.finish(PATIENCE).await;
    let spans = world.collector.spans(TRACE);
    let names: Vec<&str> = spans.iter().map(|span| span.name.as_str()).collect();
    assert_eq!(names, ["webhook received", "outcome"]);
    assert_eq!(attribute(&spans[1], "passerelle.outcome").as_deref(), Some("echo"));
    let bytes = world.collector.bytes();
    assert!(!bytes.windows(12).any(|window| window == b"Confidentiel"));
}

#[tokio::test]
async fn a_collector_that_hangs_holds_few_facts_and_delays_neither_the_ledger_nor_the_end() {
    let metrics = passerelle_model::metrics::start().unwrap();
    let mut world = World::start(Collecting::Hangs).await.unwrap();
    world.write(1, "01").await.unwrap();
    eventually("the collector holds a call", async || match world.collector.calls() {
        0 => Err(0),
        calls => Ok(calls),
    })
    .await;
    world.write(5000, "01").await.unwrap();
    assert_eq!(
        world.store.counts().await.unwrap().items,
        5001,
        "the ledger has them all"
    );
    let dropped = counted(&metrics.render(), "passerelle_spans_dropped_total{reason=\"full\"}");
    assert_eq!(
        dropped,
        2 * (5000 - 2048),
        "two spans for each delivery that found no room"
    );
    let began = tokio::time::Instant::now();
    world.traces.finish(Duration::from_millis(300)).await;
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[tokio::test]
async fn spans_that_a_collector_cannot_take_now_are_sent_again() {
    let mut world = World::start(Collecting::Answers(503)).await.unwrap();
    world.write(1, "01").await.unwrap();
    eventually("it was asked", async || match world.collector.calls() {
        0 => Err(0),
        calls => Ok(calls),
    })
    .await;
    world.collector.now(Collecting::Takes);
    world.has_spans(2).await;
}

#[tokio::test]
async fn spans_that_a_collector_refuses_are_counted_and_those_after_them_are_sent() {
    let metrics = passerelle_model::metrics::start().unwrap();
    let mut world = World::start(Collecting::Answers(401)).await.unwrap();
    world.write(1, "01").await.unwrap();
    eventually("they are counted", async || {
        match counted(
            &metrics.render(),
            "passerelle_spans_dropped_total{reason=\"collector\"}",
        ) {
            2 => Ok(()),
            other => Err(other),
        }
    })
    .await;
    let sent = counted(&metrics.render(), "passerelle_spans_sent_total");
    world.collector.now(Collecting::Takes);
    world.write(1, "01").await.unwrap();
    world.has_spans(2).await;
    world.traces.finish(PATIENCE).await;
    assert!(counted(&metrics.render(), "passerelle_spans_sent_total") >= sent + 2);
}
