//! The ingress as a process, with a Redis of its own, and callers that know its secret.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use hmac::{Hmac, KeyInit as _, Mac as _};
use redis::AsyncCommands as _;
use sha2::Sha256;
use tempfile::TempDir;
use test_support::{TestRedis, free_port};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const BRIDGE_FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../bridge.toml");
/// Far above what anything here may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// A running ingress; killed when dropped.
pub(crate) struct Ingress {
    child: Child,
    address: SocketAddr,
    pub(crate) redis: TestRedis,
    http: reqwest::Client,
    _folder: TempDir,
}

/// The body of a delivery about table 2.
pub(crate) fn delivery(event: &str, kind: &str, rows: &str) -> String {
    format!(r#"{{"table_id": 2, "webhook_id": 1, "event_id": "{event}", "event_type": "{kind}", {rows}}}"#)
}

/// A text of this many bytes that cannot be compressed to much less.
pub(crate) fn text(seed: u64, bytes: usize) -> String {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(b'a' + u8::try_from((state >> 40) % 26).unwrap_or(0))
    };
    (0..bytes).map(|_| next()).collect()
}

impl Ingress {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        Self::start_with(&[]).await
    }

    /// With some settings of its own.
    pub(crate) async fn start_with(own: &[(&str, &str)]) -> anyhow::Result<Self> {
        let (redis, folder, port) = (TestRedis::start()?, tempfile::tempdir()?, free_port()?);
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let child = Command::new(env!("CARGO_BIN_EXE_passerelle-ingress"))
            .env_clear()
            .env("INGRESS_BIND", address.to_string())
            .env("INGRESS_THREADS", "2")
            .env("INGRESS_SPOOL_DIR", folder.path().join("spool"))
            .env("REDIS_URL", redis.url())
            .env("BRIDGE_FILE", BRIDGE_FILE)
            .env("BASEROW_WEBHOOK_SECRET", SECRET)
            .env("LOG_LEVEL", "error")
            .env("PASSERELLE_ENV_FILE", "/dev/null")
            .envs(own.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()?;
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().timeout(PATIENCE).build()?;
        let ingress = Self {
            child,
            address,
            redis,
            http,
            _folder: folder,
        };
        let began = std::time::Instant::now();
        while ingress.is_ready().await.is_none() {
            anyhow::ensure!(began.elapsed() < PATIENCE, "the ingress does not answer");
            tokio::task::yield_now().await;
        }
        // What is made once, at the first delivery, is no part of what a delivery costs.
        let first = delivery("first", "field.created", "\"field\": {}");
        anyhow::ensure!(ingress.deliver(first).await? == (200, "ignored".to_owned()));
        Ok(ingress)
    }

    async fn is_ready(&self) -> Option<()> {
        let ready = self.http.get(format!("http://{}/readyz", self.address)).send().await;
        ready.ok()?.error_for_status().ok().map(drop)
    }

    /// The most memory that it ever had, in KiB.
    pub(crate) fn peak_kib(&self) -> anyhow::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let number = line.and_then(|line| line.split_whitespace().next());
        Ok(number.context("no VmHWM")?.parse()?)
    }

    /// Posts a body with the token; returns the status and the word of the answer.
    pub(crate) async fn deliver(&self, body: String) -> anyhow::Result<(u16, String)> {
        self.post("X-Bridge-Token", SECRET.to_owned(), body).await
    }

    /// Posts a body with its signature.
    pub(crate) async fn deliver_signed(&self, body: String) -> anyhow::Result<(u16, String)> {
        let mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes())?;
        let signature = hex::encode(mac.chain_update(&body).finalize().into_bytes());
        self.post("X-Baserow-Signature", signature, body).await
    }

    async fn post(&self, header: &str, value: String, body: String) -> anyhow::Result<(u16, String)> {
        let url = format!("http://{}/api/webhooks/baserow/projet-changed", self.address);
        let response = self.http.post(url).header(header, value).body(body).send().await?;
        let status = response.status().as_u16();
        let answer: serde_json::Value = response.json().await?;
        let word = answer.get("status").or(answer.get("reason"));
        Ok((
            status,
            word.and_then(|word| word.as_str()).unwrap_or_default().to_owned(),
        ))
    }

    /// The keys of the queued jobs, in order.
    pub(crate) async fn jobs(&self) -> anyhow::Result<Vec<String>> {
        let client = redis::Client::open(self.redis.url())?;
        let mut connection = client.get_multiplexed_async_connection().await?;
        Ok(connection.lrange("{bridge}:sync:active", 0, -1).await?)
    }

    /// Announces a body with a signature that nobody can check yet, and sends only its beginning.
    pub(crate) async fn begin_signed_body(&self, announced: usize, sent: usize) -> anyhow::Result<Connection> {
        let signature = "0".repeat(64);
        let head = format!("X-Baserow-Signature: {signature}\r\nContent-Length: {announced}");
        self.begin(&head, &vec![b' '; sent]).await
    }

    /// Sends the start of a body, and then the rest again and again, until there is an answer.
    pub(crate) async fn send_for_ever(&self, start: &str, rest: &str) -> anyhow::Result<String> {
        let chunk = |text: &str| format!("{:x}\r\n{text}\r\n", text.len());
        let head = format!("X-Bridge-Token: {SECRET}\r\nTransfer-Encoding: chunked");
        let Connection(stream) = self.begin(&head, chunk(start).as_bytes()).await?;
        let (mut reader, mut writer) = stream.into_split();
        let rest = chunk(rest);
        let sending = async { while writer.write_all(rest.as_bytes()).await.is_ok() {} };
        let mut answer = vec![0; 2000];
        let read = async {
            let read = reader.read(&mut answer).await?;
            anyhow::Ok(String::from_utf8_lossy(&answer[..read]).into_owned())
        };
        let both = async {
            tokio::select! {
                answer = read => answer,
                () = async { sending.await; std::future::pending().await } => unreachable!(),
            }
        };
        tokio::time::timeout(PATIENCE, both).await?
    }

    async fn begin(&self, head: &str, body: &[u8]) -> anyhow::Result<Connection> {
        let mut stream = TcpStream::connect(self.address).await?;
        let line = "POST /api/webhooks/baserow/projet-changed HTTP/1.1\r\nHost: ingress";
        stream.write_all(format!("{line}\r\n{head}\r\n\r\n").as_bytes()).await?;
        stream.write_all(body).await?;
        Ok(Connection(stream))
    }
}

impl Drop for Ingress {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A request that is not complete.
pub(crate) struct Connection(TcpStream);

impl Connection {
    /// All that comes back until the server hangs up.
    pub(crate) async fn answer(mut self) -> anyhow::Result<String> {
        let mut answer = Vec::new();
        // Whoever still sends may be cut off behind the answer.
        let _ = tokio::time::timeout(PATIENCE, self.0.read_to_end(&mut answer)).await?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }
}
