//! Pages, as people see them in Docmost.

use passerelle_sandbox::docmost::{BRIDGE_EMAIL, HUMAN_EMAIL, OWNER_EMAIL};
use passerelle_sandbox::faults::Fault;
use serde_json::{Value, json};

use super::World;

impl World {
    /// Calls one of Docmost's own switches.
    pub(crate) async fn docmost_control(&self, method: reqwest::Method, path: &str) -> anyhow::Result<Value> {
        let url = format!("{}/_sandbox/{path}", self.docmost.url());
        let answer = self.http.request(method, url).send().await?.error_for_status()?;
        Ok(answer.json().await.unwrap_or(Value::Null))
    }

    /// A person puts a page into the trash.
    pub(crate) async fn trash_page(&self, page: &str) -> anyhow::Result<()> {
        let body = json!({"pageId": page});
        self.wiki_as(HUMAN_EMAIL, "pages/delete", body).await.map(|_| ())
    }

    /// The bridge's account may only read in its space from now on.
    pub(crate) async fn make_reader(&self) -> anyhow::Result<()> {
        let space = self
            .wiki_as(OWNER_EMAIL, "spaces/info", json!({"spaceId": "agence"}))
            .await?;
        let bridge = self.wiki_as(BRIDGE_EMAIL, "users/me", json!({})).await?;
        let body = json!({"spaceId": space["id"], "userId": bridge["user"]["id"], "role": "reader"});
        self.wiki_as(OWNER_EMAIL, "spaces/members/change-role", body).await?;
        self.docmost_control(reqwest::Method::DELETE, "roles").await.map(|_| ())
    }

    /// Every page of Docmost, trashed ones too, oldest first.
    pub(crate) async fn all_pages(&self) -> anyhow::Result<Vec<Value>> {
        let pages = self.docmost_control(reqwest::Method::GET, "pages").await?;
        Ok(pages.as_array().cloned().unwrap_or_default())
    }

    /// The pages that are not in the trash.
    pub(crate) async fn pages(&self) -> anyhow::Result<Vec<Value>> {
        let pages = self.all_pages().await?;
        Ok(pages.into_iter().filter(|page| page["deletedAt"].is_null()).collect())
    }

    /// The titles of the pages that are not in the trash, oldest first.
    pub(crate) async fn titles(&self) -> anyhow::Result<Vec<String>> {
        let pages = self.pages().await?;
        let titles = pages.iter().map(|page| page["title"].as_str().unwrap_or_default());
        Ok(titles.map(str::to_owned).collect())
    }

    /// Calls Docmost as somebody else than the bridge does; returns `data`.
    pub(crate) async fn wiki_as(&self, email: &str, path: &str, body: Value) -> anyhow::Result<Value> {
        let url = format!("{}/_sandbox/tokens", self.docmost.url());
        let wanted = json!({ "email": email });
        let token: Value = self
            .http
            .post(url)
            .json(&wanted)
            .send()
            .await?
            .error_for_status()?
            .json()
            .await?;
        let url = format!("{}/api/{path}", self.docmost.url());
        let request = self
            .http
            .post(url)
            .bearer_auth(token["token"].as_str().unwrap_or_default());
        let answer = request.json(&body).send().await?;
        let status = answer.status();
        let answer: Value = answer.json().await?;
        anyhow::ensure!(status.is_success(), "Docmost answered {status} to {path}: {answer}");
        Ok(answer["data"].clone())
    }

    /// The label of this bridge's pages.
    pub(crate) async fn bridge_label(&self) -> anyhow::Result<String> {
        let bridge = self.context.store.bridge("never").await?;
        Ok(format!("baserow-bridge-{}", bridge.instance))
    }

    /// A new space in which the bridge may write.
    pub(crate) async fn space(&self, name: &str, slug: &str) -> anyhow::Result<Value> {
        let space = json!({"name": name, "slug": slug});
        let space = self.wiki_as(OWNER_EMAIL, "spaces/create", space).await?;
        let me = self.wiki_as(BRIDGE_EMAIL, "users/me", json!({})).await?;
        let member = json!({"spaceId": space["id"], "role": "writer", "userIds": [me["user"]["id"]], "groupIds": []});
        self.wiki_as(OWNER_EMAIL, "spaces/members/add", member).await?;
        Ok(space)
    }

    /// Makes these the only faults of Docmost.
    pub(crate) fn docmost_fault(&self, fault: Fault) {
        self.docmost.faults.set(vec![fault]);
    }
}
