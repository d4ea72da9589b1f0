//! One running ingress, its Redis, and a caller that holds the secret.

use std::net::SocketAddr;

use anyhow::Context as _;
use hmac::{Hmac, KeyInit as _, Mac as _};
use passerelle_ingress::server::Server;
use passerelle_ingress::settings::Settings;
use passerelle_model::config::{Reader, RedisSettings};
use passerelle_model::event::{Disposition, Item};
use passerelle_model::ledger::LedgerRecord;
use passerelle_queue::{Queue, QueueName, Redis};
use serde_json::Value;
use sha2::Sha256;
use tempfile::TempDir;
use test_support::{ErrorLog, TestRedis};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub(crate) const SECRET: &str = "0123456789abcdef0123456789abcdef";
pub(crate) const SIGNATURE: &str = "X-Baserow-Signature";

const BRIDGE_FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../bridge.toml");

/// A running ingress. Stops when dropped.
pub(crate) struct Ingress {
    pub(crate) address: SocketAddr,
    pub(crate) redis: TestRedis,
    pub(crate) http: reqwest::Client,
    pub(crate) queue: Queue,
    pub(crate) spool: TempDir,
    pub(crate) errors: ErrorLog,
    stop: oneshot::Sender<()>,
    running: JoinHandle<std::io::Result<()>>,
}

/// What the ingress answered.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Answer {
    /// The word for what became of the delivery, or of why it was refused.
    pub(crate) fn word(&self) -> &str {
        let word = self.body.get("status").or(self.body.get("reason"));
        word.and_then(Value::as_str).unwrap_or_default()
    }
}

impl Ingress {
    /// With the shipped `bridge.toml`.
    pub(crate) fn start() -> anyhow::Result<Self> {
        Self::start_with(&[])
    }

    /// With some settings of its own.
    pub(crate) fn start_with(own: &[(&str, &str)]) -> anyhow::Result<Self> {
        let (redis, errors) = (TestRedis::start()?, ErrorLog::watch());
        let spool = tempfile::tempdir()?;
        let redis_url = redis.url();
        let spool_folder = spool.path().to_str().context("the folder's name is not UTF-8")?;
        let mut variables = vec![
            ("INGRESS_SPOOL_DIR", spool_folder),
            ("REDIS_URL", redis_url.as_str()),
            ("INGRESS_BIND", "127.0.0.1:0"),
            ("INGRESS_THREADS", "2"),
            ("INGRESS_SHUTDOWN_SECONDS", "1"),
            ("BRIDGE_FILE", BRIDGE_FILE),
            ("BASEROW_WEBHOOK_SECRET", SECRET),
        ];
        variables.extend_from_slice(own);
        let mut reader = Reader::from_pairs(variables.iter().copied());
        let redis_settings = RedisSettings::read(&mut reader);
        let settings = Settings::read(&mut reader);
        let settings = reader.finish(settings)?;
        let server = Server::bind(settings)?;
        let (stop, stopped) = oneshot::channel::<()>();
        let address = server.address();
        let running = tokio::spawn(server.run(async {
            let _ = stopped.await;
        }));
        let _ = rustls::crypto::ring::default_provider().install_default();
        Ok(Self {
            address,
            redis,
            http: reqwest::Client::builder().build()?,
            queue: Queue::new(Redis::open(&redis_settings)?, QueueName::Sync),
            spool,
            errors,
            stop,
            running,
        })
    }

    /// The address of a path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Sends a body, signed, as the source `projet-changed`.
    pub(crate) async fn deliver(&self, body: impl Into<Vec<u8>>) -> anyhow::Result<Answer> {
        let body = body.into();
        let signature = signature(SECRET, &body)?;
        self.send(&[(SIGNATURE, &signature)], body).await
    }

    /// Sends a body, signed, as the wiki.
    pub(crate) async fn push(&self, body: impl Into<Vec<u8>>) -> anyhow::Result<Answer> {
        let body = body.into();
        let signature = signature(SECRET, &body)?;
        let request = self.http.post(self.url("/api/webhooks/docmost"));
        answer(request.header(SIGNATURE, signature).body(body).send().await?).await
    }

    /// Sends a body with these headers.
    pub(crate) async fn send(&self, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> anyhow::Result<Answer> {
        let mut request = self.http.post(self.url("/api/webhooks/baserow/projet-changed"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        answer(request.body(body.into()).send().await?).await
    }

    /// `GET` of a path.
    pub(crate) async fn get(&self, path: &str) -> anyhow::Result<Answer> {
        answer(self.http.get(self.url(path)).send().await?).await
    }

    /// Every fact of the ledger, in order.
    pub(crate) async fn ledger(&self) -> anyhow::Result<Vec<LedgerRecord>> {
        let (mut records, mut after) = (Vec::new(), None);
        loop {
            let entries = self.queue.read_ledger(after.as_deref(), 500).await?;
            let Some(last) = entries.last() else {
                return Ok(records);
            };
            after = Some(last.id.clone());
            for record in entries.into_iter().flat_map(|entry| entry.records) {
                records.push(record.map_err(|unreadable| anyhow::anyhow!("{}", unreadable.error))?);
            }
        }
    }

    /// The keys that Redis holds, but for what is recorded of its life, and of the ingress itself.
    pub(crate) async fn keys(&self) -> anyhow::Result<Vec<String>> {
        let client = redis::Client::open(self.redis.url())?;
        let mut connection = client.get_multiplexed_async_connection().await?;
        let mut keys: Vec<String> = redis::cmd("KEYS").arg("*").query_async(&mut connection).await?;
        keys.retain(|key| key != "{bridge}:life" && !key.starts_with("{bridge}:ingresses"));
        Ok(keys)
    }

    /// Waits for its end.
    pub(crate) async fn ended(self) -> anyhow::Result<()> {
        Ok(self.running.await??)
    }

    /// Asks it to stop and waits for its end; its Redis goes on.
    pub(crate) async fn stop_and_keep_redis(self) -> anyhow::Result<TestRedis> {
        let _ = self.stop.send(());
        self.running.await??;
        Ok(self.redis)
    }

    /// Asks it to stop and waits for its end.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        let _ = self.stop.send(());
        Ok(self.running.await??)
    }
}

async fn answer(response: reqwest::Response) -> anyhow::Result<Answer> {
    let status = response.status().as_u16();
    let text = response.text().await?;
    let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
    Ok(Answer { status, body })
}

/// The signature of a body.
pub(crate) fn signature(secret: &str, body: &[u8]) -> anyhow::Result<String> {
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes())?;
    Ok(hex::encode(mac.chain_update(body).finalize().into_bytes()))
}

/// Items as `row disposition`, for people to read.
pub(crate) fn print_items(items: &[Item]) -> String {
    let print = |item: &Item| {
        let row = item.row.map_or("-".to_owned(), |row| row.to_string());
        match &item.disposition {
            Disposition::Sync => format!("{row} sync"),
            Disposition::Job(job) => format!("{job} sync"),
            Disposition::Closed(outcome) => format!("{row} {outcome}"),
        }
    };
    match items {
        [first, _, _, .., last] => format!("{} … {} ({} rows)", print(first), print(last), items.len()),
        few => few.iter().map(print).collect::<Vec<_>>().join(", "),
    }
}
