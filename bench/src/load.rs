//! A closed-loop load: 64 keep-alive connections. Each sends its next signed delivery when the last
//! one is answered.
//!
//! It writes HTTP/1.1 by hand, because the generator shares the two cores with what it measures.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// The secret that the load signs with.
pub(crate) const SECRET: &str = "a-secret-that-only-the-bench-uses";
const CONNECTIONS: u64 = 64;
/// The linked client of every row.
const CLIENT: &str = r#"{"id": 1, "value": "Soci\u00e9t\u00e9 G\u00e9n\u00e9rale", "order": "1.00000000000000000000"}"#;

/// The answers to a load.
#[derive(Debug)]
pub(crate) struct Seen {
    /// The number of answers.
    pub(crate) answers: u64,
    /// The time from the first request to the last answer.
    pub(crate) elapsed: Duration,
    latencies: Vec<Duration>,
}

impl Seen {
    /// Answers per second.
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    pub(crate) fn rate(&self) -> f64 {
        self.answers as f64 / self.elapsed.as_secs_f64()
    }

    /// The latency that `share` (0 to 1) of the answers did not exceed.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an index"
    )]
    pub(crate) fn quantile(&self, share: f64) -> Duration {
        let index = (self.latencies.len().saturating_sub(1) as f64 * share) as usize;
        self.latencies.get(index).copied().unwrap_or_default()
    }
}

/// Sends deliveries to `path` for `duration`; one in ten is a duplicate. `round` keeps the event
/// ids of different runs apart.
pub(crate) async fn run(address: SocketAddr, path: &str, duration: Duration, round: u64) -> anyhow::Result<Seen> {
    let began = Instant::now();
    let connections = (0..CONNECTIONS).map(|connection| {
        let path = path.to_owned();
        tokio::spawn(async move { drive(address, &path, began + duration, (round << 8) | connection).await })
    });
    let mut latencies = Vec::new();
    for connection in connections.collect::<Vec<_>>() {
        latencies.extend(connection.await??);
    }
    latencies.sort_unstable();
    Ok(Seen {
        answers: latencies.len() as u64,
        elapsed: began.elapsed(),
        latencies,
    })
}

async fn drive(address: SocketAddr, path: &str, until: Instant, id: u64) -> anyhow::Result<Vec<Duration>> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes())?;
    let mut latencies = Vec::with_capacity(1 << 14);
    let mut answer = vec![0; 4096];
    let mut request = Vec::with_capacity(4096);
    for number in 0_u64.. {
        let body = delivery(id, if number % 10 == 9 { number - 1 } else { number });
        write_request(&mut request, path, mac.clone(), &body);
        let sent = Instant::now();
        if sent >= until {
            break;
        }
        stream.write_all(&request).await?;
        read_answer(&mut stream, &mut answer).await?;
        latencies.push(sent.elapsed());
    }
    Ok(latencies)
}

fn write_request(request: &mut Vec<u8>, path: &str, mut mac: Hmac<Sha256>, body: &str) {
    mac.update(body.as_bytes());
    let signature = hex::encode(mac.finalize().into_bytes());
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n\
         X-Baserow-Signature: {signature}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    request.clear();
    request.extend_from_slice(head.as_bytes());
    request.extend_from_slice(body.as_bytes());
}

/// Reads one answer with a Content-Length; anything but 200 ends the run.
async fn read_answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> anyhow::Result<()> {
    let mut filled = 0;
    loop {
        if filled == buffer.len() {
            buffer.resize(filled * 2, 0);
        }
        let read = stream.read(&mut buffer[filled..]).await?;
        if read == 0 {
            bail!("the connection was closed in the middle of an answer");
        }
        filled += read;
        let Some(end) = buffer[..filled].windows(4).position(|window| window == b"\r\n\r\n") else {
            continue;
        };
        let head = std::str::from_utf8(&buffer[..end])?;
        let length = head.lines().find_map(|line| {
            line.to_ascii_lowercase()
                .strip_prefix("content-length:")
                .map(str::to_owned)
        });
        let length: usize = length.context("an answer without Content-Length")?.trim().parse()?;
        if filled < end + 4 + length {
            continue;
        }
        if !head.starts_with("HTTP/1.1 200") {
            bail!("refused: {}", String::from_utf8_lossy(&buffer[..filled]));
        }
        return Ok(());
    }
}

/// A delivery of about 1.5 KB, as Baserow sends them, for a row of its own.
fn delivery(connection: u64, number: u64) -> String {
    let row = (connection << 24 | number) + 1;
    let item = |name: &str| item(row, name);
    format!(
        "{{\"table_id\": 2, \"database_id\": 1, \"workspace_id\": 1, \"webhook_id\": 1, \
         \"event_id\": \"{connection:08x}-0000-4000-8000-{number:012x}\", \"event_type\": \"rows.updated\", \
         \"items\": [{}], \"old_items\": [{}]}}",
        item("Refonte du site"),
        item("Refonte"),
    )
}

fn item(row: u64, name: &str) -> String {
    let text = "Un texte comme on en trouve dans les lignes, avec quelques mots de plus. ".repeat(5);
    format!(
        "{{\"id\": {row}, \"order\": \"{row}.00000000000000000000\", \"Nom\": \"{name}\", \
         \"Statut\": {{\"id\": 2, \"value\": \"En cours\", \"color\": \"blue\"}}, \"Client\": [{CLIENT}], \
         \"Description\": \"{text}\", \"docmost_page_id\": null, \"docmost_url\": \"\"}}"
    )
}
