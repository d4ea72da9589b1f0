//! When two pieces of a page say the same, whatever an editor has added to one of them.
//!
//! A browser that opens a page gives nodes ids and directions; a comment is a mark; people set the
//! widths of columns. None of this is a difference between a section and its row.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use crate::content::document::{Mark, Node};
use crate::content::page::hash;

/// The attributes of nodes that are the bridge's. Others are the editor's or people's: they are set
/// when a node is made, and then left alone.
pub(super) const OWNED: [&str; 11] = [
    "align", "alt", "checked", "colspan", "icon", "language", "level", "rowspan", "src", "start", "type",
];
/// The attributes of marks that make a difference; an editor adds others to every link.
const OWNED_IN_MARKS: [&str; 2] = ["color", "href"];
/// The mark of a comment, which is people's.
pub(super) const COMMENT: &str = "comment";

/// A hash of what these nodes say.
pub fn fingerprint(nodes: &[Node]) -> String {
    hash(&[&canonical(nodes)])
}

/// What these nodes say, as a text that is the same for the same.
pub(super) fn canonical(nodes: &[Node]) -> String {
    let mut out = String::new();
    // The marks of the run that is still open.
    let mut open: Option<String> = None;
    for node in nodes {
        let Some(text) = &node.text else {
            close(&mut out, &mut open);
            element(node, &mut out);
            continue;
        };
        let marks = marks(&node.marks);
        if open.as_ref() != Some(&marks) {
            close(&mut out, &mut open);
            let _ = write!(out, "{marks}\"");
            open = Some(marks);
        }
        out.extend(text.escape_debug());
    }
    close(&mut out, &mut open);
    out
}

fn close(out: &mut String, open: &mut Option<String>) {
    if open.take().is_some() {
        out.push('"');
    }
}

fn element(node: &Node, out: &mut String) {
    let _ = write!(out, "<{}", node.kind);
    for name in OWNED {
        if let Some(value) = owned(&node.attrs, name) {
            let _ = write!(out, " {name}={value}");
        }
    }
    let _ = write!(out, ">{}</>", canonical(&node.content));
}

/// The value of an attribute of ours; `None` where it is absent, null, or what an absent one means.
pub(super) fn owned<'a>(attrs: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let value = attrs.get(name)?;
    let is_default = match name {
        "colspan" | "rowspan" | "start" => value.as_f64() == Some(1.0),
        "checked" => *value == Value::Bool(false),
        _ => false,
    };
    (!is_default && !value.is_null()).then_some(value)
}

/// What these marks say, comments left out.
pub(super) fn marks(marks: &[Mark]) -> String {
    let mut words: Vec<String> = marks.iter().filter(|mark| mark.kind != COMMENT).map(mark).collect();
    words.sort();
    words.dedup();
    words.concat()
}

fn mark(mark: &Mark) -> String {
    let mut word = format!("[{}", mark.kind);
    for name in OWNED_IN_MARKS {
        if let Some(value) = mark.attrs.get(name).filter(|value| !value.is_null()) {
            let _ = write!(word, " {name}={value}");
        }
    }
    word.push(']');
    word
}
