//! Rows, as people change them in Baserow.

use passerelle_model::id::RowKey;
use serde_json::{Value, json};

use super::World;

/// Numbers of the stand-in's tables.
const CLIENT: u64 = 1;
const PROJET: u64 = 2;

impl World {
    /// A client and a project of it, as a person enters them.
    pub(crate) async fn project(&self, name: &str) -> anyhow::Result<RowKey> {
        Ok(self.project_of_client(name).await?.0)
    }

    /// A project and its client.
    pub(crate) async fn project_of_client(&self, name: &str) -> anyhow::Result<(RowKey, RowKey)> {
        let client = self.create(CLIENT, json!({"Name": "Atelier Nord"})).await?;
        Ok((self.project_for(name, client).await?, client))
    }

    /// Another project of a client.
    pub(crate) async fn project_for(&self, name: &str, client: RowKey) -> anyhow::Result<RowKey> {
        let fields = json!({"Nom": name, "Statut": "En cours", "Client": [client.row.get()]});
        self.create(PROJET, fields).await
    }

    pub(crate) async fn create(&self, table: u64, fields: Value) -> anyhow::Result<RowKey> {
        let row = self
            .baserow_call(reqwest::Method::POST, &format!("{table}/"), Some(fields))
            .await?;
        Ok(format!("t{table}/r{}", row["id"]).parse()?)
    }

    pub(crate) async fn change(&self, row: RowKey, fields: Value) -> anyhow::Result<Value> {
        let path = format!("{}/{}/", row.table, row.row);
        self.baserow_call(reqwest::Method::PATCH, &path, Some(fields)).await
    }

    pub(crate) async fn row(&self, row: RowKey) -> anyhow::Result<Value> {
        let path = format!("{}/{}/", row.table, row.row);
        self.baserow_call(reqwest::Method::GET, &path, None).await
    }

    pub(crate) async fn delete(&self, row: RowKey) -> anyhow::Result<()> {
        let path = format!("{}/{}/", row.table, row.row);
        self.baserow_call(reqwest::Method::DELETE, &path, None)
            .await
            .map(|_| ())
    }

    /// Takes a row out of Baserow's trash, as a person does.
    pub(crate) async fn restore_row(&self, row: RowKey) -> anyhow::Result<()> {
        let item = json!({
            "trash_item_type": "row", "parent_trash_item_id": row.table.get(), "trash_item_id": row.row.get(),
        });
        self.as_user(reqwest::Method::PATCH, "/api/trash/restore/", item).await
    }

    /// Gives a field another name, as a person does.
    pub(crate) async fn rename_field(&self, field: u64, name: &str) -> anyhow::Result<()> {
        let path = format!("/api/database/fields/{field}/");
        self.as_user(reqwest::Method::PATCH, &path, json!({ "name": name }))
            .await
    }

    /// Calls what is not for tokens.
    async fn as_user(&self, method: reqwest::Method, path: &str, body: Value) -> anyhow::Result<()> {
        let account = json!({"email": "admin@example.com", "password": "pass"});
        let url = format!("{}/api/user/token-auth/", self.baserow.url());
        let session: Value = self
            .http
            .post(url)
            .json(&account)
            .send()
            .await?
            .error_for_status()?
            .json()
            .await?;
        let session = session["access_token"].as_str().unwrap_or_default();
        let request = self
            .http
            .request(method, format!("{}{path}", self.baserow.url()))
            .header("Authorization", format!("JWT {session}"));
        request.json(&body).send().await?.error_for_status()?;
        Ok(())
    }

    /// Calls one of Baserow's own switches.
    pub(crate) async fn baserow_control(
        &self,
        method: reqwest::Method,
        path: &str,
        body: Value,
    ) -> anyhow::Result<Value> {
        let url = format!("{}/_sandbox/baserow/{path}", self.baserow.url());
        let answer = self
            .http
            .request(method, url)
            .json(&body)
            .send()
            .await?
            .error_for_status()?;
        Ok(answer.json().await.unwrap_or(Value::Null))
    }

    async fn baserow_call(&self, method: reqwest::Method, path: &str, body: Option<Value>) -> anyhow::Result<Value> {
        let url = format!(
            "{}/api/database/rows/table/{path}?user_field_names=true",
            self.baserow.url()
        );
        let mut request = self
            .http
            .request(method, url)
            .header("Authorization", "Token sandbox-token");
        if let Some(body) = body {
            request = request.json(&body);
        }
        let text = request.send().await?.error_for_status()?.text().await?;
        Ok(serde_json::from_str(&text).unwrap_or(Value::Null))
    }
}
