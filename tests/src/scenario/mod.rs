//! The story of a rule as data: what people do in Baserow and in the wiki, and what must be there
//! afterwards. A new rule is proven without a line of Rust: one file in `tests/scenarios/` (or
//! beside another organisation's rules), played through real processes.
//!
//! ```toml
//! rule = "projet-page"
//!
//! [[step]]
//! that = "a created project becomes a page named after it and its client"
//! when = [
//!   { do = "create", table = "client", row = "nord", fields = { Name = "Atelier Nord" } },
//!   { do = "create", table = "projet", row = "refonte", fields = { Nom = "Refonte", Client = ["@nord"] } },
//! ]
//! pages = [{ of = "refonte", title = "Projet Refonte - Atelier Nord", icon = "📁", body = ["Atelier Nord"] }]
//! outcomes = { refonte = ["synced"] }
//! ```
//!
//! **Names.** `row = "refonte"` names a row; `"@refonte"` in a field is its number. A page is named
//! by its row, a sub-page by its parent's row and its own: `rust/un`. **Claims.** `pages` is the
//! whole list of the bridge's pages, those in the trash too, siblings in their order; a step
//! without `pages` claims that they are as before. Whatever a step says, a page keeps its identity
//! through the whole story, no row has two, and a living page's id stands in its row. `tables` is
//! the whole list of a table's rows, for rows that the bridge makes. `mails` are all mails since
//! the step before. `outcomes` are how the events of a row ended that Baserow sent since the step
//! before, in their order. A later event of the row may be carried out in place of one; then that
//! one ended as the later one did.

mod act;
mod check;
mod stage;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::Deserialize;
use serde_json::{Map, Value};

pub use act::Act;
pub use stage::play;

use crate::builder::repository;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// The rule that it is about.
    pub rule: String,
    /// The bridge file with that rule, relative to the repository.
    #[serde(default = "shipped")]
    pub bridge: PathBuf,
    /// The field in which a row finds its page's id.
    #[serde(default = "page_id")]
    pub page_id_field: String,
    /// The spaces of the wiki; the sandbox's own if none are named.
    #[serde(default)]
    pub spaces: Vec<String>,
    /// The schema of the tables that Baserow needs besides those of the sandbox, relative to the
    /// repository.
    pub schema: Option<PathBuf>,
    /// What happens, in order.
    #[serde(rename = "step")]
    pub steps: Vec<Step>,
}

/// Tables to be made.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schema {
    pub tables: Vec<TableSpec>,
}

/// A table to be made.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableSpec {
    pub name: String,
    /// The name of its first field, a text.
    pub primary: String,
    /// Its other fields as Baserow's API takes them; `link_row_table` names the table of a link.
    #[serde(default)]
    pub fields: Vec<Map<String, Value>>,
}

/// Something happens, and then something holds.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// The claim in words.
    pub that: String,
    /// What people do, in order.
    #[serde(default)]
    pub when: Vec<Act>,
    /// All pages of the bridge afterwards; absent: as before.
    pub pages: Option<Vec<PageSpec>>,
    /// Fields of rows afterwards, by the row's name.
    #[serde(default)]
    pub rows: BTreeMap<String, Map<String, Value>>,
    /// All rows of tables afterwards, by the table's name: each with at least these fields;
    /// `"@comite"` is the id of a page.
    #[serde(default)]
    pub tables: BTreeMap<String, Vec<Map<String, Value>>>,
    /// The mails since the step before, in any order; none if absent.
    #[serde(default)]
    pub mails: Vec<MailSpec>,
    /// How the events of a row since the step before have ended, by the row's name.
    #[serde(default)]
    pub outcomes: BTreeMap<String, Vec<String>>,
}

/// A mail as its reader must find it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailSpec {
    pub to: String,
    pub subject: String,
    /// Texts that stand in it.
    #[serde(default)]
    pub text: Vec<String>,
}

/// A page as it must be.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PageSpec {
    /// Whose page: `refonte`, or `rust/un` for a sub-page.
    pub of: String,
    pub title: String,
    /// Its icon; not looked at if absent, none if empty.
    pub icon: Option<String>,
    /// Texts that stand in its Markdown.
    #[serde(default)]
    pub body: Vec<String>,
    /// Texts that do not stand there.
    #[serde(default)]
    pub without: Vec<String>,
    /// Whether it is in the trash.
    #[serde(default)]
    pub trashed: bool,
    /// Whether its id stands in its row while it lives.
    #[serde(default = "yes")]
    pub written_back: bool,
}

impl Scenario {
    pub fn load(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        toml::from_str(&text).with_context(|| path.display().to_string())
    }

    /// The tables that it needs besides those of the sandbox.
    pub fn schema(&self) -> anyhow::Result<Schema> {
        let Some(path) = &self.schema else {
            return Ok(Schema::default());
        };
        let text = std::fs::read_to_string(repository().join(path)).with_context(|| path.display().to_string())?;
        toml::from_str(&text).with_context(|| path.display().to_string())
    }

    /// All scenarios: those of the shipped rules, and those of the examples.
    pub fn files() -> anyhow::Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(repository().join("tests/scenarios"))? {
            files.push(entry?.path());
        }
        for entry in std::fs::read_dir(repository().join("examples"))? {
            files.push(entry?.path().join("scenario.toml"));
        }
        files.retain(|path| path.extension().is_some_and(|extension| extension == "toml") && path.is_file());
        files.sort();
        Ok(files)
    }
}

fn shipped() -> PathBuf {
    PathBuf::from("bridge.toml")
}

fn yes() -> bool {
    true
}

fn page_id() -> String {
    "docmost_page_id".to_owned()
}
