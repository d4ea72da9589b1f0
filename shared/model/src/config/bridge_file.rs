//! `bridge.toml`: who may call the ingress, and what the rules are. Rules are data: another
//! organisation edits this file, not the code.
//!
//! This file owns the *format*; `worker/src/rules/` owns what a rule *does*.

use std::collections::BTreeMap;
use std::path::Path;

use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

use super::body_updates::{BodyUpdates, SectionOptions};
use super::notice_actions::{CapacityAction, NoticeAction};
use super::parsing;
use super::positions::Positions;
use super::problem::{Problem, Problems};
use super::schema;
use super::source::SourceConfig;
use super::wiki::WikiRule;
use crate::event::EventKind;

/// Who may call the bridge, and what it does for which table.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "bridge.toml of Passerelle")]
pub struct BridgeFile {
    /// Who may call `/api/webhooks/baserow/{source}`. The name `*` stands for every source that is
    /// not named.
    pub sources: BTreeMap<String, SourceConfig>,
    /// Fields that only the bridge writes: an update that differs in nothing else is an echo of our
    /// own write.
    #[serde(default)]
    pub owned_fields: Vec<String>,
    /// Fields that change by themselves (last-modified fields): a difference in them alone is no
    /// change.
    #[serde(default)]
    pub ignored_fields: Vec<String>,
    /// What to do for which table.
    #[serde(default)]
    #[schemars(with = "Vec<Rule>")]
    pub rules: Vec<Spanned<Rule>>,
    /// Where each thing stands in the text.
    #[serde(skip)]
    pub positions: Positions,
    /// What happens in the wiki and concerns Baserow, or people.
    #[serde(default)]
    #[schemars(with = "Vec<WikiRule>")]
    pub wiki: Vec<Spanned<WikiRule>>,
}

/// A table by its name or its number.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected the name or the number of a table")]
pub enum TableRef {
    /// The number in Baserow's address bar.
    Id(u64),
    /// The name, as typed in Baserow.
    Name(String),
}

impl std::fmt::Display for TableRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Id(id) => write!(f, "t{id}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// One rule: a trigger and exactly one action (`page`, perhaps with a `collection` below it,
/// `notice` or `capacity`).
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = schema::one_of(&[&["page"], &["notice"], &["capacity"]])))]
pub struct Rule {
    /// Its name in logs, outcomes and `trace`.
    pub name: String,
    /// The table that it watches.
    pub table: TableRef,
    /// The kinds of event that it reacts to.
    #[serde(default = "all_kinds")]
    #[schemars(length(min = 1))]
    pub on: Vec<EventKind>,
    /// Linked rows that the templates need, read in full: template name → link field. The first
    /// linked row counts.
    #[serde(default)]
    pub links: BTreeMap<String, String>,
    /// Make a page equal to the row.
    #[serde(default)]
    pub page: Option<PageAction>,
    /// Below that page, make one page equal to each row of a link field.
    #[serde(default)]
    pub collection: Option<CollectionAction>,
    /// Tell people of the event.
    #[serde(default)]
    pub notice: Option<NoticeAction>,
    /// Tell the admin of people with too few hours left.
    #[serde(default)]
    pub capacity: Option<CapacityAction>,
}

/// The action `collection`: sub-pages of the row's page, one per linked row, in the order of the
/// links.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CollectionAction {
    /// The link field whose rows get sub-pages.
    pub of: String,
    /// The word that the sub-pages are known by, e.g. `bloc`: part of their labels, so it must not
    /// change later.
    #[schemars(regex(pattern = "^[a-z]{1,20}$"))]
    pub slot: String,
    /// Template of a sub-page's title: `row` is the linked row, `parent` the row of the rule.
    pub title: String,
    /// The Markdown template's path, relative to `bridge.toml`; same names as in the title.
    pub body: String,
    /// Icon by a field of the linked row; people may choose one if absent.
    #[serde(default)]
    pub icon: Option<Icons>,
    /// What happens to the body when the linked row changes later.
    #[serde(default)]
    pub body_updates: BodyUpdates,
    /// How the section behaves that follows the linked row.
    #[serde(default)]
    pub section: SectionOptions,
    /// What happens to the page of a row that is linked no more.
    #[serde(default)]
    pub removed: RowDeleted,
    /// Where the sub-page's id and address are written in the linked row.
    #[serde(default)]
    pub write_back: WriteBack,
}

