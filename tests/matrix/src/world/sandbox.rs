//! The products of a world as their people see them, and the switches by which they fail.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use reqwest::Method;
use serde_json::{Value, json};
use test_support::free_port;
use tokio::sync::OnceCell;

use super::settings::{BASEROW_TOKEN, http_url};
use crate::schedule::Product;

/// What webhooks are signed with.
pub(crate) const SECRET: &str = "a-secret-that-only-tests-use";
pub(crate) const PERSON: &str = "human@passerelle.test";

/// The ports of the sandbox.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Doors {
    pub(crate) baserow: u16,
    pub(crate) docmost: u16,
    pub(crate) smtp: u16,
    pub(crate) smtp_control: u16,
}

impl Doors {
    pub(crate) fn free() -> anyhow::Result<Self> {
        Ok(Self {
            baserow: free_port()?,
            docmost: free_port()?,
            smtp: free_port()?,
            smtp_control: free_port()?,
        })
    }
}

/// People at the sandbox, who call it directly: the lines of the world are the bridge's.
#[derive(Debug)]
pub(crate) struct Sandbox {
    http: reqwest::Client,
    doors: Doors,
    session: OnceCell<String>,
}

impl Sandbox {
    pub(crate) fn new(doors: Doors) -> anyhow::Result<Self> {
        // It is there already if another world was before this one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // Each call by a connection of its own: a server closes an idle one whenever it likes.
        let http = reqwest::Client::builder()
            .pool_max_idle_per_host(0)
            .timeout(Duration::from_mins(1))
            .build()?;
        Ok(Self {
            http,
            doors,
            session: OnceCell::new(),
        })
    }

    /// Calls Baserow, or its switches.
    pub(crate) async fn baserow(&self, method: Method, path: &str, body: Option<Value>) -> anyhow::Result<Value> {
        let url = format!("{}{path}", http_url(self.doors.baserow));
        let request = self.http.request(method, url);
        let request = request.header("Authorization", format!("Token {BASEROW_TOKEN}"));
        called(request, body).await.context("Baserow")
    }

    /// Calls the wiki as its human.
    pub(crate) async fn docmost(&self, path: &str, body: Value) -> anyhow::Result<Value> {
        let session = self.session.get_or_try_init(|| self.sign_in()).await?;
        let url = format!("{}/api/{path}", http_url(self.doors.docmost));
        let answer = called(self.http.post(url).bearer_auth(session), Some(body)).await;
        Ok(answer.with_context(|| format!("Docmost {path}"))?["data"].clone())
    }

    async fn sign_in(&self) -> anyhow::Result<String> {
        let body = json!({"email": PERSON, "type": "access"});
        let url = format!("{}/_sandbox/tokens", http_url(self.doors.docmost));
        let answer = called(self.http.post(url), Some(body)).await?;
        Ok(answer["token"]
            .as_str()
            .context("the sandbox gave no token")?
            .to_owned())
    }

    /// Takes a row out of Baserow's trash, as a person does.
    pub(crate) async fn restore(&self, item: Value) -> anyhow::Result<()> {
        self.administer("/api/trash/restore/", item).await
    }

    /// Switches a webhook on, as an admin does.
    pub(crate) async fn switch_on(&self, webhook: u64) -> anyhow::Result<()> {
        let path = format!("/api/database/webhooks/{webhook}/");
        self.administer(&path, json!({"active": true})).await
    }

    /// Changes something in Baserow as its admin.
    async fn administer(&self, path: &str, change: Value) -> anyhow::Result<()> {
        let account = json!({"email": "admin@example.com", "password": "Baserow-pass-1"});
        let session = self
            .baserow(Method::POST, "/api/user/token-auth/", Some(account))
            .await?;
        let session = session["access_token"].as_str().context("Baserow gave no session")?;
        let url = format!("{}{path}", http_url(self.doors.baserow));
        let request = self.http.patch(url).header("Authorization", format!("JWT {session}"));
        called(request, Some(change)).await.map(|_| ())
    }

