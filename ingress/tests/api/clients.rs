//! Bad clients: slow, endless, too many. None of them slows another client down.

use std::time::{Duration, Instant};

use rstest::rstest;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::{Ingress, SECRET, SIGNATURE, signature};

/// Far above the one second that these tests allow a client, far below the patience of the test
/// runner.
const CUT_WITHIN: Duration = Duration::from_secs(15);

/// Sends some bytes and nothing more, and returns all that comes back until the server hangs up.
async fn stall(ingress: &Ingress, bytes: &[u8]) -> anyhow::Result<String> {
    let mut connection = TcpStream::connect(ingress.address).await?;
    connection.write_all(bytes).await?;
    let mut answer = Vec::new();
    tokio::time::timeout(CUT_WITHIN, connection.read_to_end(&mut answer)).await??;
    Ok(String::from_utf8(answer)?)
}

/// The head of a delivery of `length` bytes with a plausible proof.
fn head(length: &str) -> anyhow::Result<String> {
    let proof = signature(SECRET, b"")?;
    Ok(format!(
        "POST /api/webhooks/baserow/projet-changed HTTP/1.1\r\nHost: ingress\r\n{SIGNATURE}: {proof}\r\n{length}\r\n\r\n"
    ))
}

#[tokio::test]
async fn a_client_that_never_ends_its_head_is_cut() {
    let ingress = Ingress::start_with(&[("INGRESS_HEADER_TIMEOUT_SECONDS", "1")]).unwrap();
    let answer = stall(&ingress, b"POST /api/webhooks/baserow/x HTTP/1.1\r\nHost: ing")
        .await
        .unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
}

/// A whole request and the beginning of a second head: an unproven caller gets no second time-out
/// for its head.
#[rstest]
#[case::unproven(
    "POST /api/webhooks/baserow/x HTTP/1.1\r\nHost: ingress\r\nContent-Length: 2\r\n\r\n{}",
    401
)]
#[case::lost("GET / HTTP/1.1\r\nHost: ingress\r\n\r\n", 404)]
#[case::curious("GET /healthz HTTP/1.1\r\nHost: ingress\r\n\r\n", 200)]
#[tokio::test]
async fn a_client_that_has_proven_nothing_cannot_dawdle_over_a_second_head(#[case] first: &str, #[case] status: u16) {
    let ingress = Ingress::start().unwrap();
    let answer = stall(&ingress, format!("{first}POST /api/webho").as_bytes())
        .await
        .unwrap();
    assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{answer}");
}

