//! Baserow as its users see it: rows over its REST interface.

use anyhow::Context as _;
use passerelle_model::id::{RowId, RowKey, TableId};
use serde_json::{Value, json};

/// The sandbox's user who may do everything.
const PERSON_EMAIL: &str = "admin@example.com";
const PERSON_PASSWORD: &str = "Baserow-pass-1";

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

    /// All tables, as Baserow lists them.
    pub async fn tables(&self) -> anyhow::Result<Vec<Value>> {
        let path = "/api/database/tables/all-tables/";
        let tables = self.call(reqwest::Method::GET, path, None).await?;
        Ok(tables.as_array().cloned().unwrap_or_default())
    }

    /// The number of a table.
    pub async fn table(&self, name: &str) -> anyhow::Result<TableId> {
        let tables = self.tables().await?;
        let id = tables
            .iter()
            .find(|table| table["name"] == name)
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

    /// A row that comes by a file import: no webhook fires.
    pub async fn import(&self, table: &str, fields: Value) -> anyhow::Result<RowKey> {
        let path = format!("/_sandbox/baserow/tables/{table}/rows");
        let table = self.table(table).await?;
        let made = self.call(reqwest::Method::POST, &path, Some(json!([fields]))).await?;
        Ok(RowKey {
            table,
            row: RowId::new(made["ids"][0].as_u64().context("the imported row has no id")?)?,
        })
    }

    /// Changes fields of a row; the webhooks of its table fire.
    pub async fn update(&self, row: RowKey, fields: Value) -> anyhow::Result<Value> {
        self.call(reqwest::Method::PATCH, &row_path(row), Some(fields)).await
    }

    pub async fn read(&self, row: RowKey) -> anyhow::Result<Value> {
        self.call(reqwest::Method::GET, &row_path(row), None).await
    }

    /// Deletes a row (to Baserow's trash).
    pub async fn delete(&self, row: RowKey) -> anyhow::Result<()> {
        self.call(reqwest::Method::DELETE, &row_path(row), None)
            .await
            .map(|_| ())
    }

    /// Takes a row out of Baserow's trash, as a person does.
    pub async fn restore(&self, row: RowKey) -> anyhow::Result<()> {
        let item = json!({
            "trash_item_type": "row", "parent_trash_item_id": row.table.get(), "trash_item_id": row.row.get(),
        });
        self.as_person(reqwest::Method::PATCH, "/api/trash/restore/", item)
            .await
            .map(|_| ())
    }

    /// Calls what is not for tokens: as a person who has just logged in.
    pub async fn as_person(&self, method: reqwest::Method, path: &str, body: Value) -> anyhow::Result<Value> {
        let account = json!({"email": PERSON_EMAIL, "password": PERSON_PASSWORD});
        let session = self
            .call(reqwest::Method::POST, "/api/user/token-auth/", Some(account))
            .await?;
        let session = session["access_token"].as_str().context("Baserow gave no session")?;
        self.call_as(&format!("JWT {session}"), (method, path), Some(body))
            .await
    }

    /// Calls one of the sandbox's own switches (`/_sandbox/…`).
    pub async fn control(&self, method: reqwest::Method, path: &str, body: Option<Value>) -> anyhow::Result<Value> {
        self.call(method, path, body).await
    }

    async fn call(&self, method: reqwest::Method, path: &str, body: Option<Value>) -> anyhow::Result<Value> {
        self.call_as(&format!("Token {}", self.token), (method, path), body)
            .await
    }

    async fn call_as(
        &self,
        caller: &str,
        (method, path): (reqwest::Method, &str),
        body: Option<Value>,
    ) -> anyhow::Result<Value> {
        let mut request = self.http.request(method.clone(), format!("{}{path}", self.url));
        request = request.header("Authorization", caller);
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
