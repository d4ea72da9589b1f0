//! `[[wiki]]` in `bridge.toml`: what happens in the wiki and concerns Baserow, or people.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::bridge_file::TableRef;
use super::schema;

/// One rule: a trigger in the wiki (`label` or `shared`) and its action (`row` or `alert`).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = schema::one_of(&[&["label", "row"], &["shared", "alert"]])))]
pub struct WikiRule {
    /// Its name in logs and traces.
    pub name: String,
    /// Trigger: a page that carries this label.
    #[serde(default)]
    #[schemars(regex(pattern = "^[a-z0-9_-]{1,100}$"))]
    pub label: Option<String>,
    /// Trigger: a page that was made readable to anybody with the link.
    #[serde(default)]
    pub shared: bool,
    /// Only pages of this space (name or slug); all if absent.
    #[serde(default)]
    pub space: Option<String>,
    /// Action of `label`: a row for the page.
    #[serde(default)]
    pub row: Option<RowAction>,
    /// Action of `shared`: who is told.
    #[serde(default)]
    pub alert: Option<AlertAudience>,
}

/// The action `row`: one row per page, ever.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RowAction {
    /// The table that gets the row.
    pub table: TableRef,
    /// Its text field for the page's id: how the row of a page is found again.
    pub page_id: String,
    /// Field → template over `page`. Text, long text, URL, date and single select fields.
    pub fields: BTreeMap<String, String>,
    /// What happens to the row when the page changes later, e.g. gets a new title.
    #[serde(default)]
    pub updates: RowUpdates,
}

/// What a change of the page may do to its row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RowUpdates {
    /// The row is written once.
    #[default]
    Never,
    /// The fields follow the page.
    Replace,
}

/// Who is told of a share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AlertAudience {
    /// Whoever `ADMIN_EMAIL` names, by every channel that is set up.
    Admin,
}
