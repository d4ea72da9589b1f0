//! A collector of OpenTelemetry traces: it takes OTLP over HTTP in protobuf, and does what the test
//! says.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, Span};
use prost::Message as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What it does with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Collecting {
    /// It takes the spans.
    Takes,
    /// It answers with this status.
    Answers(u16),
    /// It reads the call and never answers.
    Hangs,
}

/// A collector on a port of its own. Dropped, it takes no more calls.
#[derive(Debug)]
pub struct TestCollector {
    address: SocketAddr,
    inbox: Arc<Mutex<Inbox>>,
    acceptor: JoinHandle<()>,
}

#[derive(Debug)]
struct Inbox {
    does: Collecting,
    calls: usize,
    /// Heads and bodies, as they came.
    bytes: Vec<u8>,
    taken: Vec<ResourceSpans>,
}

impl TestCollector {
    /// Listens on a free port of this machine.
    ///
    /// # Errors
    /// No port is free.
    pub async fn start(does: Collecting) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let inbox = Arc::new(Mutex::new(Inbox {
            does,
            calls: 0,
            bytes: Vec::new(),
            taken: Vec::new(),
        }));
        let acceptor = tokio::spawn(accept(listener, Arc::clone(&inbox)));
        Ok(Self {
            address,
            inbox,
            acceptor,
        })
    }

    /// Its address, for `OTEL_EXPORTER_OTLP_ENDPOINT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From the next call on it does this.
    pub fn now(&self, does: Collecting) {
        self.inbox().does = does;
    }

    /// How many calls came.
    pub fn calls(&self) -> usize {
        self.inbox().calls
    }

    /// Everything that came, as it came.
    pub fn bytes(&self) -> Vec<u8> {
        self.inbox().bytes.clone()
    }

    /// The spans that it took, with their resources.
    pub fn taken(&self) -> Vec<ResourceSpans> {
        self.inbox().taken.clone()
    }

    /// The spans that it took of one trace, by its 32 digits, as they began.
    pub fn spans(&self, trace: &str) -> Vec<Span> {
        let scopes = self.taken().into_iter().flat_map(|resource| resource.scope_spans);
        let mut spans: Vec<Span> = scopes
            .flat_map(|scope| scope.spans)
            .filter(|span| hex(&span.trace_id) == trace)
            .collect();
        spans.sort_by_key(|span| (span.start_time_unix_nano, span.end_time_unix_nano));
        spans
    }

    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        lock(&self.inbox)
    }
}

/// An attribute of a span, as text.
pub fn attribute(span: &Span, key: &str) -> Option<String> {
    let found = span.attributes.iter().find(|attribute| attribute.key == key)?;
    match found.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text.clone()),
        Value::IntValue(number) => Some(number.to_string()),
        other => Some(format!("{other:?}")),
    }
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::new(), |digits, byte| format!("{digits}{byte:02x}"))
}

impl Drop for TestCollector {
    fn drop(&mut self) {
        self.acceptor.abort();
    }
}

fn lock(inbox: &Mutex<Inbox>) -> MutexGuard<'_, Inbox> {
    inbox.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(listener: TcpListener, inbox: Arc<Mutex<Inbox>>) {
    while let Ok((client, _)) = listener.accept().await {
        let inbox = Arc::clone(&inbox);
        tokio::spawn(async move {
            // A caller that goes is no matter.
            let _ = serve(client, &inbox).await;
        });
    }
}

async fn serve(mut client: TcpStream, inbox: &Mutex<Inbox>) -> io::Result<()> {
    let mut waiting = Vec::new();
    while let Some((head, body)) = read_call(&mut client, &mut waiting).await? {
        let does = {
            let mut inbox = lock(inbox);
            inbox.calls += 1;
            inbox.bytes.extend_from_slice(&head);
            inbox.bytes.extend_from_slice(&body);
            inbox.does
        };
        let status = match does {
            Collecting::Hangs => std::future::pending().await,
            Collecting::Answers(status) => status,
            Collecting::Takes if !head.starts_with(b"POST /v1/traces HTTP/1.1\r\n") => 404,
            Collecting::Takes => match ExportTraceServiceRequest::decode(&body[..]) {
                Ok(request) => {
                    lock(inbox).taken.extend(request.resource_spans);
                    200
                }
                Err(_) => 400,
            },
        };
        let answer = format!("HTTP/1.1 {status} -\r\ncontent-length: 0\r\n\r\n");
        client.write_all(answer.as_bytes()).await?;
    }
    Ok(())
}

/// The head and the body of the next call; `None` at the end.
async fn read_call(client: &mut TcpStream, waiting: &mut Vec<u8>) -> io::Result<Option<(Vec<u8>, Vec<u8>)>> {
    loop {
        if let Some(end) = waiting.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = waiting.get(..end + 4).unwrap_or_default().to_vec();
            let length = head.len() + body_length(&head);
            if waiting.len() >= length {
                let rest = waiting.split_off(length);
                let call = std::mem::replace(waiting, rest);
                return Ok(Some((
                    head.clone(),
                    call.get(head.len()..).unwrap_or_default().to_vec(),
                )));
            }
        }
        if client.read_buf(waiting).await? == 0 {
            return Ok(None);
        }
    }
}

fn body_length(head: &[u8]) -> usize {
    let head = String::from_utf8_lossy(head).to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    length.and_then(|length| length.trim().parse().ok()).unwrap_or(0)
}
