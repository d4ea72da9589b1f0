//! The forms that blocks have in the editor's schema: an editor deletes what has another.

use pulldown_cmark::{CodeBlockKind, HeadingLevel};

use super::inline::paragraph;
use super::{Inserted, plain};
use crate::content::document::Node;

pub(super) fn level_of(level: HeadingLevel) -> u64 {
    level as u64
}

pub(super) fn code_block(kind: &CodeBlockKind<'_>, values: &[Inserted]) -> Node {
    let language = match kind {
        CodeBlockKind::Fenced(language) => plain(language, values),
        CodeBlockKind::Indented => String::new(),
    };
    let block = Node::new("codeBlock");
    match language.split_whitespace().next() {
        Some(language) => block.with("language", language),
        None => block,
    }
}

pub(super) fn add_code(block: &mut Node, text: &str) {
    if text.is_empty() {
        return;
    }
    match block.content.first_mut() {
        Some(run) => run.text.get_or_insert_default().push_str(text),
        None => block.content.push(Node::run(text, Vec::new())),
    }
}

/// A block that cannot be without content.
pub(super) fn filled(node: Node) -> Vec<Node> {
    if node.content.is_empty() {
        Vec::new()
    } else {
        vec![node]
    }
}

/// An item begins with a paragraph.
pub(super) fn item(mut node: Node) -> Node {
    if node.content.first().is_none_or(|first| first.kind != "paragraph") {
        node.content.insert(0, paragraph());
    }
    node
}

/// A list whose items are tasks is a list of tasks; one of both is divided.
pub(super) fn lists(list: Node) -> Vec<Node> {
    let mut divided: Vec<Node> = Vec::new();
    let (kind, attrs) = (list.kind, list.attrs);
    for item in list.content {
        let is_task = item.kind == "taskItem";
        match divided.last_mut() {
            Some(before) if (before.kind == "taskList") == is_task => before.content.push(item),
            _ => {
                let mut next = Node::new(if is_task { "taskList" } else { &kind });
                next.attrs.clone_from(&attrs);
                if is_task {
                    next.attrs.shift_remove("start");
                }
                divided.push(next.holding(vec![item]));
            }
        }
    }
    divided
}

/// A header row without texts is no row.
pub(super) fn header(row: Node) -> Vec<Node> {
    let has_text = |cell: &Node| cell.content.iter().any(|block| !block.content.is_empty());
    if row.content.iter().any(has_text) {
        vec![row]
    } else {
        Vec::new()
    }
}
