//! A piece of a page as the wiki keeps it: a tree of typed nodes (ProseMirror JSON).
//!
//! The text of a paragraph is a list of text nodes, each with its marks. Which nodes and marks the
//! wiki knows is its schema: an editor deletes what its schema does not know.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A node of a page.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Its type, e.g. `paragraph`; a run of text is of the type `text`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its attributes, with typed values: the level of a heading is the number 1, not the text "1".
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub attrs: Map<String, Value>,
    /// The nodes in it, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub content: Vec<Node>,
    /// The text of a run, never empty; `None` for every other node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// How a run looks; empty for every other node.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub marks: Vec<Mark>,
}

/// How a run of text looks, e.g. bold, or what it does, e.g. link.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Its type, e.g. `bold`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its attributes, e.g. `href` of a link.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub attrs: Map<String, Value>,
}

impl Node {
    /// An empty node.
    pub fn new(kind: &str) -> Self {
        Self {
            kind: kind.to_owned(),
            ..Self::default()
        }
    }

    /// A run of text.
    pub fn run(text: impl Into<String>, marks: Vec<Mark>) -> Self {
        Self {
            kind: "text".to_owned(),
            text: Some(text.into()),
            marks,
            ..Self::default()
        }
    }

    /// The same node with one more attribute.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.attrs.insert(name.to_owned(), value.into());
        self
    }

    /// The same node with these nodes in it.
    #[must_use]
    pub fn holding(self, content: Vec<Node>) -> Self {
        Self { content, ..self }
    }

    /// Whether it is a run of text.
    pub fn is_run(&self) -> bool {
        self.kind == "text"
    }
}

impl Mark {
    /// A mark without attributes.
    pub fn new(kind: &str) -> Self {
        Self {
            kind: kind.to_owned(),
            attrs: Map::new(),
        }
    }

    /// The same mark with one more attribute.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.attrs.insert(name.to_owned(), value.into());
        self
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_captured_paragraph_is_read_and_written_as_it_is() {
        let captured = json!({"type": "paragraph", "attrs": {"dir": "auto", "indent": 0}, "content": [
            {"type": "text", "text": "ACME", "marks": [{"type": "bold"}]},
            {"type": "hardBreak"},
            {"type": "text", "text": "fiche", "marks": [{"type": "link", "attrs": {"href": "https://a.test/", "internal": false}}]},
        ]});
        let link = Mark::new("link")
            .with("href", "https://a.test/")
            .with("internal", false);
        let node = Node::new("paragraph")
            .with("dir", "auto")
            .with("indent", 0)
            .holding(vec![
                Node::run("ACME", vec![Mark::new("bold")]),
                Node::new("hardBreak"),
                Node::run("fiche", vec![link]),
            ]);
        assert_eq!(serde_json::from_value::<Node>(captured.clone()).unwrap(), node);
        assert_eq!(serde_json::to_value(&node).unwrap(), captured);
    }
}
