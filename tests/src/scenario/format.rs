//! What a scenario file may say.

use std::collections::BTreeMap;
use std::path::PathBuf;

use passerelle_model::config::Positions;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::Act;

/// The story of a rule: what people do, and what must be there afterwards.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "scenario.toml of Passerelle")]
pub struct Scenario {
    /// The rule that it is about.
    pub rule: String,
    /// The path of the file with that rule, relative to this one. Absent: `bridge.toml` beside this
    /// file, else in the current folder.
    pub bridge: Option<PathBuf>,
    /// The field in which a row finds its page's id.
    #[serde(default = "page_id")]
    pub page_id_field: String,
    /// The spaces of the wiki; the sandbox's own if none are named.
    #[serde(default)]
    pub spaces: Vec<String>,
    /// The path of the schema of the tables that Baserow needs besides those of the sandbox,
    /// relative to this file.
    pub schema: Option<PathBuf>,
    /// More settings of the bridge, e.g. `BRIDGE_LOCALE`.
    #[serde(default)]
    pub settings: BTreeMap<String, String>,
    /// What happens, in order.
    #[serde(rename = "step")]
    #[schemars(length(min = 1))]
    pub steps: Vec<Step>,
    /// Where each thing stands in the text.
    #[serde(skip)]
    pub positions: Positions,
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
#[derive(Debug, Clone, Deserialize, JsonSchema)]
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
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MailSpec {
    pub to: String,
    pub subject: String,
    /// Texts that stand in it.
    #[serde(default)]
    pub text: Vec<String>,
}

/// A page as it must be.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
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

fn yes() -> bool {
    true
}

fn page_id() -> String {
    "docmost_page_id".to_owned()
}
