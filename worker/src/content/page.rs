//! One page as it should be.

use passerelle_model::id::{PageId, Slot};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::document::Node;
use super::marker::Marker;

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
    /// Its place among the sub-pages of its parent; `None` for a row's own page, which people may
    /// put anywhere.
    pub position: Option<String>,
    /// The page above it, once that page exists.
    pub parent: Option<PageId>,
    /// Hash of all that the bridge keeps equal: the same hash means that there is nothing to write.
    pub hash: String,
}

/// What the icon should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DesiredIcon {
    /// The rule says nothing about icons: people may choose one.
    Anything,
    /// This one, or none.
    Is(Option<String>),
}

/// What the body should be. Its last line holds the marker's token.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// Written at creation; people own it afterwards.
    Once { nodes: Vec<Node> },
    Follows {
        nodes: Vec<Node>,
        /// A word in the text that only this version of it has: if the wiki has it, it has stored
        /// the text.
        proof: String,
    },
}

impl Body {
    pub fn nodes(&self) -> &[Node] {
        match self {
            Self::Once { nodes } | Self::Follows { nodes, .. } => nodes,
        }
    }

    /// As the wiki takes it.
    pub fn document(&self) -> Value {
        json!({"type": "doc", "content": self.nodes()})
    }
}

impl DesiredPage {
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

/// A hash over texts, each with its length, so that no two lists give the same bytes.
pub(crate) fn hash(texts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for text in texts {
        hasher.update(text.len().to_le_bytes());
        hasher.update(text);
    }
    hex::encode(hasher.finalize())
}
