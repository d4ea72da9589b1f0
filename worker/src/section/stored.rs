//! The section in a page as the wiki answers with it.

use serde_json::Value;

use super::{BOX, SYNCED_BLOCK, fingerprint};
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
