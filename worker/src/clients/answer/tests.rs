use std::time::Instant;

use test_support::PATIENCE;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::*;

/// The server's side of one exchange on a connection that it would keep.
async fn answer(connection: &mut TcpStream) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        assert_ne!(connection.read_buf(&mut request).await.unwrap(), 0, "no whole request");
    }
    connection
        .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
        .await
        .unwrap();
}

async fn serve(server: &TcpListener) -> TcpStream {
    let (mut connection, _) = server.accept().await.unwrap();
    answer(&mut connection).await;
    connection
}

#[tokio::test]
async fn an_unused_connection_is_closed_by_us_before_a_server_closes_it() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", server.local_addr().unwrap());
    let client = http(PATIENCE, None).unwrap();
    let ask = || exchange(Target::Baserow, Effect::Repeatable, client.get(&url));
    let (mut connection, first) = tokio::join!(serve(&server), ask());
    first.unwrap();
    // Used at once, it is used again.
    let (second, ()) = tokio::join!(ask(), answer(&mut connection));
    second.unwrap();
    let answered = Instant::now();
    let read = timeout(PATIENCE, connection.read_u8()).await.unwrap();
    assert_eq!(read.unwrap_err().kind(), std::io::ErrorKind::UnexpectedEof);
    assert!(
        answered.elapsed() >= IDLE_TIMEOUT / 2,
        "connections would never be used again"
    );
    let (third, _) = tokio::join!(ask(), serve(&server));
    third.unwrap();
}

#[test]
fn tokens_never_reach_the_ledger() {
    assert_eq!(
        redacted(r#"{"token":"eyJhbGci.eyJz-_dWI.x9","a":1}"#),
        r#"{"token":"[redacted]","a":1}"#.replace("[redacted]", "[redacted][redacted]")
    );
    assert_eq!(redacted("plain"), "plain");
}

#[test]
fn an_unknown_outcome_of_a_create_is_ambiguous() {
    assert_eq!(Effect::Creates.unknown_outcome(), FailureClass::Ambiguous);
    assert_eq!(Effect::Repeatable.unknown_outcome(), FailureClass::Transient);
}

/// Statuses that mean something of their own.
const STATUSES: [u16; 12] = [200, 502, 201, 400, 401, 404, 403, 413, 429, 500, 503, 302];

/// An answer whose status is told by the first byte, and whose body is the rest.
pub(in crate::clients) fn answer_of(bytes: &[u8]) -> Answer {
    let (first, body) = bytes.split_first().unwrap_or((&0, &[]));
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    if let Ok(text) = HeaderValue::from_bytes(&body[..body.len().min(30)]) {
        headers.insert("retry-after", text.clone());
        headers.insert("location", text.clone());
        headers.insert("set-cookie", text);
    }
    Answer {
        status: STATUSES[usize::from(*first) % STATUSES.len()],
        headers,
        body: String::from_utf8_lossy(body).into_owned(),
    }
}

/// The bodies that a real product was seen to answer, each behind a byte for its status.
pub(in crate::clients) fn captured_answers(product: &str) -> Vec<Vec<u8>> {
    let folder = format!("{}/../tests/contract/captures/{product}", env!("CARGO_MANIFEST_DIR"));
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let bodies = files.filter_map(|file| {
        let capture: Value = serde_json::from_slice(&std::fs::read(file).ok()?).ok()?;
        let response = capture.get("response")?;
        let status = response.get("status").and_then(Value::as_u64).unwrap_or_default();
        let place = STATUSES.iter().position(|known| u64::from(*known) == status);
        let mut bytes = vec![u8::try_from(place.unwrap_or_default()).unwrap_or_default()];
        bytes.extend(response.get("body")?.to_string().bytes());
        Some(bytes)
    });
    bodies.collect()
}
