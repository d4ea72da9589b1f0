//! What an editor does by itself: it completes what it opens, and deletes what its schema does not
//! know, without a word.

use serde_json::{Value, json};
use yrs::{Text as _, TransactionMut};
use yrs::{Xml as _, XmlElementRef, XmlFragment, XmlFragmentRef, XmlOut, XmlTextRef};

use super::{Editor, new_id};
use crate::docmost::collab::tree;
use crate::docmost::content;

/// The marks that the schema knows.
const MARKS: [&str; 13] = [
    "bold",
    "italic",
    "strike",
    "underline",
    "code",
    "link",
    "textStyle",
    "highlight",
    "subscript",
    "superscript",
    "comment",
    "textColor",
    "spoiler",
];
/// The nodes that may not be empty.
const CONTAINERS: [&str; 12] = [
    "transclusionSource",
    "callout",
    "blockquote",
    "bulletList",
    "orderedList",
    "taskList",
    "listItem",
    "taskItem",
    "table",
    "tableRow",
    "tableCell",
    "tableHeader",
];

impl Editor {
    /// Completes and cleans the page, if there is anything to do.
    pub(super) async fn tidy(&mut self) -> anyhow::Result<()> {
        self.act(|txn, root| {
            drop_invalid(txn, root);
            for element in elements(txn, root) {
                complete(txn, &element);
            }
            end_with_paragraph(txn, root);
        })
        .await
    }
}

/// The top blocks that break the schema go, whole.
fn drop_invalid(txn: &mut TransactionMut<'_>, root: &XmlFragmentRef) {
    let blocks = content::blocks(&tree::json(txn, root));
    for (at, block) in (0..).zip(&blocks).collect::<Vec<_>>().into_iter().rev() {
        if !is_valid(block) {
            root.remove(txn, at);
        }
    }
    for text in texts(txn, root) {
        drop_unknown_marks(txn, &text);
    }
}

fn is_valid(node: &Value) -> bool {
    let kind = node["type"].as_str().unwrap_or_default();
    let children = content::blocks(node);
    content::is_known_kind(kind)
        && !(children.is_empty() && CONTAINERS.contains(&kind))
        && children.iter().all(is_valid)
}

fn drop_unknown_marks(txn: &mut TransactionMut<'_>, text: &XmlTextRef) {
    let mut at = 0;
    for diff in text.diff(txn, yrs::types::text::YChange::identity) {
        let yrs::Out::Any(yrs::Any::String(words)) = &diff.insert else {
            continue;
        };
        let length = u32::try_from(words.encode_utf16().count()).unwrap_or_default();
        let attrs = diff.attributes.iter().flat_map(|attrs| attrs.iter());
        let unknown = attrs
            .filter(|(_, value)| !matches!(value, yrs::Any::Null))
            .any(|(name, _)| !MARKS.contains(&name.split("--").next().unwrap_or_default()));
        if unknown {
            text.remove_range(txn, at, length);
        } else {
            at += length;
        }
    }
}

fn complete(txn: &mut TransactionMut<'_>, element: &XmlElementRef) {
    let node = tree::node(txn, element);
    let kind = node["type"].as_str().unwrap_or_default();
    if kind == "hardBreak" {
        return;
    }
    let mut wanted = vec![("dir", json!("auto"))];
    if matches!(kind, "heading" | "paragraph") {
        wanted.push(("indent", json!(0)));
    }
    if matches!(kind, "heading" | "paragraph" | "transclusionSource") {
        wanted.push(("id", json!(new_id())));
    }
    for (name, value) in wanted {
        if node["attrs"].get(name).is_none() {
            element.insert_attribute(txn, name, tree::any(&value));
        }
    }
}

fn end_with_paragraph(txn: &mut TransactionMut<'_>, root: &XmlFragmentRef) {
    let blocks = content::blocks(&tree::json(txn, root));
    let before_footnotes = blocks
        .iter()
        .position(|block| block["type"] == "footnotes")
        .unwrap_or(blocks.len());
    let last = before_footnotes.checked_sub(1).and_then(|last| blocks.get(last));
    if last.is_none_or(|last| last["type"] != "paragraph") {
        let paragraph = json!({"type": "paragraph", "attrs": {"id": new_id(), "dir": "auto", "indent": 0}});
        tree::insert(
            txn,
            root,
            u32::try_from(before_footnotes).unwrap_or_default(),
            &[paragraph],
        );
    }
}

fn elements(txn: &TransactionMut<'_>, root: &XmlFragmentRef) -> Vec<XmlElementRef> {
    root.successors(txn).filter_map(XmlOut::into_xml_element).collect()
}

/// All texts of the page.
pub(super) fn texts(txn: &TransactionMut<'_>, root: &XmlFragmentRef) -> Vec<XmlTextRef> {
    root.successors(txn).filter_map(XmlOut::into_xml_text).collect()
}
