//! Pages whose section follows their row, while people work in them.

mod failures;
mod people;
mod typing;

use anyhow::Context as _;
use passerelle_model::id::RowKey;
use passerelle_sandbox::docmost::HUMAN_EMAIL;
use passerelle_sandbox::docmost::editor::Editor;
use serde_json::{Value, json};

use crate::world::World;

const TEMPLATE: &str = "## Projet\n\n| Nom | {{ row.Nom }} |\n|---|---|\n| Client | ACME |\n";

/// A world whose rule keeps a section, and a row that has its page.
pub(crate) struct Wiki {
    pub(crate) world: World,
    pub(crate) row: RowKey,
    pub(crate) page: String,
}

impl Wiki {
    pub(crate) async fn start(lines: &str) -> anyhow::Result<Self> {
        let lines = format!("body_updates = \"section\"\n{lines}");
        Self::of(World::with_page(&lines, TEMPLATE).await?).await
    }

    pub(crate) async fn of(world: World) -> anyhow::Result<Self> {
        let row = world.project("Éole").await?;
        world.synced(row).await?;
        let pages = world.pages().await?;
        let page = pages.first().context("a page")?["id"]
            .as_str()
            .context("an id")?
            .to_owned();
        Ok(Self { world, row, page })
    }

    /// A person who opens the page.
    pub(crate) async fn person(&self) -> anyhow::Result<Editor> {
        Editor::open(&self.world.docmost.url(), HUMAN_EMAIL, &self.page).await
    }

    /// The row gets another name.
    pub(crate) async fn rename(&self, name: &str) -> anyhow::Result<()> {
        self.world.change(self.row, json!({"Nom": name})).await.map(|_| ())
    }

    /// … and the page follows.
    pub(crate) async fn follow(&self, name: &str) -> anyhow::Result<()> {
        self.rename(name).await?;
        self.world.synced(self.row).await
    }

    /// The page as the wiki has stored it.
    pub(crate) async fn stored(&self) -> anyhow::Result<Value> {
        let pages = self.world.all_pages().await?;
        let page = pages.into_iter().find(|page| page["id"] == self.page.as_str());
        page.context("the page is gone")
    }

    /// The blocks of the page, as they are stored.
    pub(crate) async fn blocks(&self) -> anyhow::Result<Vec<Value>> {
        let page = self.stored().await?;
        Ok(page["content"]["content"].as_array().cloned().unwrap_or_default())
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

/// The steps of an attempt, by their names.
pub(crate) fn steps(settlement: &passerelle_model::ledger::Settlement) -> Vec<&str> {
    settlement.steps.iter().map(|step| step.name.as_str()).collect()
}

/// The synced blocks of a page with this id.
pub(crate) fn sections<'a>(blocks: &'a [Value], id: &str) -> Vec<&'a Value> {
    let is_one = |block: &&Value| block["type"] == "transclusionSource" && block["attrs"]["id"] == id;
    blocks.iter().filter(is_one).collect()
}
