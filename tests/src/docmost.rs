//! Docmost as its users see it: pages over its HTTP interface.

use anyhow::Context as _;
use passerelle_model::id::RowKey;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

/// A user of the sandbox's Docmost, signed in on first use.
#[derive(Debug)]
pub struct Docmost {
    http: reqwest::Client,
    /// Its address, without a trailing slash.
    pub url: String,
    email: String,
    password: String,
    token: OnceCell<String>,
}

impl Docmost {
    /// For a Docmost at `url`.
    pub fn new(http: reqwest::Client, url: &str, email: &str, password: &str) -> Self {
        let (email, password) = (email.to_owned(), password.to_owned());
        Self {
            http,
            url: url.to_owned(),
            email,
            password,
            token: OnceCell::new(),
        }
    }

    /// Every page of a space that is not in the trash.
    pub async fn pages(&self, space_slug: &str) -> anyhow::Result<Vec<Value>> {
        let space = self.call("spaces/info", json!({"spaceId": space_slug})).await?;
        let mut pages = Vec::new();
        let mut cursor = Value::Null;
        loop {
            let page = self.call(
                "pages/sidebar-pages",
                json!({"spaceId": space["id"], "limit": 100, "cursor": cursor}),
            );
            let page = page.await?;
            pages.extend(page["items"].as_array().cloned().unwrap_or_default());
            cursor = page["meta"]["nextCursor"].clone();
            if cursor.is_null() {
                return Ok(pages);
            }
        }
    }

    /// The pages that carry the label of a row: at most one should.
    pub async fn pages_of(&self, row: RowKey) -> anyhow::Result<Vec<Value>> {
        let label = format!("baserow-t{}-r{}", row.table, row.row);
        let found = self.call("labels/pages", json!({"name": label, "limit": 100})).await?;
        Ok(found["items"].as_array().cloned().unwrap_or_default())
    }

    /// One page with its body as Markdown.
    pub async fn page(&self, id: &str) -> anyhow::Result<Value> {
        self.call("pages/info", json!({"pageId": id, "format": "markdown"}))
            .await
    }

    /// How often the bridge has called a route, e.g. `/api/pages/create`, whatever became of it.
    pub async fn calls(&self, path: &str) -> anyhow::Result<usize> {
        let log = self.control(reqwest::Method::GET, "/_sandbox/log", None).await?;
        let calls = log.as_array().context("the log is no list")?;
        Ok(calls.iter().filter(|call| call["path"] == path).count())
    }

    /// Calls the interface; returns `data`.
    pub async fn call(&self, path: &str, body: Value) -> anyhow::Result<Value> {
        let token = self.token.get_or_try_init(|| self.sign_in()).await?;
        let request = self
            .http
            .post(format!("{}/api/{path}", self.url))
            .bearer_auth(token)
            .json(&body);
        let response = request.send().await.with_context(|| path.to_owned())?;
        let status = response.status();
        let answer: Value = response.json().await?;
        anyhow::ensure!(status.is_success(), "Docmost answered {status} to {path}: {answer}");
        Ok(answer["data"].clone())
    }

    /// Calls one of the sandbox's own switches (`/_sandbox/…`).
    pub async fn control(&self, method: reqwest::Method, path: &str, body: Option<Value>) -> anyhow::Result<Value> {
        let mut request = self.http.request(method, format!("{}{path}", self.url));
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await?.error_for_status()?;
        Ok(response.json().await.unwrap_or(Value::Null))
    }

    async fn sign_in(&self) -> anyhow::Result<String> {
        let body = json!({"email": self.email, "password": self.password});
        let response = self
            .http
            .post(format!("{}/api/auth/login", self.url))
            .json(&body)
            .send()
            .await?;
        let cookies = response
            .headers()
            .get_all("set-cookie")
            .iter()
            .filter_map(|value| value.to_str().ok());
        let token = cookies
            .filter_map(|cookie| cookie.strip_prefix("authToken="))
            .find_map(|rest| rest.split(';').next());
        token.map(str::to_owned).context("Docmost gave no authToken cookie")
    }
}
