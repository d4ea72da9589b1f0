//! The form of spans and of their attributes.

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::span::{Link, SpanKind};
use opentelemetry_proto::tonic::trace::v1::{Span, Status, status::StatusCode};
use passerelle_model::time::Timestamp;
use passerelle_model::trace_context::TraceContext;
use sha2::{Digest as _, Sha256};

/// A span's id. The same words give the same id, whichever process makes the span: so a child finds
/// its parent, and a span that is sent twice is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SpanId(u64);

impl SpanId {
    pub(crate) fn of<'w>(trace: TraceContext, words: impl IntoIterator<Item = &'w str>) -> Self {
        let mut hash = Sha256::new_with_prefix(trace.trace().to_be_bytes());
        for word in words {
            hash.update([0]);
            hash.update(word);
        }
        let digest = hash.finalize();
        let first = digest.first_chunk::<8>().copied().unwrap_or_default();
        // The standard forbids 0.
        Self(u64::from_be_bytes(first).max(1))
    }

    /// The caller's, if the trace did not begin here.
    pub(crate) fn of_caller(trace: TraceContext) -> Option<Self> {
        trace.caller().map(Self)
    }

    fn bytes(self) -> Vec<u8> {
        self.0.to_be_bytes().to_vec()
    }
}

/// A span without attributes. One that would end before it begins, because two clocks differ, ends
/// as it begins.
pub(crate) fn span(name: impl Into<String>, kind: SpanKind, began: Timestamp, ended: Timestamp) -> Span {
    Span {
        name: name.into(),
        kind: kind.into(),
        start_time_unix_nano: nanos(began),
        end_time_unix_nano: nanos(ended.max(began)),
        flags: 1,
        ..Span::default()
    }
}

pub(crate) fn nanos(moment: Timestamp) -> u64 {
    u64::try_from(moment.as_millis()).unwrap_or(0).saturating_mul(1_000_000)
}

/// What is said of a span, one by one.
pub(crate) trait Said: Sized {
    fn within(self, trace: TraceContext, id: SpanId, parent: Option<SpanId>) -> Self;
    fn text(self, key: &str, value: impl Into<String>) -> Self;
    fn number(self, key: &str, value: impl TryInto<i64>) -> Self;
    fn failed(self, why: &str) -> Self;
    fn linked(self, trace: TraceContext, id: SpanId) -> Self;
}

impl Said for Span {
    fn within(mut self, trace: TraceContext, id: SpanId, parent: Option<SpanId>) -> Self {
        self.trace_id = trace.trace().to_be_bytes().to_vec();
        self.span_id = id.bytes();
        self.parent_span_id = parent.map(SpanId::bytes).unwrap_or_default();
        self
    }

    fn text(mut self, key: &str, value: impl Into<String>) -> Self {
        self.attributes.push(attribute(key, Value::StringValue(value.into())));
        self
    }

    fn number(mut self, key: &str, value: impl TryInto<i64>) -> Self {
        if let Ok(value) = value.try_into() {
            self.attributes.push(attribute(key, Value::IntValue(value)));
        }
        self
    }

    /// It ended in an error; `why` is a word from a fixed list.
    fn failed(mut self, why: &str) -> Self {
        self.status = Some(Status {
            message: why.to_owned(),
            code: StatusCode::Error.into(),
        });
        self.text("error.type", why)
    }

    fn linked(mut self, trace: TraceContext, id: SpanId) -> Self {
        self.links.push(Link {
            trace_id: trace.trace().to_be_bytes().to_vec(),
            span_id: id.bytes(),
            flags: 1,
            ..Link::default()
        });
        self
    }
}

pub(crate) fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}
