//! The section in a page as the wiki answers with it: JSON, no collaborative document.

use serde_json::Value;

use super::{BOX, Known, SYNCED_BLOCK, Section, fingerprint};
use crate::content::document::Node;

/// The fingerprint of the section with this id in the content of a page; `None` if it has none.
pub fn in_page(content: &Value, id: &str) -> Option<String> {
    let kind = content["type"].as_str()?;
    let children = content["content"].as_array().map(Vec::as_slice).unwrap_or_default();
    let own = match kind {
        SYNCED_BLOCK => content.pointer("/attrs/id"),
        BOX => children.first().and_then(|first| first.pointer("/attrs/id")),
        _ => None,
    };
    if own.and_then(Value::as_str) == Some(id) {
        let node: Node = serde_json::from_value(content.clone()).ok()?;
        return Some(match kind {
            SYNCED_BLOCK => fingerprint(&node.content),
            _ => fingerprint(&[node]),
        });
    }
    children.iter().find_map(|child| in_page(child, id))
}

/// The blocks of a page as a visit would leave them, as far as people see it.
pub fn after_a_visit(mut blocks: Vec<Node>, section: &Section, known: &Known) -> Vec<Node> {
    let mut is_there = false;
    for block in &mut blocks {
        fill(block, section, &known.id, &mut is_there);
    }
    if !is_there && (known.recreate || known.written.is_none()) {
        blocks.insert(0, section.as_block(known.form));
    }
    blocks
}

/// Fills the first section with this id.
fn fill(node: &mut Node, section: &Section, id: &str, is_there: &mut bool) {
    let first = node.content.first();
    let own = match node.kind.as_str() {
        SYNCED_BLOCK => node.attrs.get("id"),
        BOX => first.and_then(|first| first.attrs.get("id")),
        _ => None,
    };
    if *is_there || own.and_then(Value::as_str) != Some(id) {
        for child in &mut node.content {
            fill(child, section, id, is_there);
        }
        return;
    }
    *is_there = true;
    if node.kind == SYNCED_BLOCK && fingerprint(&node.content) != section.fingerprint() {
        node.content = section.nodes().to_vec();
    } else if node.kind == BOX && fingerprint(std::slice::from_ref(node)) != section.fingerprint() {
        *node = section.box_of(id);
    }
}
