//! Which spans there are:
//!
//! ```text
//! webhook received              from the request to the moment at which it is durable
//! ├─ job waited                 from then, or from the end of the attempt before, to the attempt
//! ├─ attempt                    one for each
//! │  ├─ GET rows/table/{id}/…   each call
//! │  └─ ledger written          the transaction that wrote the attempt
//! └─ outcome
//! ```
//!
//! An attempt that answers for several events stands in the trace of the latest, and links to the
//! others; in theirs the wait links to it.

use std::time::Duration;

use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::{Event, SpanKind};
use passerelle_model::ledger::Step;
use passerelle_model::outcome::Outcome;
use passerelle_model::time::Timestamp;
use passerelle_store::{TracedAttempt, TracedEvent};

use crate::attributes::{Said as _, SpanId, nanos, span};
use crate::call::{Servers, call_span};
use crate::inbox::{Attempt, Delivery};

impl Delivery {
    pub(crate) fn spans(&self) -> Vec<Span> {
        let root = root(self.trace, &self.key);
        let path = match self.source.as_str() {
            "docmost" => "/api/webhooks/docmost",
            _ => "/api/webhooks/baserow/{source}",
        };
        let mut received = span("webhook received", SpanKind::Server, self.received, self.accepted)
            .within(self.trace, root, SpanId::of_caller(self.trace))
            .text("http.request.method", "POST")
            .text("http.route", path)
            .number("http.response.status_code", 200)
            .text("messaging.system", "redis")
            .text("messaging.destination.name", "sync")
            .text("messaging.message.id", self.event.as_str())
            .number("messaging.batch.message_count", self.items)
            .text("passerelle.source", self.source.as_str())
            .text("passerelle.kind", self.kind);
        if let Some(table) = self.table {
            received = received.number("passerelle.table", table);
        }
        let mut spans = vec![received];
        for outcome in &self.closed {
            let id = SpanId::of(self.trace, ["outcome", &self.key, outcome.name()]);
            let ended = outcome_span(outcome, self.accepted);
            spans.push(ended.within(self.trace, id, Some(root)));
        }
        spans
    }
}

impl Attempt {
    /// None if no event that it answered for is sampled.
    pub(crate) fn spans(&self, traced: &TracedAttempt, servers: &Servers) -> Vec<Span> {
        let sampled: Vec<&TracedEvent> = traced.events.iter().filter(|event| event.trace.is_sampled()).collect();
        let Some((latest, others)) = sampled.split_first() else {
            return Vec::new();
        };
        let id = self.id(latest);
        let mut attempt = self.span(latest, id);
        for other in others {
            attempt = attempt.linked(other.trace, root(other.trace, &other.delivery));
        }
        let mut spans = Vec::with_capacity(4 + self.calls());
        self.add_steps(&mut attempt, &mut spans, latest, servers);
        spans.push(attempt);
        spans.push(self.written(latest, id));
        for event in &sampled {
            let waited = self.waited(event, traced.previous_ended);
            let is_elsewhere = event.trace.trace() != latest.trace.trace();
            spans.push(if is_elsewhere {
                waited.linked(latest.trace, id)
            } else {
                waited
            });
            spans.extend(self.outcome(event));
        }
        spans
    }

    /// What distinguishes it from every other attempt.
    fn name(&self) -> String {
        format!("{} {} {}", self.job, self.entry.as_i64(), self.started.as_millis())
    }

    fn id(&self, event: &TracedEvent) -> SpanId {
        SpanId::of(event.trace, ["attempt", &self.name()])
    }

    fn span(&self, event: &TracedEvent, id: SpanId) -> Span {
        let root = root(event.trace, &event.delivery);
        let span = span("attempt", SpanKind::Consumer, self.started, self.ended)
            .within(event.trace, id, Some(root))
            .text("messaging.operation.type", "process")
            .text("passerelle.job", self.job.to_string())
            .number("passerelle.attempt", self.number)
            .text("passerelle.worker", self.worker.as_str())
            .text("passerelle.verdict", self.verdict);
        let span = of_queue(span, event);
        match self.failure {
            Some(class) => span.failed(class.as_str()),
            None => span,
        }
    }

    /// The calls become children, decisions become events of the attempt.
    fn add_steps(&self, attempt: &mut Span, spans: &mut Vec<Span>, event: &TracedEvent, servers: &Servers) {
        let parent = self.id(event);
        let mut at = self.started;
        for (number, step) in self.steps.iter().enumerate() {
            let began = step
                .at_ms
                .map_or(at, |millis| self.started.plus(Duration::from_millis(millis)));
            at = began.plus(Duration::from_millis(step.duration_ms));
            let Some(request) = &step.request else {
                attempt.events.push(decision(step, at));
                continue;
            };
            let id = SpanId::of(event.trace, ["call", &self.name(), &number.to_string()]);
            spans.push(call_span(step, request, servers, (began, at)).within(event.trace, id, Some(parent)));
        }
    }

    fn written(&self, event: &TracedEvent, parent: SpanId) -> Span {
        let id = SpanId::of(event.trace, ["ledger written", &self.name()]);
        span(
            "ledger written",
            SpanKind::Client,
            self.written.began,
            self.written.ended,
        )
        .within(event.trace, id, Some(parent))
        .text("db.system.name", self.written.database)
    }

    fn waited(&self, event: &TracedEvent, previous: Option<Timestamp>) -> Span {
        let since = previous.map_or(event.queued, |ended| ended.max(event.queued));
        let id = SpanId::of(event.trace, ["job waited", &event.delivery, &self.name()]);
        let waited = span("job waited", SpanKind::Internal, since, self.started);
        let parent = root(event.trace, &event.delivery);
        of_queue(waited.within(event.trace, id, Some(parent)), event)
    }

    fn outcome(&self, event: &TracedEvent) -> Option<Span> {
        // A notice is no item of the ledger: its attempt alone says how it ended.
        let own = self.outcome.as_ref().filter(|_| event.queue != "sync");
        let outcome = event.outcome.as_ref().or(own)?;
        let id = SpanId::of(event.trace, ["outcome", &event.delivery, &self.job.to_string()]);
        let parent = root(event.trace, &event.delivery);
        Some(outcome_span(outcome, self.ended).within(event.trace, id, Some(parent)))
    }
}

/// The span of a delivery: the parent of what becomes of it.
fn root(trace: passerelle_model::trace_context::TraceContext, delivery: &str) -> SpanId {
    SpanId::of(trace, ["webhook received", delivery])
}

fn of_queue(span: Span, event: &TracedEvent) -> Span {
    span.text("messaging.system", "redis")
        .text("messaging.destination.name", event.queue.as_str())
        .text("messaging.message.id", event.event.as_str())
}

fn outcome_span(outcome: &Outcome, at: Timestamp) -> Span {
    let span = span("outcome", SpanKind::Internal, at, at).text("passerelle.outcome", outcome.name());
    match outcome {
        Outcome::Dead(reason) => span.failed(reason),
        Outcome::Rejected(_) => span.failed(outcome.name()),
        _ => span,
    }
}

/// Its name alone: the note may hold what people wrote.
fn decision(step: &Step, at: Timestamp) -> Event {
    Event {
        time_unix_nano: nanos(at),
        name: step.name.clone(),
        ..Event::default()
    }
}
