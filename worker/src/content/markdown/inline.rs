//! The text of a block: runs with their marks, line breaks, and values in their places.

use super::{Inserted, Piece, cleaned, link, nodes, pieces};
use crate::content::document::{Mark, Node};

/// A part of a block's text.
#[derive(Debug, Clone)]
pub(super) enum Part {
    Node(Node),
    /// A value that may have blocks of its own, by its number, and the marks around it.
    Value(usize, Vec<Mark>),
}

/// A paragraph, as the wiki writes it.
pub fn paragraph() -> Node {
    Node::new("paragraph").with("dir", "auto").with("indent", 0)
}

/// A text with placeholders.
pub(super) fn parts(text: &str, marks: &[Mark], values: &[Inserted]) -> Vec<Part> {
    let mut parts = Vec::new();
    for piece in pieces(text, values.len()) {
        let number = match piece {
            Piece::Literal(text) => {
                parts.extend(lines(text, marks));
                continue;
            }
            Piece::Value(number) => number,
        };
        match values.get(number) {
            Some(Inserted::Text(text)) => parts.extend(value(text, marks)),
            Some(Inserted::Link { text, url }) => parts.extend(value_to(text, link::followed(url), marks)),
            Some(Inserted::Paragraphs(_) | Inserted::Markdown(_)) => parts.push(Part::Value(number, marks.to_vec())),
            None => {}
        }
    }
    parts
}

/// A value; one that is nothing but an address leads there, whatever stands beside it.
fn value(text: &str, marks: &[Mark]) -> Vec<Part> {
    value_to(text, link::whole(text), marks)
}

fn value_to(text: &str, target: Option<String>, marks: &[Mark]) -> Vec<Part> {
    let is_settled = marks.iter().any(|mark| mark.kind == "link" || mark.kind == "code");
    let link = target.filter(|_| !is_settled).map(|href| link::mark(&href));
    let marks: Vec<Mark> = marks.iter().cloned().chain(link).collect();
    let text = cleaned(text);
    lines(text.trim_matches('\n'), &marks).collect()
}

/// A text whose lines end in breaks.
fn lines(text: &str, marks: &[Mark]) -> impl Iterator<Item = Part> {
    text.split('\n').enumerate().flat_map(move |(index, line)| {
        let end = (index > 0).then(|| Part::Node(Node::new("hardBreak")));
        let run = (!line.is_empty()).then(|| Part::Node(Node::run(line, marks.to_vec())));
        end.into_iter().chain(run)
    })
}

/// The text of a block that can hold no blocks; it neither begins nor ends with a line break.
pub(super) fn content(parts: Vec<Part>, values: &[Inserted]) -> Vec<Node> {
    let mut nodes = Vec::new();
    for part in parts {
        match part {
            Part::Node(node) if node.kind == "image" => nodes.extend(as_link(&node)),
            Part::Node(node) => nodes.push(node),
            Part::Value(number, marks) => match values.get(number) {
                Some(Inserted::Markdown(text)) => nodes.extend(flattened(text, &marks)),
                Some(other) => nodes.extend(value(other.text(), &marks).into_iter().filter_map(node_of)),
                None => {}
            },
        }
    }
    let is_break = |node: &Node| node.kind == "hardBreak";
    let first = nodes.iter().position(|node| !is_break(node)).unwrap_or(nodes.len());
    nodes.drain(..first);
    nodes.truncate(
        nodes
            .iter()
            .rposition(|node| !is_break(node))
            .map_or(0, |last| last + 1),
    );
    joined(nodes)
}

fn node_of(part: Part) -> Option<Node> {
    match part {
        Part::Node(node) => Some(node),
        Part::Value(..) => None,
    }
}

/// A text between blocks: paragraphs, and the blocks of a value or an image that stands alone.
pub(super) fn blocks(parts: Vec<Part>, values: &[Inserted]) -> Vec<Node> {
    let is_blank = |part: &&Part| matches!(part, Part::Node(node) if node.text.as_deref().is_some_and(|text| text.trim().is_empty()));
    let mut visible = parts.iter().filter(|part| !is_blank(part));
    if let (Some(Part::Value(number, _)), None) = (visible.next(), visible.next()) {
        return match values.get(*number) {
            Some(Inserted::Markdown(text)) => nodes(&cleaned(text), &[]),
            Some(other) => paragraphs(other.text()),
            None => Vec::new(),
        };
    }
    let mut blocks = Vec::new();
    let mut rest = Vec::new();
    for part in parts {
        match part {
            Part::Node(image) if image.kind == "image" => {
                blocks.extend(one(std::mem::take(&mut rest), values));
                blocks.push(image);
            }
            part => rest.push(part),
        }
    }
    blocks.extend(one(rest, values));
    blocks
}

/// A paragraph with this text, if there is any.
fn one(parts: Vec<Part>, values: &[Inserted]) -> Option<Node> {
    let content = content(parts, values);
    (!content.is_empty()).then(|| paragraph().holding(content))
}

/// A long text with its paragraphs: what blank lines divide.
fn paragraphs(text: &str) -> Vec<Node> {
    let text = cleaned(text);
    let mut paragraphs: Vec<Vec<&str>> = vec![Vec::new()];
    for line in text.split('\n') {
        match paragraphs.last_mut() {
            Some(last) if !line.trim().is_empty() => last.push(line),
            _ => paragraphs.push(Vec::new()),
        }
    }
    let paragraphs = paragraphs
        .iter()
        .filter_map(|lines| one(value(&lines.join("\n"), &[]), &[]));
    paragraphs.collect()
}

/// The text of Markdown without its blocks, e.g. in a cell of a table.
fn flattened(markdown: &str, marks: &[Mark]) -> Vec<Node> {
    let mut flat = Vec::new();
    for block in nodes(&cleaned(markdown), &[]) {
        collect(block, &mut flat);
    }
    for run in flat.iter_mut().filter(|node| node.is_run()) {
        let others = marks.iter().filter(|mark| !run.marks.contains(mark)).cloned();
        let others: Vec<Mark> = others.collect();
        run.marks.extend(others);
    }
    flat
}

fn collect(block: Node, flat: &mut Vec<Node>) {
    let is_text = block
        .content
        .iter()
        .any(|node| node.is_run() || node.kind == "hardBreak");
    if is_text {
        if !flat.is_empty() {
            flat.push(Node::new("hardBreak"));
        }
        flat.extend(block.content);
    } else {
        block.content.into_iter().for_each(|inner| collect(inner, flat));
    }
}

/// An image where none can stand.
fn as_link(image: &Node) -> Option<Node> {
    let text = |name: &str| image.attrs.get(name)?.as_str().filter(|text| !text.is_empty());
    let src = text("src")?;
    Some(Node::run(text("alt").unwrap_or(src), vec![link::mark(src)]))
}

/// Runs that look alike as one, and the addresses in them as links.
fn joined(nodes: Vec<Node>) -> Vec<Node> {
    let mut joined: Vec<Node> = Vec::with_capacity(nodes.len());
    for node in nodes {
        match (joined.last_mut(), &node.text) {
            (Some(last), Some(text)) if last.is_run() && last.marks == node.marks => {
                last.text.get_or_insert_default().push_str(text);
            }
            _ => joined.push(node),
        }
    }
    joined.into_iter().flat_map(link::linked).collect()
}
