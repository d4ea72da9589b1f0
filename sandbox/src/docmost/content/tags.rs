//! The node or mark of each HTML tag.

use rand::distr::{Alphabetic, SampleString as _};
use serde_json::{Value, json};

pub(super) fn paragraph() -> Value {
    json!({"type": "paragraph", "attrs": {"id": new_block_id(), "dir": "auto", "indent": 0, "textAlign": null}})
}

/// Twelve small letters, as the real server's block ids.
fn new_block_id() -> String {
    Alphabetic.sample_string(&mut rand::rng(), 12).to_ascii_lowercase()
}

/// The empty node that a tag opens.
pub(super) fn node(tag: &str) -> Option<Value> {
    let plain = |kind: &str| json!({"type": kind, "attrs": {"dir": "auto"}});
    let cell = |kind: &str| {
        json!({"type": kind, "attrs": {
            "dir": "auto", "align": null, "colspan": 1, "rowspan": 1, "colwidth": null,
            "backgroundColor": null, "backgroundColorName": null,
        }})
    };
    Some(match tag {
        "p" => paragraph(),
        "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
            let mut heading = paragraph();
            heading["type"] = json!("heading");
            heading["attrs"]["level"] = json!(tag.bytes().last().map(|digit| digit - b'0'));
            heading
        }
        "ul" => plain("bulletList"),
        "ol" => plain("orderedList"),
        "li" => plain("listItem"),
        "blockquote" => plain("blockquote"),
        "pre" => plain("codeBlock"),
        "table" => plain("table"),
        "tr" => plain("tableRow"),
        "th" => cell("tableHeader"),
        "td" => cell("tableCell"),
        _ => return None,
    })
}

pub(super) fn mark(tag: &str, attributes: &str) -> Option<Value> {
    Some(match tag {
        "strong" | "b" => json!({"type": "bold"}),
        "em" | "i" => json!({"type": "italic"}),
        "s" | "del" | "strike" => json!({"type": "strike"}),
        "code" => json!({"type": "code"}),
        "a" => json!({"type": "link", "attrs": {
            "rel": "noopener noreferrer nofollow", "href": attribute(attributes, "href"), "class": null, "title": null,
            "target": "_blank", "internal": false,
        }}),
        _ => return None,
    })
}

/// The value of an attribute in quotes.
pub(super) fn attribute(attributes: &str, name: &str) -> Option<String> {
    let start = attributes.find(&format!("{name}="))?;
    let value = attributes.get(start + name.len() + 1..)?;
    let quote = value.chars().next().filter(|char| "\"'".contains(*char))?;
    let value = value.get(1..)?;
    Some(unescape(value.split(quote).next()?))
}

pub(super) fn unescape(text: &str) -> String {
    let entities = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&#x27;", "'"),
        ("&nbsp;", " "),
    ];
    let text = entities
        .iter()
        .fold(text.to_owned(), |text, (entity, char)| text.replace(entity, char));
    text.replace("&amp;", "&")
}
