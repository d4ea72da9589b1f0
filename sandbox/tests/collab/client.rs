//! A raw client of the socket, and what else a test does to the server.

use std::net::TcpListener;
use std::time::Duration;

use anyhow::{Context as _, bail};
use futures::{SinkExt as _, StreamExt as _};
use passerelle_sandbox::docmost::{self, BRIDGE_EMAIL, OWNER_EMAIL, Options};
use passerelle_sandbox::server::Running;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

const PATIENCE: Duration = Duration::from_secs(20);

/// A server with short waits, and a client of its API.
pub(crate) struct Server {
    pub(crate) running: Running,
    http: reqwest::Client,
}

impl Server {
    pub(crate) fn start() -> anyhow::Result<Self> {
        Self::with(Options {
            docmost_store_after_ms: 200,
            docmost_store_latest_ms: 900,
            docmost_socket_patience_ms: 60_000,
            docmost_role_cache_ms: 0,
            ..Options::default()
        })
    }

    pub(crate) fn with(options: Options) -> anyhow::Result<Self> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        Ok(Self {
            running: docmost::start(TcpListener::bind("127.0.0.1:0")?, options)?,
            http: reqwest::Client::builder().timeout(PATIENCE).build()?,
        })
    }

    pub(crate) fn url(&self) -> String {
        self.running.url()
    }

    /// A token of an account; seconds below zero: an expired one.
    pub(crate) async fn token(&self, email: &str, kind: &str, seconds: i64) -> anyhow::Result<String> {
        let body = json!({"email": email, "type": kind, "expiresInSeconds": seconds});
        let answer = self.control(reqwest::Method::POST, "tokens", &body).await?;
        Ok(answer["token"].as_str().context("a token")?.to_owned())
    }

    pub(crate) async fn control(&self, method: reqwest::Method, path: &str, body: &Value) -> anyhow::Result<Value> {
        let url = format!("{}/_sandbox/{path}", self.url());
        let answer = self
            .http
            .request(method, url)
            .json(body)
            .send()
            .await?
            .error_for_status()?;
        Ok(answer.json().await.unwrap_or_default())
    }

    /// A call over the API; gives status and `data`.
    pub(crate) async fn call(&self, email: &str, path: &str, body: &Value) -> anyhow::Result<(u16, Value)> {
        let token = self.token(email, "access", 3600).await?;
        let url = format!("{}/api/{path}", self.url());
        let answer = self.http.post(url).bearer_auth(token).json(body).send().await?;
        let status = answer.status().as_u16();
        let answer: Value = answer.json().await?;
        Ok((status, answer["data"].clone()))
    }

    /// A call of the bridge that must succeed.
    pub(crate) async fn ask(&self, path: &str, body: Value) -> anyhow::Result<Value> {
        let (status, data) = self.call(BRIDGE_EMAIL, path, &body).await?;
        anyhow::ensure!(status == 200, "{path}: {status}");
        Ok(data)
    }

    /// A new page with this Markdown.
    pub(crate) async fn page(&self, markdown: &str) -> anyhow::Result<String> {
        let space = self.ask("spaces/info", json!({"spaceId": "agence"})).await?;
        let body = json!({"spaceId": space["id"], "title": "Page", "format": "markdown", "content": markdown});
        let page = self.ask("pages/create", body).await?;
        Ok(page["id"].as_str().context("an id")?.to_owned())
    }

    /// The texts of the blocks of a page, as they are stored.
    pub(crate) async fn stored(&self, page: &str) -> anyhow::Result<Vec<String>> {
        let page = self.ask("pages/info", json!({"pageId": page})).await?;
        let blocks = page["content"]["content"].as_array().cloned().unwrap_or_default();
        Ok(blocks.iter().map(text_of).collect())
    }

    /// A forced store: nothing is appended. Gives the texts of the answer.
    pub(crate) async fn force(&self, page: &str) -> anyhow::Result<Vec<String>> {
        let nothing = json!({"type": "doc", "content": []});
        let body = json!({"pageId": page, "operation": "append", "format": "json", "content": nothing});
        let page = self.ask("pages/update", body).await?;
        let blocks = page["content"]["content"].as_array().cloned().unwrap_or_default();
        Ok(blocks.iter().map(text_of).collect())
    }

    pub(crate) async fn owner(&self, path: &str, body: Value) -> anyhow::Result<Value> {
        let (status, data) = self.call(OWNER_EMAIL, path, &body).await?;
        anyhow::ensure!(status == 200, "{path}: {status}");
        Ok(data)
    }
}

/// The text of a node.
pub(crate) fn text_of(node: &Value) -> String {
    let own = node["text"].as_str().unwrap_or_default().to_owned();
    own + &node["content"]
        .as_array()
        .into_iter()
        .flatten()
        .map(text_of)
        .collect::<String>()
}

/// A raw socket.
pub(crate) struct Socket(WebSocketStream<TcpStream>);

impl Socket {
    pub(crate) async fn open(server: &Server, path: &str) -> anyhow::Result<Self> {
        let host = server.running.address.to_string();
        let stream = TcpStream::connect(&host).await?;
        let (socket, _) = tokio_tungstenite::client_async(format!("ws://{host}{path}"), stream).await?;
        Ok(Self(socket))
    }

    pub(crate) async fn send(&mut self, frame: Vec<u8>) -> anyhow::Result<()> {
        Ok(self.0.send(Message::Binary(frame.into())).await?)
    }

    pub(crate) async fn say(&mut self, text: &str) -> anyhow::Result<()> {
        Ok(self.0.send(Message::Text(text.into())).await?)
    }

    pub(crate) async fn hear(&mut self) -> anyhow::Result<Vec<u8>> {
        match self.next().await? {
            Some(Message::Binary(frame)) => Ok(frame.to_vec()),
            other => bail!("no frame, but {other:?}"),
        }
    }

    /// The code with which the server closes; 1006: it hangs up.
    pub(crate) async fn closed(&mut self) -> anyhow::Result<u16> {
        loop {
            match self.next().await {
                Ok(Some(Message::Close(Some(reason)))) => return Ok(reason.code.into()),
                Ok(Some(Message::Close(None))) => return Ok(1005),
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => return Ok(1006),
            }
        }
    }

    async fn next(&mut self) -> anyhow::Result<Option<Message>> {
        let next = tokio::time::timeout(PATIENCE, self.0.next()).await;
        Ok(next.context("nothing was heard")?.transpose()?)
    }
}
