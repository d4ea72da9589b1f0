//! A receiver of webhooks that keeps the exact bytes, and answers as the recorder's own receiver
//! did.
//!
//! The path says what it answers: `/ok/…` 200, `/status/503` that status, `/redir/307` a redirect
//! to `/ok/redirected`, `/slow/…` nothing, `/held/503` that status once the test releases it.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::capture::Delivery;

/// Listens until it is dropped.
#[derive(Debug)]
pub(crate) struct Receiver {
    pub(crate) address: String,
    received: Arc<Mutex<Vec<Delivery>>>,
    gate: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
}

impl Receiver {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let received = Arc::new(Mutex::new(Vec::new()));
        let (gate, opened) = watch::channel(false);
        let seen = Arc::clone(&received);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&seen), opened.clone()));
            }
        });
        Ok(Self {
            address,
            received,
            gate,
            task,
        })
    }

    /// The deliveries since the last call of this, oldest first.
    pub(crate) fn take(&self) -> Vec<Delivery> {
        std::mem::take(&mut self.received.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The number of deliveries since the last [`Receiver::take`].
    pub(crate) fn count(&self) -> usize {
        self.received.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Releases the held answers.
    pub(crate) fn let_go(&self) {
        self.gate.send_replace(true);
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    stream: TcpStream,
    received: Arc<Mutex<Vec<Delivery>>>,
    mut opened: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let mut stream = BufReader::new(stream);
    let delivery = read(&mut stream).await?;
    let path = delivery.path.clone();
    received.lock().unwrap_or_else(PoisonError::into_inner).push(delivery);
    let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let answer = match segments.as_slice() {
        ["status", status] => answer(status, &format!("{{\"status\": {status}}}"), ""),
        ["redir", status] => answer(status, "{\"ok\": true}", "Location: /ok/redirected\r\n"),
        ["slow", ..] => return std::future::pending().await,
        ["held", status] => {
            opened.wait_for(|open| *open).await?;
            answer(status, &format!("{{\"status\": {status}}}"), "")
        }
        _ => answer("200", "{\"ok\": true}", ""),
    };
    stream.write_all(answer.as_bytes()).await?;
    Ok(())
}

/// An answer in the form of the recorder's own receiver, as the call log shows it.
fn answer(status: &str, body: &str, more: &str) -> String {
    let body = if status == "204" || status == "304" { "" } else { body };
    format!(
        "HTTP/1.1 {status} Answer\r\nServer: BaseHTTP/0.6 Python/3.11.7\r\n\
         Date: Sun, 22 Nov 2026 10:57:38 GMT\r\n{more}\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

async fn read(stream: &mut BufReader<TcpStream>) -> anyhow::Result<Delivery> {
    let first = line(stream).await?;
    let mut words = first.split(' ');
    let (method, path) = (
        words.next().unwrap_or_default().to_owned(),
        words.next().unwrap_or_default().to_owned(),
    );
    let mut headers = Vec::new();
    loop {
        let line = line(stream).await?;
        let Some((name, value)) = line.split_once(": ") else {
            break;
        };
        headers.push((name.to_owned(), value.to_owned()));
    }
    let length = headers
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let length: usize = length.map_or(Ok(0), |(_, length)| length.parse())?;
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok(Delivery {
        method,
        path,
        headers,
        body: String::from_utf8(body).context("a body that is not UTF-8")?,
    })
}

/// A line of the head, which is Latin-1.
async fn line(stream: &mut BufReader<TcpStream>) -> anyhow::Result<String> {
    let mut line = Vec::new();
    stream.read_until(b'\n', &mut line).await?;
    Ok(line
        .into_iter()
        .map(char::from)
        .collect::<String>()
        .trim_end_matches(['\r', '\n'])
        .to_owned())
}