    /// A list that the sandbox shows to who watches it.
    pub(crate) async fn shown(&self, port: u16, path: &str) -> anyhow::Result<Vec<Value>> {
        let list = called(self.http.get(format!("{}/_sandbox/{path}", http_url(port))), None).await?;
        Ok(list.as_array().with_context(|| format!("{path} is no list"))?.clone())
    }

    /// The rows of a table, as people see them.
    pub(crate) async fn rows(&self, table: u64) -> anyhow::Result<Vec<Value>> {
        self.shown(self.doors.baserow, &format!("baserow/tables/{table}/rows"))
            .await
    }

    /// All pages of the wiki, those in the trash too.
    pub(crate) async fn pages(&self) -> anyhow::Result<Vec<Value>> {
        self.shown(self.doors.docmost, "pages").await
    }

    /// Every attempt of every delivery of a webhook.
    pub(crate) async fn attempts(&self) -> anyhow::Result<Vec<Value>> {
        self.shown(self.doors.baserow, "baserow/attempts").await
    }

    /// The webhooks of all tables.
    pub(crate) async fn webhooks(&self) -> anyhow::Result<Vec<Value>> {
        self.shown(self.doors.baserow, "baserow/webhooks").await
    }

    pub(crate) async fn mails(&self) -> anyhow::Result<Vec<Value>> {
        self.shown(self.doors.smtp_control, "mails").await
    }

    /// Whether every webhook was delivered, or given up.
    pub(crate) async fn is_idle(&self) -> anyhow::Result<bool> {
        let state = self.baserow(Method::GET, "/_sandbox/baserow/state", None).await?;
        Ok(state["idle"] == true)
    }

    /// How many times faster than real Baserow waits before it tries a delivery again.
    pub(crate) async fn hurry(&self, scale: u32) -> anyhow::Result<()> {
        let scale = json!({ "scale": scale });
        self.baserow(Method::PUT, "/_sandbox/baserow/time-scale", Some(scale))
            .await?;
        Ok(())
    }

    /// How Baserow's webhooks behave.
    pub(crate) async fn set_habits(&self, habits: Value) -> anyhow::Result<()> {
        self.baserow(Method::PATCH, "/_sandbox/baserow/settings", Some(habits))
            .await?;
        Ok(())
    }

    /// Makes these the only faults of a product.
    pub(crate) async fn set_faults(&self, product: Product, faults: &[Value]) -> anyhow::Result<()> {
        let port = match product {
            Product::Baserow => self.doors.baserow,
            Product::Docmost => self.doors.docmost,
        };
        let url = format!("{}/_sandbox/faults", http_url(port));
        called(self.http.put(url), Some(json!(faults))).await?;
        Ok(())
    }

    /// Sends a delivery to this port as Baserow's webhook would; the status of the answer.
    pub(crate) async fn post_delivery(&self, port: u16, body: String) -> anyhow::Result<u16> {
        let url = format!("{}/api/webhooks/baserow/repeated", http_url(port));
        let request = self.http.post(url).header("X-Bridge-Token", SECRET);
        let response = request
            .header("Content-Type", "application/json")
            .body(body)
            .send()
            .await?;
        Ok(response.status().as_u16())
    }

    /// What a process answers to a `GET`: status and body.
    pub(crate) async fn get(&self, port: u16, path: &str) -> anyhow::Result<(u16, String)> {
        let response = self.http.get(format!("{}{path}", http_url(port))).send().await?;
        Ok((response.status().as_u16(), response.text().await?))
    }
}

async fn called(request: reqwest::RequestBuilder, body: Option<Value>) -> anyhow::Result<Value> {
    let request = match &body {
        Some(body) => request.json(body),
        None => request,
    };
    let response = request.send().await?;
    let (status, text) = (response.status(), response.text().await?);
    ensure!(status.is_success(), "answered {status} to {body:?}: {text}");
    Ok(serde_json::from_str(&text).unwrap_or(Value::Null))
}