/// The action `page`: one page per row.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PageAction {
    /// The space's name or slug.
    pub space: String,
    /// Template of the title of the page below which it stands; at the top of the space if absent
    /// or empty.
    #[serde(default)]
    pub parent: Option<String>,
    /// Template of the title, e.g. `Projet {{ row.Nom }} - {{ client.Name }}`.
    pub title: String,
    /// Icon by a field of the row; people may choose one if absent.
    #[serde(default)]
    pub icon: Option<Icons>,
    /// The Markdown template's path, relative to `bridge.toml`.
    pub body: String,
    /// What happens to the body when the row changes later.
    #[serde(default)]
    pub body_updates: BodyUpdates,
    /// How the section behaves that follows the row.
    #[serde(default)]
    pub section: SectionOptions,
    /// What happens to the page when the row is deleted.
    #[serde(default)]
    pub row_deleted: RowDeleted,
    /// What becomes of a page that people put into the trash while its row lives.
    #[serde(default)]
    pub page_trashed: PageTrashed,
    /// What becomes of a page that people moved.
    #[serde(default)]
    pub page_moved: PageMoved,
    /// How a page is marked whose row is gone.
    #[serde(default)]
    pub mark: Mark,
    /// Where the page's id and address are written in the row.
    #[serde(default)]
    pub write_back: WriteBack,
}

/// How the page of a deleted row looks if it stays (`row_deleted = "mark"`).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Mark {
    /// What its title begins with.
    pub prefix: String,
    /// Its icon; the old one stays if absent.
    pub icon: Option<String>,
}

impl Default for Mark {
    fn default() -> Self {
        Self {
            prefix: "[supprimé] ".to_owned(),
            icon: None,
        }
    }
}

/// Icon by the value of a field.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Icons {
    /// The field, usually a single select.
    pub field: String,
    /// Value → emoji.
    pub values: BTreeMap<String, String>,
    /// For any other value.
    #[serde(default)]
    pub default: Option<String>,
}

/// What happens to the page of a deleted row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RowDeleted {
    /// It goes to the wiki's trash, and comes back with the row.
    #[default]
    Trash,
    /// It stays as it is.
    Keep,
    /// It stays, and its title (perhaps its icon too) says that its row is gone.
    Mark,
}

/// What becomes of a page that people put into the trash while its row lives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PageTrashed {
    /// It is taken out again: the row says that it should exist.
    #[default]
    Restore,
    /// It stays there.
    Respect,
}

/// What becomes of a page that people moved to another space, or below another page.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PageMoved {
    /// The bridge follows it: title and icon stay right where it is now.
    #[default]
    Follow,
    /// It is moved back.
    #[serde(rename = "bring back")]
    BringBack,
}

/// The row's fields that hold the link to the page.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WriteBack {
    /// The text field for the page's id.
    #[serde(default)]
    pub page_id: Option<String>,
    /// The URL field for the page's address; left out where the table has no such field.
    #[serde(default)]
    pub url: Option<String>,
}

fn all_kinds() -> Vec<EventKind> {
    vec![
        EventKind::Created,
        EventKind::Updated,
        EventKind::Deleted,
        EventKind::Forced,
    ]
}

impl Rule {
    /// The paths of all Markdown templates that it uses.
    pub fn bodies(&self) -> impl Iterator<Item = &str> {
        let page = self.page.as_ref().map(|page| page.body.as_str());
        let sub_pages = self.collection.as_ref().map(|collection| collection.body.as_str());
        page.into_iter().chain(sub_pages)
    }
}

impl BridgeFile {
    /// Reads the file. Problems name the file, the line and the character.
    pub fn load(path: &Path) -> Result<Self, Problems> {
        Self::parse(&Self::read_text(path)?, &path.display().to_string())
    }

    /// Reads the text of the file, for whoever needs it besides its meaning.
    pub fn read_text(path: &Path) -> Result<String, Problems> {
        std::fs::read_to_string(path).map_err(|error| {
            Problems(vec![Problem {
                place: path.display().to_string(),
                what: format!("cannot be read: {error}"),
                hint: "set BRIDGE_FILE to the path of bridge.toml".to_owned(),
            }])
        })
    }

    /// Parses the text of the file; `place` is its name in problems.
    pub fn parse(text: &str, place: &str) -> Result<Self, Problems> {
        match Self::parse_partly(text, place) {
            (Some(file), problems) if problems.is_empty() => Ok(file),
            (_, problems) => Err(Problems(problems)),
        }
    }

    /// What could be read of the text, without the rules that are wrong in form, and all that is
    /// wrong in form: what is wrong with the meaning of the others can be told with it.
    pub fn parse_partly(text: &str, place: &str) -> (Option<Self>, Vec<Problem>) {
        parsing::parse(text, place)
    }
}
