//! A page's document as its people have it in their browser.

use serde_json::{Value, json};
use yrs::types::Attrs;
use yrs::{
    ReadTxn as _, StateVector, Text as _, Xml as _, XmlElementRef, XmlFragment as _, XmlFragmentRef, XmlOut, XmlTextRef,
};

use super::super::*;
use crate::section::insert::Ids;

pub(super) struct Page {
    doc: Doc,
    root: XmlFragmentRef,
}

impl Page {
    /// A page with these blocks.
    pub(super) fn of(blocks: &[Node]) -> Self {
        let page = Self::opened(&[0, 0], 7);
        let mut ids = Ids::of(7);
        {
            let mut txn = page.doc.transact_mut();
            for (at, block) in (0..).zip(blocks) {
                insert::element(&mut txn, &page.root, at, block, &mut ids);
            }
        }
        page
    }

    /// The page in this state, opened by this client.
    pub(super) fn opened(state: &[u8], client: u32) -> Self {
        let doc = document(state, client).unwrap();
        let root = doc.get_or_insert_xml_fragment(ROOT);
        Self { doc, root }
    }

    pub(super) fn state(&self) -> Vec<u8> {
        self.doc.transact().encode_state_as_update_v1(&StateVector::default())
    }

    pub(super) fn merge(&self, update: &[u8]) {
        let update = Update::decode_v1(update).unwrap();
        self.doc.transact_mut().apply_update(update).unwrap();
    }

    /// A visit of the bridge.
    pub(super) fn bring(&self, section: &Section, known: &Known) -> Patch {
        let patch = bring(&self.state(), section, known, rand::random()).unwrap();
        if let Some(update) = &patch.update {
            self.merge(update);
        }
        patch
    }

    pub(super) fn blocks(&self) -> Vec<Node> {
        read::content(&self.doc.transact(), &self.root).unwrap()
    }

    pub(super) fn json(&self) -> Value {
        json!({"type": "doc", "content": self.blocks()})
    }

    pub(super) fn kinds(&self) -> Vec<String> {
        self.blocks().into_iter().map(|block| block.kind).collect()
    }

    /// What the section says.
    pub(super) fn section(&self) -> String {
        in_page(&self.json(), ID).expect("a section")
    }

    /// The texts of the blocks from a place on.
    pub(super) fn said(&self, from: usize) -> Vec<String> {
        self.blocks().iter().skip(from).map(said).collect()
    }

    /// The ids of all nodes, in order.
    pub(super) fn ids(&self) -> Vec<String> {
        let mut ids = Vec::new();
        self.blocks().iter().for_each(|block| collect_ids(block, &mut ids));
        ids
    }

    /// The ids in the row of a table that begins with this label.
    pub(super) fn cell_ids(&self, label: &str) -> Vec<String> {
        let mut ids = Vec::new();
        for block in self.blocks() {
            each(&block, &mut |node| {
                if node.kind == "tableRow" && node.content.first().is_some_and(|cell| said(cell) == label) {
                    collect_ids(node, &mut ids);
                }
            });
        }
        ids
    }

    /// What a browser does to a page that it opens: ids and directions where there are none.
    pub(super) fn dress(&self) {
        let mut ids = Ids::of(99);
        for element in self.elements() {
            let mut txn = self.doc.transact_mut();
            element.insert_attribute(&mut txn, "dir", "auto");
            if read::attribute(&txn, &element, "id").is_none() && element.tag().as_ref() == "paragraph" {
                element.insert_attribute(&mut txn, "id", ids.next());
            }
        }
    }

    fn elements(&self) -> Vec<XmlElementRef> {
        let txn = self.doc.transact();
        self.root
            .successors(&txn)
            .filter_map(XmlOut::into_xml_element)
            .collect()
    }

    /// The first element of a kind.
    pub(super) fn element(&self, kind: &str) -> XmlElementRef {
        let mut elements = self.elements().into_iter();
        elements
            .find(|element| element.tag().as_ref() == kind)
            .expect("an element of the kind")
    }

    pub(super) fn set(&self, element: &XmlElementRef, name: &str, value: Value) {
        element.insert_attribute(&mut self.doc.transact_mut(), name, insert::any(value));
    }

    /// The text that has this word, and where the word is in it, in UTF-16 units.
    fn word(&self, word: &str) -> (XmlTextRef, u32) {
        let txn = self.doc.transact();
        let mut texts = self.root.successors(&txn).filter_map(XmlOut::into_xml_text);
        let found = texts.find_map(|text| {
            let whole: String = read::runs(&txn, &text).iter().map(said).collect();
            let at = whole.find(word)?;
            Some((text, insert::utf16_len(&whole[..at])))
        });
        found.expect("the word")
    }

    /// A comment on a word.
    pub(super) fn comment(&self, word: &str) {
        let (text, at) = self.word(word);
        let mark = insert::any(json!({"commentId": "c1", "resolved": false}));
        let attrs: Attrs = [("comment".into(), mark)].into_iter().collect();
        text.format(&mut self.doc.transact_mut(), at, insert::utf16_len(word), attrs);
    }

    /// The words with a comment.
    pub(super) fn commented(&self) -> Vec<String> {
        let mut words = Vec::new();
        for block in self.blocks() {
            each(&block, &mut |node| {
                if node.marks.iter().any(|mark| mark.kind == "comment") {
                    words.extend(node.text.clone());
                }
            });
        }
        words
    }

    /// Types right behind a word.
    pub(super) fn type_behind(&self, word: &str, typed: &str) {
        let (text, at) = self.word(word);
        text.insert(&mut self.doc.transact_mut(), at + insert::utf16_len(word), typed);
    }

    pub(super) fn delete(&self, at: u32) {
        self.root.remove(&mut self.doc.transact_mut(), at);
    }

    /// Puts a block at a place, as a paste or a drag does.
    pub(super) fn put(&self, at: u32, block: &Node) {
        insert::element(&mut self.doc.transact_mut(), &self.root, at, block, &mut Ids::of(55));
    }
}

/// The text of a node.
pub(super) fn said(node: &Node) -> String {
    let own = node.text.clone().unwrap_or_default();
    own + &node.content.iter().map(said).collect::<String>()
}

fn each(node: &Node, visit: &mut impl FnMut(&Node)) {
    visit(node);
    node.content.iter().for_each(|child| each(child, visit));
}

fn collect_ids(node: &Node, ids: &mut Vec<String>) {
    each(node, &mut |node| {
        ids.extend(node.attrs.get("id").and_then(Value::as_str).map(str::to_owned));
    });
}
