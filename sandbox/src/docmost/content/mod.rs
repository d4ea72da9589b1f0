//! The content of pages: a ProseMirror document, written and read as JSON, Markdown or HTML.
//!
//! As in the real server, Markdown becomes HTML first, and HTML becomes a document. A document
//! keeps its attributes until the first change of content: a change goes through the collaborative
//! layer, which drops what it does not know.

mod html;
mod html_read;
pub(super) mod markdown;
mod tags;

use serde_json::{Map, Value, json};

use super::body::Check;
use super::envelope::Problem;

/// How content is written in a request or an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    Markdown,
    Html,
}

const FORMATS: &str = "format must be one of the following values: json, markdown, html";

/// The kinds of node that the schema knows.
const NODES: [&str; 45] = [
    "doc",
    "paragraph",
    "text",
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
    "codeBlock",
    "blockquote",
    "horizontalRule",
    "hardBreak",
    "image",
    "video",
    "callout",
    "details",
    "detailsSummary",
    "detailsContent",
    "mathInline",
    "mathBlock",
    "mention",
    "attachment",
    "drawio",
    "excalidraw",
    "embed",
    "youtube",
    "subpages",
    "columns",
    "column",
    "audio",
    "pdf",
    "footnotes",
    "footnote",
    "footnoteReference",
    "status",
    "date",
    "pageBreak",
    "baseEmbed",
    "transclusionSource",
    "transclusionReference",
];

/// The attributes that survive the collaborative layer when they have a value.
const ATTRIBUTES: [&str; 27] = [
    "id",
    "dir",
    "indent",
    "level",
    "textAlign",
    "language",
    "checked",
    "colspan",
    "rowspan",
    "colwidth",
    "align",
    "backgroundColor",
    "backgroundColorName",
    "href",
    "src",
    "alt",
    "title",
    "target",
    "rel",
    "internal",
    "start",
    "type",
    "width",
    "height",
    "icon",
    "color",
    "commentId",
];

impl Format {
    /// The field `format`, which may be absent; an explicit null is JSON.
    pub(super) fn optional(check: &mut Check<'_>) -> Option<Self> {
        let format = Self::named(check.raw("format")?);
        check.claim(format.is_some(), FORMATS);
        format
    }

    fn named(value: &Value) -> Option<Self> {
        match value.as_str().map(str::to_lowercase).as_deref() {
            None if value.is_null() => Some(Self::Json),
            Some("json") => Some(Self::Json),
            Some("markdown") => Some(Self::Markdown),
            Some("html") => Some(Self::Html),
            _ => None,
        }
    }

    /// The document that a request's content describes.
    pub(super) fn read(self, content: &Value) -> Result<Value, Problem> {
        let document = match (self, content.as_str()) {
            (Self::Json, None) => Some(content.clone()).filter(|content| content["type"] == "doc" && is_known(content)),
            (Self::Markdown, Some(text)) => Some(html_read::document(&markdown::to_html(text))),
            (Self::Html, Some(text)) => Some(html_read::document(text)),
            _ => None,
        };
        document.ok_or_else(|| Problem::bad_request("Invalid content format"))
    }

    /// A document in this format.
    pub(super) fn show(self, document: &Value) -> Value {
        match self {
            Self::Json => document.clone(),
            Self::Markdown => Value::String(markdown::shown(document)),
            Self::Html => Value::String(html::shown(document)),
        }
    }
}

/// The content that a request brings, and its format.
#[derive(Debug)]
pub(super) struct Given<'a> {
    /// None for an empty text too: that is a no-op, not a way to clear a page.
    pub(super) content: Option<&'a Value>,
    pub(super) format: Option<Format>,
    /// Whether there was a field `content` at all.
    pub(super) is_present: bool,
}

impl Given<'_> {
    /// The document, if there is content.
    pub(super) fn document(&self) -> Result<Option<Value>, Problem> {
        let format = self.format.unwrap_or(Format::Json);
        self.content.map(|content| format.read(content)).transpose()
    }
}

/// Reads `content` and `format`; content needs a format.
pub(super) fn given<'a>(check: &mut Check<'a>) -> Given<'a> {
    let content = check.given("content");
    let format = Format::optional(check);
    if content.is_some() && check.raw("format").is_none() {
        check.claim(false, FORMATS);
    }
    Given {
        content: content.filter(|content| content.as_str() != Some("")),
        format,
        is_present: content.is_some(),
    }
}

/// Whether the schema knows this kind of node.
pub(super) fn is_known_kind(kind: &str) -> bool {
    NODES.contains(&kind)
}

/// Whether all nodes of a document are of known kinds.
fn is_known(node: &Value) -> bool {
    let kind = node["type"].as_str().is_some_and(is_known_kind);
    kind && children(node).iter().all(is_known)
}

