//! Sends spans to the collector: OTLP over HTTP, in protobuf.
//!
//! One task asks the store which events an attempt answered for, gathers spans, and sends them. While
//! it waits for a collector, the inbox takes what comes until it is full.

use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use passerelle_model::config::TraceSettings;
use passerelle_store::Store;
use prost::Message as _;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Certificate, Client, StatusCode};
use secrecy::ExposeSecret as _;
use tokio::sync::mpsc::Receiver;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::attributes::attribute;
use crate::call::Servers;
use crate::inbox::{Fact, dropped};

/// Spans of one call.
const BATCH: usize = 512;
/// How long a span waits for others.
const GATHER: Duration = Duration::from_secs(1);
/// How long one call may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// More of an answer is not read.
const LONGEST_ANSWER: usize = 64 << 10;
/// Waits between the tries of one call. After the last the spans are dropped.
const WAITS: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];

/// The collector, as one process reaches it.
#[derive(Debug)]
pub(crate) struct Collector {
    http: Client,
    address: String,
    resource: Resource,
    servers: Servers,
    /// Whether the last call failed: told at the first and after the last.
    is_away: bool,
}

impl Collector {
    pub(crate) fn new(settings: &TraceSettings) -> Result<Self, reqwest::Error> {
        let mut headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"))]);
        for (name, value) in &settings.headers {
            let pair = (name.parse::<HeaderName>(), HeaderValue::from_str(value.expose_secret()));
            let (Ok(name), Ok(mut value)) = pair else {
                tracing::warn!(
                    name,
                    "a header of OTEL_EXPORTER_OTLP_HEADERS cannot be sent; it is left out"
                );
                continue;
            };
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        let authorities = settings.authorities.as_ref();
        let ours = authorities.map_or(Ok(Vec::new()), |ours| Certificate::from_pem_bundle(&ours.pem))?;
        let http = Client::builder()
            .tls_certs_merge(ours)
            .user_agent(concat!("passerelle/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            .timeout(PATIENCE)
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        let text = |text: &str| Value::StringValue(text.to_owned());
        Ok(Self {
            http,
            address: format!("{}/v1/traces", settings.endpoint),
            resource: Resource {
                attributes: vec![
                    attribute("service.name", text(&settings.service)),
                    attribute("service.version", text(env!("CARGO_PKG_VERSION"))),
                ],
                ..Resource::default()
            },
            servers: Servers::new(&settings.servers),
            is_away: false,
        })
    }

    /// Sends what comes in until `stop`, then once what is left.
    pub(crate) async fn run(mut self, mut facts: Receiver<Fact>, store: Store, stop: CancellationToken) {
        loop {
            let first = tokio::select! {
                fact = facts.recv() => fact,
                () = stop.cancelled() => {
                    facts.close();
                    facts.recv().await
                }
            };
            let Some(first) = first else { return };
            let batch = self.gather(first, &mut facts, &store, &stop).await;
            if !batch.is_empty() {
                self.send(batch, &stop).await;
            }
        }
    }

    /// The spans of a fact, and of those that follow it soon.
    async fn gather(
        &self,
        first: Fact,
        facts: &mut Receiver<Fact>,
        store: &Store,
        stop: &CancellationToken,
    ) -> Vec<Span> {
        let (mut spans, until) = (self.spans(first, store).await, Instant::now() + GATHER);
        while spans.len() < BATCH {
            let next = tokio::select! {
                biased;
                next = timeout_at(until, facts.recv()) => next,
                () = stop.cancelled() => break,
            };
            match next {
                Ok(Some(fact)) => spans.extend(self.spans(fact, store).await),
                Ok(None) | Err(_) => break,
            }
        }
        spans
    }

    async fn spans(&self, fact: Fact, store: &Store) -> Vec<Span> {
        let attempt = match fact {
            Fact::Delivery(delivery) => return delivery.spans(),
            Fact::Attempt(attempt) => attempt,
        };
        match store.traced_attempt(&attempt.job, attempt.covers, attempt.entry).await {
            Ok(traced) => attempt.spans(&traced, &self.servers),
            Err(error) => {
                tracing::debug!(%error, job = %attempt.job, "the spans of an attempt cannot be made");
                dropped("store", Fact::Attempt(attempt).spans());
                Vec::new()
            }
        }
    }

    /// Tries some times, once if the process stops, and lets the spans go then.
    async fn send(&mut self, spans: Vec<Span>, stop: &CancellationToken) {
        let count = spans.len();
        let body = self.request(spans).encode_to_vec();
        let mut waits = WAITS.into_iter();
        let error = loop {
            match self.post(body.clone()).await {
                Ok(refused) => return self.note_sent(count, refused),
                Err(Refusal { why, may_be_repeated }) => {
                    let wait = waits.next().filter(|_| may_be_repeated && !stop.is_cancelled());
                    let Some(wait) = wait else { break why };
                    tokio::select! { () = sleep(wait) => {}, () = stop.cancelled() => {} }
                }
            }
        };
        dropped("collector", count);
        if !self.is_away {
            tracing::warn!(
                error,
                "the collector of traces takes no spans (OTEL_EXPORTER_OTLP_ENDPOINT); they are dropped"
            );
        }
        self.is_away = true;
    }

    fn note_sent(&mut self, count: usize, refused: usize) {
        if self.is_away {
            tracing::info!("the collector of traces takes spans again");
        }
        self.is_away = false;
        let sent = u64::try_from(count.saturating_sub(refused)).unwrap_or(u64::MAX);
        metrics::counter!("passerelle_spans_sent_total").increment(sent);
        if refused > 0 {
            dropped("collector", refused);
        }
    }

    fn request(&self, spans: Vec<Span>) -> ExportTraceServiceRequest {
        let scope = InstrumentationScope {
            name: "passerelle".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ..InstrumentationScope::default()
        };
        let scope_spans = ScopeSpans {
            scope: Some(scope),
            spans,
            ..ScopeSpans::default()
        };
        let resource_spans = ResourceSpans {
            resource: Some(self.resource.clone()),
            scope_spans: vec![scope_spans],
            ..ResourceSpans::default()
        };
        ExportTraceServiceRequest {
            resource_spans: vec![resource_spans],
        }
    }

    /// How many spans it refused.
    async fn post(&self, body: Vec<u8>) -> Result<usize, Refusal> {
        let lost = |error: reqwest::Error| Refusal {
            why: error.without_url().to_string(),
            may_be_repeated: true,
        };
        let mut answer = self.http.post(&self.address).body(body).send().await.map_err(lost)?;
        let status = answer.status();
        if !status.is_success() {
            let may_be_repeated = status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error();
            let why = format!("it answered {status}");
            return Err(Refusal { why, may_be_repeated });
        }
        let mut body = Vec::new();
        while body.len() < LONGEST_ANSWER
            && let Some(chunk) = answer.chunk().await.map_err(lost)?
        {
            body.extend_from_slice(&chunk);
        }
        let partial = ExportTraceServiceResponse::decode(&body[..])
            .unwrap_or_default()
            .partial_success;
        let refused = partial.map_or(0, |partial| partial.rejected_spans);
        Ok(usize::try_from(refused).unwrap_or(0))
    }
}

/// Why a call was in vain.
struct Refusal {
    why: String,
    may_be_repeated: bool,
}
