//! A caller of the ingress, as a signing proxy in front of it would be.

use hmac::{Hmac, KeyInit as _, Mac as _};
use passerelle_model::id::TableId;
use serde_json::{Value, json};
use sha2::Sha256;

/// Posts deliveries to one source of an ingress.
#[derive(Debug, Clone)]
pub struct Caller {
    http: reqwest::Client,
    url: String,
    secret: String,
    traceparent: Option<String>,
}

/// The body of a delivery about rows, as Baserow words it. `rows` are the items as JSON: for a
/// deletion the bare ids.
pub fn delivery(kind: &str, table: TableId, event: &str, rows: &[Value]) -> Value {
    let field = if kind == "rows.deleted" { "row_ids" } else { "items" };
    json!({
        "table_id": table.get(), "database_id": 1, "workspace_id": 1, "webhook_id": 1, "event_id": event, "event_type": kind, field: rows,
    })
}

/// An answer of the ingress.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// The body, `null` if it is not JSON.
    pub body: Value,
}

impl Caller {
    /// For an ingress at `url` (no trailing slash), a source and a secret.
    pub fn new(http: reqwest::Client, url: &str, source: &str, secret: &str) -> Self {
        Self {
            http,
            url: format!("{url}/api/webhooks/baserow/{source}"),
            secret: secret.to_owned(),
            traceparent: None,
        }
    }

    /// The same caller, within a trace: a proxy that takes part in tracing.
    #[must_use]
    pub fn within(&self, traceparent: &str) -> Self {
        Self {
            traceparent: Some(traceparent.to_owned()),
            ..self.clone()
        }
    }

    /// The same caller with another secret: a forger.
    #[must_use]
    pub fn with_secret(&self, secret: &str) -> Self {
        Self {
            secret: secret.to_owned(),
            ..self.clone()
        }
    }

    /// Posts a body, signed.
    pub async fn post(&self, body: impl Into<String>) -> anyhow::Result<Answer> {
        self.send(&self.url, body.into()).await
    }

    /// Posts a body, signed, as the wiki would.
    pub async fn push(&self, body: impl Into<String>) -> anyhow::Result<Answer> {
        let (start, _) = self.url.split_once("/baserow/").unwrap_or((&self.url, ""));
        self.send(&format!("{start}/docmost"), body.into()).await
    }

    async fn send(&self, url: &str, body: String) -> anyhow::Result<Answer> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.secret.as_bytes())?;
        mac.update(body.as_bytes());
        let signature = hex::encode(mac.finalize().into_bytes());
        let mut request = self.http.post(url).header("X-Baserow-Signature", signature);
        if let Some(traceparent) = &self.traceparent {
            request = request.header("traceparent", traceparent);
        }
        let response = request
            .header("Content-Type", "application/json")
            .body(body)
            .send()
            .await?;
        let status = response.status().as_u16();
        Ok(Answer {
            status,
            body: response.json().await.unwrap_or(Value::Null),
        })
    }
}