/// Whether a document has a node of this kind.
pub(super) fn has_kind(node: &Value, kind: &str) -> bool {
    node["type"] == kind || children(node).iter().any(|child| has_kind(child, kind))
}

/// Whether a text anywhere in a value has a NUL, which the database refuses.
pub(super) fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(values) => values.iter().any(has_nul),
        Value::Object(fields) => fields.values().any(has_nul),
        _ => false,
    }
}

/// The children of a node.
fn children(node: &Value) -> &[Value] {
    node["content"].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// The blocks of a document.
pub(super) fn blocks(document: &Value) -> Vec<Value> {
    children(document).to_vec()
}

/// The words of a document, as the search index takes them: link texts and code too, but no
/// targets.
pub(super) fn text(node: &Value) -> String {
    if let Some(text) = node["text"].as_str() {
        return text.to_owned();
    }
    let parts: Vec<String> = children(node).iter().map(text).collect();
    let is_inline = children(node).iter().any(|child| child["type"] == "text");
    parts.join(if is_inline { "" } else { " " })
}

/// The document of these blocks as the collaborative layer stores it.
pub(super) fn collaborative(blocks: Vec<Value>) -> Value {
    let mut blocks: Vec<Value> = blocks.into_iter().map(cleaned).collect();
    if blocks.is_empty() {
        blocks.push(cleaned(json!({"type": "paragraph"})));
    }
    json!({"type": "doc", "content": blocks})
}

fn cleaned(mut node: Value) -> Value {
    let kind = node["type"].as_str().unwrap_or_default().to_owned();
    if let Some(marks) = node.get_mut("marks").and_then(Value::as_array_mut) {
        for mark in marks {
            retain_known(mark);
        }
    }
    if kind == "text" || kind == "hardBreak" {
        return node;
    }
    retain_known(&mut node);
    if let Some(children) = node.get_mut("content").and_then(Value::as_array_mut) {
        *children = std::mem::take(children).into_iter().map(cleaned).collect();
    }
    let mut attributes = node["attrs"].as_object().cloned().unwrap_or_default();
    attributes.insert("dir".to_owned(), json!("auto"));
    if kind == "paragraph" || kind == "heading" {
        attributes.entry("indent").or_insert(json!(0));
    }
    node["attrs"] = Value::Object(attributes);
    node
}

fn retain_known(node: &mut Value) {
    if let Some(attributes) = node.get_mut("attrs").and_then(Value::as_object_mut) {
        let known: Map<String, Value> = std::mem::take(attributes)
            .into_iter()
            .filter(|(name, value)| ATTRIBUTES.contains(&name.as_str()) && !value.is_null())
            .collect();
        *attributes = known;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn markdown(text: &str) -> Value {
        Format::Markdown.read(&json!(text)).unwrap()
    }

    #[test]
    fn markdown_comes_back_as_it_went_in() {
        let text = "# Projet\n\nSome **bold**, *italic*, ~~gone~~ and `code` with [link](https://example.com).\n\n\
                    - a\n- b\n  - nested\n\n1. one\n2. two\n\n```rust\nfn main() {}\n```\n\n> quote\n\n\
                    - [ ] todo\n- [x] done\n\n---";
        assert_eq!(markdown::shown(&markdown(text)), text);
    }

    #[test]
    fn comments_and_scripts_are_dropped_and_marker_links_are_kept() {
        assert_eq!(
            markdown::shown(&markdown("hello\n\n<!-- secret -->\n\nbye")),
            "hello\n\nbye"
        );
        let document = Format::Html
            .read(&json!("<p>a &amp; b</p><script>alert('<p>')</script>"))
            .unwrap();
        assert_eq!(markdown::shown(&document), "a & b");
        let marked = markdown("Baserow: [brwt12r345x](https://baserow.test/row/345)");
        assert_eq!(text(&marked), "Baserow: brwt12r345x");
    }

    #[test]
    fn a_document_of_unknown_nodes_or_in_the_wrong_type_is_refused() {
        assert!(Format::Json.read(&json!({"type": "nope"})).is_err());
        assert!(
            Format::Json
                .read(&json!({"type": "doc", "content": [{"type": "nope"}]}))
                .is_err()
        );
        assert!(Format::Json.read(&json!("{}")).is_err());
        assert!(Format::Markdown.read(&json!({"type": "doc"})).is_err());
    }

    #[test]
    fn the_collaborative_layer_drops_what_it_does_not_know() {
        let sent = json!({"type": "paragraph", "attrs": {"bridge": "z", "textAlign": null}});
        let stored = json!({"type": "paragraph", "attrs": {"dir": "auto", "indent": 0}});
        assert_eq!(collaborative(vec![sent]), json!({"type": "doc", "content": [stored]}));
    }
}