#[tokio::test]
async fn a_client_that_has_proven_a_delivery_keeps_its_connection() {
    let ingress = Ingress::start().unwrap();
    let body = "{\"event_type\": \"x\", \"event_id\": \"e\"}";
    let proof = signature(SECRET, body.as_bytes()).unwrap();
    let request = format!(
        "POST /api/webhooks/baserow/projet-changed HTTP/1.1\r\nHost: ingress\r\n{SIGNATURE}: {proof}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut connection = TcpStream::connect(ingress.address).await.unwrap();
    for status in ["ignored", "duplicate"] {
        connection.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        while !answer.contains(status) {
            let mut bytes = [0; 1024];
            let read = tokio::time::timeout(CUT_WITHIN, connection.read(&mut bytes))
                .await
                .unwrap();
            let read = read.unwrap();
            assert!(read > 0, "the connection was closed after {answer}");
            answer.push_str(std::str::from_utf8(&bytes[..read]).unwrap());
        }
    }
}

#[tokio::test]
async fn a_client_that_never_ends_its_body_is_cut() {
    let ingress = Ingress::start_with(&[("INGRESS_BODY_TIMEOUT_SECONDS", "1")]).unwrap();
    let stalled = format!("{}{{\"event_id\"", head("Content-Length: 100").unwrap());
    let answer = stall(&ingress, stalled.as_bytes()).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(
        answer.ends_with(r#"{"accepted":false,"reason":"body_too_slow"}"#),
        "{answer}"
    );
}

#[tokio::test]
async fn a_client_without_a_plausible_proof_is_answered_before_it_has_sent_its_body() {
    let ingress = Ingress::start().unwrap();
    let head =
        "POST /api/webhooks/baserow/x HTTP/1.1\r\nHost: ingress\r\nConnection: close\r\nContent-Length: 100\r\n\r\n";
    let answer = stall(&ingress, head.as_bytes()).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
}

#[tokio::test]
async fn stalled_clients_block_nobody() {
    let ingress = Ingress::start_with(&[("INGRESS_BODY_TIMEOUT_SECONDS", "60")]).unwrap();
    let mut stalled = Vec::new();
    for _ in 0..200 {
        let mut connection = TcpStream::connect(ingress.address).await.unwrap();
        connection
            .write_all(head("Content-Length: 100").unwrap().as_bytes())
            .await
            .unwrap();
        stalled.push(connection);
    }
    let began = Instant::now();
    for _ in 0..20 {
        assert_eq!(ingress.send(&[], "{}").await.unwrap().status, 401);
    }
    // They would have to wait for a minute.
    assert!(began.elapsed() < Duration::from_secs(30), "took {:?}", began.elapsed());
}

#[tokio::test]
async fn large_bodies_that_stall_do_not_keep_small_ones_waiting() {
    let ingress = Ingress::start_with(&[("INGRESS_BODY_TIMEOUT_SECONDS", "60")]).unwrap();
    let mut stalled = Vec::new();
    for _ in 0..50 {
        let mut connection = TcpStream::connect(ingress.address).await.unwrap();
        let head = head("Content-Length: 1000000").unwrap();
        connection.write_all(head.as_bytes()).await.unwrap();
        stalled.push(connection);
    }
    assert_eq!(ingress.deliver("{}").await.unwrap().status, 400);
}

#[tokio::test]
async fn a_body_of_several_megabytes_is_read() {
    let ingress = Ingress::start().unwrap();
    let body = format!(
        "{{\"event_type\": \"x\", \"event_id\": \"e\", \"text\": \"{}\"}}",
        "x".repeat(5_000_000)
    );
    let answer = ingress.deliver(body).await.unwrap();
    assert_eq!((answer.status, answer.word()), (200, "ignored"));
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_as_soon_as_it_is_announced() {
    let ingress = Ingress::start_with(&[
        ("INGRESS_BODY_LIMIT_BYTES", "1000"),
        ("INGRESS_LARGEST_BODY_BYTES", "1000"),
    ])
    .unwrap();
    let mut connection = TcpStream::connect(ingress.address).await.unwrap();
    connection
        .write_all(head("Content-Length: 1001").unwrap().as_bytes())
        .await
        .unwrap();
    let mut start = [0; 12];
    connection.read_exact(&mut start).await.unwrap();
    assert_eq!(&start, b"HTTP/1.1 413");
}

#[tokio::test]
async fn a_body_in_chunks_is_refused_as_soon_as_it_passes_the_limit() {
    let ingress = Ingress::start_with(&[
        ("INGRESS_BODY_LIMIT_BYTES", "1000"),
        ("INGRESS_LARGEST_BODY_BYTES", "1000"),
    ])
    .unwrap();
    let chunk = format!("3e9\r\n{}\r\n", "x".repeat(1001));
    let mut connection = TcpStream::connect(ingress.address).await.unwrap();
    let sent = format!("{}{chunk}", head("Transfer-Encoding: chunked").unwrap());
    connection.write_all(sent.as_bytes()).await.unwrap();
    let mut start = [0; 12];
    connection.read_exact(&mut start).await.unwrap();
    assert_eq!(&start, b"HTTP/1.1 413");
}

#[tokio::test]
async fn a_whole_body_over_the_limit_gets_its_answer_too() {
    let ingress = Ingress::start_with(&[
        ("INGRESS_BODY_LIMIT_BYTES", "1000"),
        ("INGRESS_LARGEST_BODY_BYTES", "1000"),
    ])
    .unwrap();
    let answer = ingress.deliver(vec![b' '; 200_000]).await.unwrap();
    assert_eq!((answer.status, answer.word()), (413, "body_too_large"));
}

/// A delivery that is proven, of an event of this name.
fn proven_request(event: &str) -> anyhow::Result<String> {
    let body = format!("{{\"event_type\": \"x\", \"event_id\": \"{event}\"}}");
    let (proof, length) = (signature(SECRET, body.as_bytes())?, body.len());
    Ok(format!(
        "POST /api/webhooks/baserow/projet-changed HTTP/1.1\r\nHost: ingress\r\n{SIGNATURE}: {proof}\r\nContent-Length: {length}\r\n\r\n{body}"
    ))
}

#[tokio::test]
async fn a_client_that_has_proven_a_delivery_cannot_dawdle_over_the_next_head() {
    let ingress = Ingress::start_with(&[
        ("INGRESS_HEADER_TIMEOUT_SECONDS", "1"),
        ("INGRESS_KEEP_ALIVE_SECONDS", "1"),
    ])
    .unwrap();
    let request = format!("{}POST /api/webho", proven_request("e").unwrap());
    let answer = stall(&ingress, request.as_bytes()).await.unwrap();
    assert_eq!(answer.matches("HTTP/1.1 200").count(), 1, "{answer}");
}

#[tokio::test]
async fn a_connection_ends_after_a_hundred_requests_and_what_was_sent_before_is_answered() {
    let ingress = Ingress::start().unwrap();
    let requests: Vec<String> = (0..500)
        .map(|event| proven_request(&event.to_string()).unwrap())
        .collect();
    let mut connection = TcpStream::connect(ingress.address).await.unwrap();
    let (mut reader, mut writer) = connection.split();
    let all = requests.concat();
    // The server hangs up before it has read all of them.
    let sent = async { writer.write_all(all.as_bytes()).await.is_ok() };
    let read = async {
        let mut answer = Vec::new();
        let _ = tokio::time::timeout(CUT_WITHIN, reader.read_to_end(&mut answer))
            .await
            .unwrap();
        String::from_utf8(answer).unwrap()
    };
    let (_, answer) = tokio::join!(sent, read);
    // Kept, it would idle for a minute.
    assert!(answer.matches("HTTP/1.1 200").count() >= 100, "{answer}");
    assert!(answer.contains("connection: close"), "{answer}");
}

#[rstest]
#[case::of_a_source("/api/webhooks/baserow/projet-changed/")]
#[case::of_the_wiki("/api/webhooks/docmost/")]
#[tokio::test]
async fn an_address_with_a_slash_at_its_end_is_the_same_address(#[case] path: &str) {
    let ingress = Ingress::start().unwrap();
    let body = "{\"event_type\": \"x\", \"event_id\": \"e\"}";
    let request = ingress.http.post(ingress.url(path)).body(body);
    let proof = signature(SECRET, body.as_bytes()).unwrap();
    assert_eq!(request.header(SIGNATURE, proof).send().await.unwrap().status(), 200);
}
