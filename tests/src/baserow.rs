//! Baserow as its users see it: rows over its REST interface.

use anyhow::Context as _;
use passerelle_shared::id::{RowId, RowKey, TableId};
use serde_json::Value;

/// A user of the sandbox's Baserow with a database token.
#[derive(Debug, Clone)]
pub struct Baserow {
    http: reqwest::Client,
    /// Its address, without a trailing slash.
    pub url: String,
    token: String,
}

impl Baserow {
    /// For a Baserow at `url`.
    pub fn new(http: reqwest::Client, url: &str, token: &str) -> Self {
        Self {
            http,
            url: url.to_owned(),
            token: token.to_owned(),
        }
    }

    /// The number of a table.
    pub async fn table(&self, name: &str) -> anyhow::Result<TableId> {
        let tables = self
            .call(reqwest::Method::GET, "/api/database/tables/all-tables/", None)
            .await?;
        let found = tables
            .as_array()
            .into_iter()
            .flatten()
            .find(|table| table["name"] == name);
        let id = found
            .and_then(|table| table["id"].as_u64())
            .with_context(|| format!("no table {name}"))?;
        Ok(TableId::new(id)?)
    }

    /// Creates a row; the webhooks of its table fire.
    pub async fn create(&self, table: &str, fields: Value) -> anyhow::Result<RowKey> {
        let table = self.table(table).await?;
        let path = format!("/api/database/rows/table/{table}/?user_field_names=true");
        let row = self.call(reqwest::Method::POST, &path, Some(fields)).await?;
        Ok(RowKey {
            table,
            row: RowId::new(row["id"].as_u64().context("the new row has no id")?)?,
        })
    }

    /// Changes fields of a row; the webhooks of its table fire.
    pub async fn update(&self, row: RowKey, fields: Value) -> anyhow::Result<Value> {
        self.call(reqwest::Method::PATCH, &row_path(row), Some(fields)).await
    }

    /// Reads a row.
    pub async fn read(&self, row: RowKey) -> anyhow::Result<Value> {
        self.call(reqwest::Method::GET, &row_path(row), None).await
    }

    /// Deletes a row (to Baserow's trash).
    pub async fn delete(&self, row: RowKey) -> anyhow::Result<()> {
        self.call(reqwest::Method::DELETE, &row_path(row), None)
            .await
            .map(|_| ())
    }

    /// Calls one of the sandbox's own switches (`/_sandbox/…`).
    pub async fn control(&self, method: reqwest::Method, path: &str, body: Option<Value>) -> anyhow::Result<Value> {
        self.call(method, path, body).await
    }

    async fn call(&self, method: reqwest::Method, path: &str, body: Option<Value>) -> anyhow::Result<Value> {
        let mut request = self.http.request(method.clone(), format!("{}{path}", self.url));
        request = request.header("Authorization", format!("Token {}", self.token));
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.with_context(|| format!("{method} {path}"))?;
        let status = response.status();
        let text = response.text().await?;
        anyhow::ensure!(
            status.is_success(),
            "Baserow answered {status} to {method} {path}: {text}"
        );
        Ok(serde_json::from_str(&text).unwrap_or(Value::Null))
    }
}

fn row_path(row: RowKey) -> String {
    format!(
        "/api/database/rows/table/{}/{}/?user_field_names=true",
        row.table, row.row
    )
}
