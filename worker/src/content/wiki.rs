//! Pages, spaces and shares as Docmost answers with them. Unknown fields are tolerated, what may be
//! missing is optional.

use passerelle_model::id::PageId;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::page::Shown;

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
    /// Its labels, where the answer has them.
    #[serde(default)]
    pub labels: Option<Vec<Label>>,
    /// The account that made it, where the answer has only its id.
    #[serde(default)]
    pub creator_id: Option<String>,
    /// The space, where the answer has it.
    #[serde(default)]
    pub space: Option<PageSpace>,
    /// Who made it, where the answer has it.
    #[serde(default)]
    pub creator: Option<Person>,
    /// Who put it into the trash, where the answer tells.
    #[serde(default)]
    pub deleted_by: Option<Person>,
    /// When it was put into the trash.
    #[serde(default)]
    pub deleted_at: Option<String>,
    /// Its text as a tree, where the answer has it.
    #[serde(default)]
    pub content: Option<Value>,
}

impl Page {
    /// As people see it.
    pub fn shown(&self) -> Shown {
        Shown {
            title: self.title.clone(),
            icon: self.icon.clone(),
            space: self.space_id.clone(),
            parent: self.parent_page_id.clone(),
            position: self.position.clone(),
            is_trashed: self.deleted_at.is_some(),
        }
    }

    /// The account that made it, where the answer tells.
    pub fn created_by(&self) -> Option<&str> {
        let creator = self.creator.as_ref().map(|creator| creator.id.as_str());
        self.creator_id.as_deref().or(creator)
    }

    /// Whether a token stands in the page as the bridge writes it: as a link of its own. A text
    /// that only quotes it makes no link of it.
    pub fn is_signed(&self, token: &str) -> bool {
        self.content.as_ref().is_some_and(|content| has_link(content, token))
    }

    /// Whether a text stands somewhere in the page.
    pub fn contains(&self, text: &str) -> bool {
        self.content
            .as_ref()
            .is_some_and(|content| content.to_string().contains(text))
    }
}

/// A page as the tree of its space lists it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TreePage {
    /// Its id.
    pub id: PageId,
    /// Its title.
    #[serde(default)]
    pub title: Option<String>,
    /// Its icon.
    #[serde(default)]
    pub icon: Option<String>,
    /// Its place among its siblings.
    #[serde(default)]
    pub position: Option<String>,
    /// The page above it.
    #[serde(default)]
    pub parent_page_id: Option<PageId>,
    /// Its space.
    #[serde(default)]
    pub space_id: Option<String>,
    /// Whether there are pages below it.
    #[serde(default)]
    pub has_children: bool,
}

impl TreePage {
    /// As people see it.
    pub fn shown(&self) -> Shown {
        Shown {
            title: self.title.clone(),
            icon: self.icon.clone(),
            space: self.space_id.clone(),
            parent: self.parent_page_id.clone(),
            position: self.position.clone(),
            is_trashed: false,
        }
    }
}

fn has_link(node: &Value, text: &str) -> bool {
    let is_link = |mark: &Value| mark["type"] == "link";
    let has_mark = || node["marks"].as_array().is_some_and(|marks| marks.iter().any(is_link));
    let mut inner = node["content"].as_array().into_iter().flatten();
    (node["text"] == text && has_mark()) || inner.any(|node| has_link(node, text))
}

/// A label of a page, as people wrote it, in small letters.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Label {
    /// Its text.
    pub name: String,
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
