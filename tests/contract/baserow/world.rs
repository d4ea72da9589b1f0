//! A Baserow of the sandbox for one test, with a receiver for its webhooks.

use std::net::TcpListener;

use anyhow::{Context as _, ensure};
use passerelle_sandbox::baserow::{self, Options};
use passerelle_sandbox::server::Running;
use reqwest::Method;
use serde_json::{Value, json};
use test_support::eventually;

use super::capture::{Delivery, Exchange, blank, blank_ids};
use super::receiver::Receiver;

/// The time scale: a second between retries is a millisecond.
const SCALE: f64 = 1000.0;

pub(crate) struct World {
    pub(crate) receiver: Receiver,
    pub(crate) url: String,
    client: reqwest::Client,
    sandbox: Running,
    session: String,
}

/// The headers in which an answer must equal the recorded one.
const HEADERS: [&str; 3] = ["content-type", "allow", "www-authenticate"];

impl World {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let options = Options {
            baserow_token: "database-token".to_owned(),
            baserow_email: "admin@example.com".to_owned(),
            baserow_password: "Baserow-pass-1".to_owned(),
            webhook: Vec::new(),
            webhook_secret: None,
            time_scale: SCALE,
        };
        let sandbox = baserow::start(TcpListener::bind("127.0.0.1:0")?, options)?;
        let mut world = Self {
            receiver: Receiver::start().await?,
            url: sandbox.url(),
            client: reqwest::Client::builder().build()?,
            sandbox,
            session: String::new(),
        };
        let login = json!({"email": "admin@example.com", "password": "Baserow-pass-1"});
        let (_, answer) = world.send(Method::POST, "/api/user/token-auth/", &login).await?;
        answer["access_token"]
            .as_str()
            .context("no session")?
            .clone_into(&mut world.session);
        Ok(world)
    }

    /// Stops the server. Without it, the server ends with the process.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        Ok(self.sandbox.stop().await?)
    }

    /// Sends JSON as the user.
    pub(crate) async fn send(&self, method: Method, path: &str, body: &Value) -> anyhow::Result<(u16, Value)> {
        let request = self.client.request(method, format!("{}{path}", self.url));
        let response = request
            .header("Authorization", format!("JWT {}", self.session))
            .json(body)
            .send()
            .await?;
        let status = response.status().as_u16();
        Ok((
            status,
            serde_json::from_str(&response.text().await?).unwrap_or(Value::Null),
        ))
    }

    /// Reads JSON as the user.
    pub(crate) async fn get(&self, path: &str) -> anyhow::Result<Value> {
        let request = self.client.get(format!("{}{path}", self.url));
        let response = request
            .header("Authorization", format!("JWT {}", self.session))
            .send()
            .await?;
        Ok(response.json().await?)
    }

    /// Calls a control route of the sandbox.
    pub(crate) async fn control(&self, method: Method, path: &str, body: &Value) -> anyhow::Result<Value> {
        let (status, answer) = self.send(method, &format!("/_sandbox/{path}"), body).await?;
        ensure!(status < 300, "the sandbox answered {status}: {answer}");
        Ok(answer)
    }

    /// Adds a row under this id, without any webhook call.
    pub(crate) async fn seed(&self, table: &str, id: u64, row: Value) -> anyhow::Result<()> {
        let mut row = row;
        row["id"] = json!(id);
        self.control(Method::POST, &format!("baserow/tables/{table}/rows"), &json!([row]))
            .await?;
        Ok(())
    }

    pub(crate) async fn set(&self, setting: &str, value: Value) -> anyhow::Result<()> {
        self.control(Method::PATCH, "baserow/settings", &json!({ setting: value }))
            .await?;
        Ok(())
    }

    /// Adds a webhook that calls the receiver at `path`, with the properties `more`. Gives its id.
    pub(crate) async fn hook(&self, table: &str, path: &str, more: Value) -> anyhow::Result<u64> {
        let mut hook = json!({"table": table, "url": format!("http://{}{path}", self.receiver.address)});
        for (key, value) in more.as_object().into_iter().flatten() {
            hook[key] = value.clone();
        }
        let answer = self.control(Method::POST, "baserow/webhooks", &hook).await?;
        answer["id"].as_u64().context("no id")
    }

    /// A webhook as the API shows it.
    pub(crate) async fn webhook(&self, id: u64) -> anyhow::Result<Value> {
        self.get(&format!("/api/database/webhooks/{id}/")).await
    }

    /// Waits until all deliveries are made.
    pub(crate) async fn settle(&self) {
        eventually("all deliveries are made", async || {
            match self.get("/_sandbox/baserow/state").await {
                Ok(state) if state["idle"] == json!(true) => Ok(()),
                Ok(state) => Err(state["deliveries"].to_string()),
                Err(error) => Err(format!("{error:#}")),
            }
        })
        .await;
    }

    /// Replays a recorded exchange, and compares the answer.
    pub(crate) async fn replay(&self, name: &str) -> anyhow::Result<()> {
        self.replay_as(name, "database-token").await
    }

    /// The same, with another database token.
    pub(crate) async fn replay_as(&self, name: &str, token: &str) -> anyhow::Result<()> {
        let recorded = Exchange::load(name)?;
        let method = Method::from_bytes(recorded.request.method.as_bytes())?;
        let mut request = self
            .client
            .request(method, format!("{}{}", self.url, recorded.request.path));
        for (header, value) in &recorded.request.headers {
            let value = value.replace("<jwt>", &self.session).replace("<database-token>", token);
            let is_ours = header == "Host" && value == "127.0.0.1:8100";
            if !is_ours {
                request = request.header(header, value);
            }
        }
        if let Some(body) = &recorded.request.body {
            request = request.body(body.replace("127.0.0.1:8190", &self.receiver.address));
        }
        let response = request.send().await?;
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let body = response.text().await?;
        ensure!(
            status == recorded.response.status,
            "{name}: {status} instead of {}: {body}",
            recorded.response.status
        );
        for header in HEADERS {
            let seen = headers.get(header).and_then(|value| value.to_str().ok());
            let wanted = recorded.response.headers.get(header).map(String::as_str);
            ensure!(seen == wanted, "{name}: {header} is {seen:?} instead of {wanted:?}");
        }
        same(
            name,
            &blank_webhook(name, &body),
            &blank_webhook(name, &recorded.response.body),
        )
    }

    /// Compares the received calls with the recorded calls of the same paths. Gives the number of
    /// received calls.
    pub(crate) async fn expect(&self, names: &[String]) -> anyhow::Result<usize> {
        self.settle().await;
        let received = self.receiver.take();
        for name in names {
            let wanted = Delivery::load(name)?;
            let paths: Vec<&str> = wanted.iter().map(|delivery| delivery.path.as_str()).collect();
            let seen = received
                .iter()
                .filter(|delivery| paths.contains(&delivery.path.as_str()));
            let seen: Vec<Delivery> = seen.map(Delivery::blanked).collect();
            let wanted: Vec<Delivery> = wanted.iter().map(Delivery::blanked).collect();
            same(name, &shown(&seen), &shown(&wanted))?;
        }
        Ok(received.len())
    }
}

/// The answers that show webhooks begin with the webhook's number.
fn blank_webhook(name: &str, body: &str) -> String {
    let shows_webhooks = ["01-", "50-", "62-", "70-", "98-"]
        .iter()
        .any(|prefix| name.starts_with(prefix));
    if shows_webhooks { blank_ids(body) } else { blank(body) }
}

fn shown(deliveries: &[Delivery]) -> String {
    let lines = deliveries.iter().map(|delivery| {
        let headers: Vec<String> = delivery
            .headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}"))
            .collect();
        format!(
            "{} {}\n{}\n\n{}",
            delivery.method,
            delivery.path,
            headers.join("\n"),
            delivery.body
        )
    });
    lines.collect::<Vec<_>>().join("\n---\n")
}

/// Fails with both texts, one above the other.
pub(crate) fn same(name: &str, seen: &str, wanted: &str) -> anyhow::Result<()> {
    ensure!(seen == wanted, "{name}\n  seen:   {seen}\n  wanted: {wanted}");
    Ok(())
}
