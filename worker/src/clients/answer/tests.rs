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
    let client = http(PATIENCE).unwrap();
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
