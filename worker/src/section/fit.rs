//! What may be sent to a page: nothing that an editor would delete, or that the wiki cannot store.

use serde_json::{Map, Value, json};

use super::{BOX, Section};
use crate::content::document::Node;

/// The largest section, in bytes of JSON. The wiki cannot store a page with too many different
/// words, and then loses people's text too.
pub const MOST_BYTES: usize = 200 * 1024;

/// The nodes that may stand in a section.
const NODES: [&str; 17] = [
    "paragraph",
    "heading",
    "bulletList",
    "orderedList",
    "listItem",
    "taskList",
    "taskItem",
    "table",
    "tableRow",
    "tableHeader",
    "tableCell",
    "callout",
    "blockquote",
    "codeBlock",
    "horizontalRule",
    "hardBreak",
    "image",
];
/// The marks of its text.
const MARKS: [&str; 10] = [
    "bold",
    "italic",
    "strike",
    "underline",
    "code",
    "link",
    "textStyle",
    "highlight",
    "superscript",
    "subscript",
];
/// The nodes that may be empty.
const LEAVES: [&str; 6] = [
    "paragraph",
    "heading",
    "codeBlock",
    "horizontalRule",
    "hardBreak",
    "image",
];
/// The nodes in which an empty one gets a paragraph, because the number of cells counts.
const CELLS: [&str; 4] = ["tableHeader", "tableCell", "listItem", "taskItem"];

/// A section that cannot be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    #[error(
        "the section would have {0} bytes, at most {MOST_BYTES} may follow a row: shorten the row's texts or the template"
    )]
    TooLarge(usize),
    #[error("the section may not have a {0:?}: mend the template")]
    Unknown(String),
}

impl Section {
    /// The section with these blocks, and a line before them that says whose it is: a heading or a
    /// paragraph. NUL characters are left out: one of them keeps the wiki from storing the page.
    pub fn new(line: Node, blocks: Vec<Node>) -> Result<Self, Unfit> {
        let mut content = vec![line];
        content.extend(blocks);
        let boxed = Node::new(BOX).with("type", "info").with("icon", "🔄").holding(content);
        let boxed = fitting(boxed)?.unwrap_or_else(|| Node::new(BOX));
        let size = serde_json::to_vec(&boxed).map_or(usize::MAX, |bytes| bytes.len());
        if size > MOST_BYTES {
            return Err(Unfit::TooLarge(size));
        }
        Ok(Self { boxed })
    }
}

/// A node as it may be sent; `None` for one that would be empty and may not.
fn fitting(mut node: Node) -> Result<Option<Node>, Unfit> {
    if node.is_run() {
        return run(node);
    }
    if !NODES.contains(&node.kind.as_str()) {
        return Err(Unfit::Unknown(node.kind));
    }
    node.text = None;
    node.marks.clear();
    node.attrs = attrs(node.attrs);
    let mut content = Vec::new();
    for child in std::mem::take(&mut node.content) {
        content.extend(fitting(child)?);
    }
    if content.is_empty() && CELLS.contains(&node.kind.as_str()) {
        content.push(Node::new("paragraph"));
    }
    let is_empty = content.is_empty() && !LEAVES.contains(&node.kind.as_str());
    Ok((!is_empty).then(|| node.holding(content)))
}

fn run(mut node: Node) -> Result<Option<Node>, Unfit> {
    let text = without_nul(node.text.as_deref().unwrap_or_default());
    if let Some(unknown) = node.marks.iter().find(|mark| !MARKS.contains(&mark.kind.as_str())) {
        return Err(Unfit::Unknown(unknown.kind.clone()));
    }
    for mark in &mut node.marks {
        mark.attrs = attrs(std::mem::take(&mut mark.attrs));
    }
    Ok((!text.is_empty()).then(|| Node::run(text, node.marks)))
}

fn attrs(attrs: Map<String, Value>) -> Map<String, Value> {
    let kept = attrs.into_iter().filter(|(_, value)| !value.is_null());
    kept.map(|(name, value)| (name, cleaned(value))).collect()
}

fn cleaned(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(without_nul(&text)),
        Value::Array(values) => values.into_iter().map(cleaned).collect(),
        Value::Object(fields) => Value::Object(attrs(fields)),
        other => other,
    }
}

fn without_nul(text: &str) -> String {
    text.replace('\0', "")
}

/// A node as an editor would make it, so that opening the page changes nothing: with a direction,
/// and ids for headings and paragraphs, each from `next`.
#[must_use]
pub(super) fn dressed(node: &Node, next: &mut impl FnMut() -> String) -> Node {
    if node.is_run() {
        return node.clone();
    }
    let attrs = dressed_attrs(node, &mut *next);
    let content = node.content.iter().map(|child| dressed(child, next)).collect();
    Node {
        attrs,
        content,
        ..node.clone()
    }
}

/// The attributes of such a node.
pub(super) fn dressed_attrs(node: &Node, next: impl FnOnce() -> String) -> Map<String, Value> {
    let mut attrs = node.attrs.clone();
    let defaults: &[(&str, Value)] = match node.kind.as_str() {
        "hardBreak" => &[],
        "tableHeader" | "tableCell" => &[("dir", json!("auto")), ("colspan", json!(1)), ("rowspan", json!(1))],
        "heading" | "paragraph" => &[("dir", json!("auto")), ("indent", json!(0))],
        _ => &[("dir", json!("auto"))],
    };
    for (name, value) in defaults {
        attrs.entry((*name).to_owned()).or_insert_with(|| value.clone());
    }
    if matches!(node.kind.as_str(), "heading" | "paragraph") {
        attrs.entry("id".to_owned()).or_insert_with(|| next().into());
    }
    attrs
}
