//! New nodes in a collaborative document.

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use yrs::types::Attrs;
use yrs::{
    Any, Text as _, TransactionMut, Xml as _, XmlElementPrelim, XmlElementRef, XmlFragment, XmlFragmentRef,
    XmlTextPrelim, XmlTextRef,
};

use super::{Known, Section, fit, read};
use crate::content::document::{Mark, Node};

/// What must stay the last node of a page.
const LAST_NODE: &str = "footnotes";
/// The letters of an id.
const LETTERS: u8 = 26;
/// The letters in an id, as an editor makes them.
const ID_LENGTH: usize = 12;

/// New ids for headings and paragraphs, never the same ones in two visits.
#[derive(Debug)]
pub(super) struct Ids {
    client: u32,
    given: u32,
}

impl Ids {
    pub(super) const fn of(client: u32) -> Self {
        Self { client, given: 0 }
    }

    pub(super) fn next(&mut self) -> String {
        self.given += 1;
        let hash = Sha256::digest(format!("{}/{}", self.client, self.given));
        let letters = hash.iter().take(ID_LENGTH);
        letters.map(|byte| char::from(b'a' + byte % LETTERS)).collect()
    }
}

/// Consecutive runs of text, or one other node.
#[derive(Debug, Clone, Copy)]
pub(super) enum Piece<'a> {
    Element(&'a Node),
    Text(&'a [Node]),
}

/// The nodes as the children that they are in a document.
pub(super) fn pieces(nodes: &[Node]) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    for group in nodes.chunk_by(|a, b| a.is_run() && b.is_run()) {
        match group {
            [one] if !one.is_run() => pieces.push(Piece::Element(one)),
            runs => pieces.push(Piece::Text(runs)),
        }
    }
    pieces
}

/// The whole section, at the top of a page, with a paragraph behind it.
pub(super) fn section(
    txn: &mut TransactionMut<'_>,
    root: &XmlFragmentRef,
    section: &Section,
    known: &Known,
    ids: &mut Ids,
) {
    let block = section.as_block(known.form);
    let next = root.get(txn, 0).and_then(yrs::XmlOut::into_xml_element);
    let is_last = next.is_none_or(|next| read::tag(&next) == Ok(LAST_NODE));
    element(txn, root, 0, &block, ids);
    if is_last {
        element(txn, root, 1, &Node::new("paragraph"), ids);
    }
}

/// One piece at a place.
pub(super) fn piece(txn: &mut TransactionMut<'_>, parent: &impl XmlFragment, at: u32, piece: Piece<'_>, ids: &mut Ids) {
    match piece {
        Piece::Element(node) => {
            element(txn, parent, at, node, ids);
        }
        Piece::Text(runs) => {
            let text = parent.insert(txn, at, XmlTextPrelim::new(""));
            append(txn, &text, 0, runs);
        }
    }
}

/// A node with all that is in it, at a place.
pub(super) fn element(
    txn: &mut TransactionMut<'_>,
    parent: &impl XmlFragment,
    at: u32,
    node: &Node,
    ids: &mut Ids,
) -> XmlElementRef {
    let element = parent.insert(txn, at, XmlElementPrelim::empty(node.kind.as_str()));
    for (name, value) in fit::dressed_attrs(node, || ids.next()) {
        element.insert_attribute(txn, name, any(value));
    }
    for (place, child) in (0..).zip(pieces(&node.content)) {
        piece(txn, &element, place, child, ids);
    }
    element
}

/// Runs at a place of a text, counted in UTF-16 units. Plain ones say so, else they would take over
/// the marks before them.
pub(super) fn append(txn: &mut TransactionMut<'_>, text: &XmlTextRef, mut at: u32, runs: &[Node]) {
    for run in runs {
        let words = run.text.as_deref().unwrap_or_default();
        text.insert_with_attributes(txn, at, words, attrs_of(&run.marks));
        at += utf16_len(words);
    }
}

/// The formatting attributes that stand for marks.
pub(super) fn attrs_of(marks: &[Mark]) -> Attrs {
    marks
        .iter()
        .map(|mark| {
            (
                mark.kind.as_str().into(),
                any(Value::Object(without_nulls(&mark.attrs))),
            )
        })
        .collect()
}

pub(super) fn any(value: Value) -> Any {
    serde_json::from_value(value).unwrap_or(Any::Null)
}

pub(super) fn utf16_len(text: &str) -> u32 {
    text.chars()
        .map(|char| if u32::from(char) > 0xFFFF { 2 } else { 1 })
        .sum()
}

fn without_nulls(attrs: &Map<String, Value>) -> Map<String, Value> {
    let kept = attrs.iter().filter(|(_, value)| !value.is_null());
    kept.map(|(name, value)| (name.clone(), value.clone())).collect()
}
