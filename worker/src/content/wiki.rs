//! Pages, spaces and shares as Docmost answers with them. Unknown fields are tolerated, what may be missing is optional.

use passerelle_model::id::PageId;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A page as Docmost answers with it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Page {
    /// Its id, a uuid of version 7: older pages sort first.
    pub id: PageId,
    /// The short id in addresses.
    pub slug_id: String,
    #[serde(default)]
    pub title: Option<String>,
    /// The space that it is in; a search answers with the space itself instead.
    #[serde(default)]
    pub space_id: Option<String>,
    /// The page that it stands below.
    #[serde(default)]
    pub parent_page_id: Option<PageId>,
    /// Its place among its siblings: a text that sorts.
    #[serde(default)]
    pub position: Option<String>,
    #[serde(default)]
    pub icon: Option<String>,
    /// When it was made, e.g. `2026-11-22T10:54:01.000Z`.
    #[serde(default)]
    pub created_at: Option<String>,
    /// When it was changed last.
    #[serde(default)]
    pub updated_at: Option<String>,
    /// The space, where the answer has it.
    #[serde(default)]
    pub space: Option<PageSpace>,
    /// Who made it, where the answer has it.
    #[serde(default)]
    pub creator: Option<Person>,
    /// When it was put into the trash.
    #[serde(default)]
    pub deleted_at: Option<String>,
    /// Its text as a tree, where the answer has it.
    #[serde(default)]
    pub content: Option<Value>,
}

impl Page {
    /// Whether a text stands somewhere in the page.
    pub fn contains(&self, text: &str) -> bool {
        self.content
            .as_ref()
            .is_some_and(|content| content.to_string().contains(text))
    }
}

/// The space of a page, as far as the answer tells it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PageSpace {
    pub id: String,
    pub name: String,
    pub slug: String,
}

/// A person with an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    pub id: String,
    #[serde(default)]
    pub name: Option<String>,
}

/// A page that anybody with the link can read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Share {
    pub id: PageId,
    /// The word in its public address.
    pub key: String,
    pub page_id: PageId,
    /// The pages below it are shared too.
    #[serde(default)]
    pub include_sub_pages: bool,
    /// When it was made.
    #[serde(default)]
    pub created_at: Option<String>,
    /// The page's title and address.
    #[serde(default)]
    pub page: Option<SharedPage>,
    #[serde(default)]
    pub space: Option<PageSpace>,
    #[serde(default)]
    pub creator: Option<Person>,
}

/// The page of a share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SharedPage {
    #[serde(default)]
    pub title: Option<String>,
    /// The short id in addresses.
    pub slug_id: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Space {
    pub id: String,
    pub name: String,
    pub slug: String,
}

impl Space {
    /// Whether a rule may mean it by this text: its name, its slug or its id.
    pub fn is_called(&self, name: &str) -> bool {
        self.name == name || self.slug.eq_ignore_ascii_case(name) || self.id == name
    }
}
