//! Pages, as people see them in Docmost.

use passerelle_sandbox::faults::Fault;
use serde_json::Value;

use super::World;

impl World {
    /// Calls one of Docmost's own switches.
    pub(crate) async fn docmost_control(&self, method: reqwest::Method, path: &str) -> anyhow::Result<Value> {
        let url = format!("{}/_sandbox/{path}", self.docmost.url());
        let answer = self.http.request(method, url).send().await?.error_for_status()?;
        Ok(answer.json().await.unwrap_or(Value::Null))
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

    /// Makes these the only faults of Docmost.
    pub(crate) fn docmost_fault(&self, fault: Fault) {
        self.docmost.faults.set(vec![fault]);
    }
}
