//! One page as it should be.

use passerelle_model::config::{PageMoved, PageTrashed};
use passerelle_model::id::{PageId, Slot};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::document::Node;
use super::marker::Marker;
use crate::section::Section;

/// One page as it should be.
#[derive(Debug, Clone, PartialEq)]
pub struct DesiredPage {
    /// Which of the row's pages.
    pub slot: Slot,
    /// How it is recognised.
    pub marker: Marker,
    /// The space's name or slug.
    pub space: String,
    pub title: String,
    pub icon: DesiredIcon,
    pub body: Body,
    /// What the rule lets people do to it.
    pub people: PeoplesWill,
    /// Its place among the sub-pages of its parent; `None` for a row's own page, which people may
    /// put anywhere.
    pub position: Option<String>,
    /// The title of the group page above it; `None` for the top of the space.
    pub group: Option<String>,
    /// The page above it, once that page exists.
    pub parent: Option<PageId>,
    /// Hash of all that the bridge keeps equal: the same hash means that there is nothing to write.
    pub hash: String,
}

/// What a rule lets people do to its pages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PeoplesWill {
    /// Put them into the trash.
    pub trashed: PageTrashed,
    /// Move them.
    pub moved: PageMoved,
}

/// A page as the wiki shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shown {
    /// Its title.
    pub title: Option<String>,
    /// Its icon.
    pub icon: Option<String>,
    /// The id of its space.
    pub space: Option<String>,
    /// The page above it.
    pub parent: Option<PageId>,
    /// Its place among its siblings.
    pub position: Option<String>,
    /// Whether it is in the trash.
    pub is_trashed: bool,
}

/// In what a page is not as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Difference {
    /// It is in the trash.
    Trashed,
    /// Its title.
    Title,
    /// Its icon.
    Icon,
    /// It is in another space.
    Space,
    /// It is below another page.
    Parent,
    /// It has another place among its siblings.
    Order,
    /// The section that follows its row.
    Section,
    /// Its text, where all of it follows the row.
    Text,
}

impl Difference {
    /// In words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trashed => "in the trash",
            Self::Title => "title",
            Self::Icon => "icon",
            Self::Space => "in another space",
            Self::Parent => "below another page",
            Self::Order => "order",
            Self::Section => "section",
            Self::Text => "text",
        }
    }
}

/// What the icon should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DesiredIcon {
    /// The rule says nothing about icons: people may choose one.
    Anything,
    /// This one, or none.
    Is(Option<String>),
}

/// What the body should be. It holds the marker's token: in its last line, or in the section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// Written at creation; people own it afterwards.
    Once { nodes: Vec<Node> },
    Follows {
        nodes: Vec<Node>,
        /// A word in the text that only this version of it has: if the wiki has it, it has stored
        /// the text.
        proof: String,
    },
    /// A section of it follows the row; people own the rest.
    Section {
        section: Section,
        /// Whether it is put back after people have taken it away.
        recreate: bool,
    },
}

impl Body {
    /// What is the bridge's.
    pub fn nodes(&self) -> &[Node] {
        match self {
            Self::Once { nodes } | Self::Follows { nodes, .. } => nodes,
            Self::Section { section, .. } => section.nodes(),
        }
    }

    /// As the wiki takes it.
    pub fn document(&self) -> Value {
        json!({"type": "doc", "content": self.nodes()})
    }
}

impl DesiredPage {
    /// In what the wiki's page differs from this one. `space` is the id of the space where it
    /// belongs. Where people may move pages, a place is no difference. The body is not compared
    /// here.
    pub fn differences(&self, shown: &Shown, space: &str) -> Vec<Difference> {
        if shown.is_trashed {
            return vec![Difference::Trashed];
        }
        let brings_back = self.people.moved == PageMoved::BringBack;
        let is_below = shown.parent == self.parent;
        let icon = shown.icon.as_deref().filter(|icon| !icon.is_empty());
        let differs = [
            (
                Difference::Title,
                without_tags(shown.title.as_deref().unwrap_or_default()) != without_tags(&self.title),
            ),
            (
                Difference::Icon,
                matches!(&self.icon, DesiredIcon::Is(wanted) if wanted.as_deref() != icon),
            ),
            (
                Difference::Space,
                brings_back && shown.space.as_deref().is_some_and(|shown| shown != space),
            ),
            (Difference::Parent, brings_back && self.parent.is_some() && !is_below),
            (
                Difference::Order,
                self.position.is_some() && is_below && shown.position != self.position,
            ),
        ];
        differs
            .into_iter()
            .filter(|(_, differs)| *differs)
            .map(|(what, _)| what)
            .collect()
    }

    /// The same page below its group page, once that exists. Its title is a part of the hash
    /// already.
    #[must_use]
    pub fn in_group(&self, group: PageId) -> Self {
        Self {
            parent: Some(group),
            ..self.clone()
        }
    }

    /// The same page below another one. Below a different page it is a different state.
    #[must_use]
    pub fn below(&self, parent: &PageId) -> Self {
        Self {
            parent: Some(parent.clone()),
            hash: hash(&[&self.hash, parent.as_str()]),
            ..self.clone()
        }
    }
}

/// Docmost's own editor takes HTML tags out of a title as soon as somebody opens the page.
fn without_tags(title: &str) -> String {
    let mut text = String::new();
    let mut rest = title;
    while let Some((before, tag)) = rest.split_once('<') {
        text.push_str(before);
        if let Some((_, after)) = tag.split_once('>') {
            rest = after;
        } else {
            text.push('<');
            rest = tag;
        }
    }
    text + rest
}

/// A hash over texts, each with its length, so that no two lists give the same bytes.
pub(crate) fn hash(texts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for text in texts {
        hasher.update(text.len().to_le_bytes());
        hasher.update(text);
    }
    hex::encode(hasher.finalize())
}
