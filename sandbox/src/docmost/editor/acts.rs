//! What a person does in a page.

use anyhow::Context as _;
use serde_json::{Value, json};
use yrs::types::Attrs;
use yrs::types::text::YChange;
use yrs::{Any, Out, Text as _, TransactionMut, XmlFragment as _, XmlFragmentRef, XmlTextRef};

use super::{Editor, new_id, schema};
use crate::docmost::collab::tree;
use crate::docmost::content;

impl Editor {
    /// Types right behind a word, wherever it stands.
    ///
    /// # Errors
    /// If the word is nowhere.
    pub async fn type_behind(&mut self, word: &str, typed: &str) -> anyhow::Result<()> {
        self.act(|txn, root| {
            let (text, at) = find(txn, root, word)?;
            text.insert(txn, at + utf16(word), typed);
            Some(())
        })
        .await?
        .with_context(|| format!("the word {word:?} is nowhere"))
    }

    /// Puts a comment on a word.
    ///
    /// # Errors
    /// If the word is nowhere.
    pub async fn comment(&mut self, word: &str) -> anyhow::Result<()> {
        self.act(|txn, root| {
            let (text, at) = find(txn, root, word)?;
            let mark = tree::any(&json!({"commentId": new_id(), "resolved": false}));
            let attrs: Attrs = [("comment".into(), mark)].into_iter().collect();
            text.format(txn, at, utf16(word), attrs);
            Some(())
        })
        .await?
        .with_context(|| format!("the word {word:?} is nowhere"))
    }

    /// Writes a new paragraph at the end.
    ///
    /// # Errors
    /// If the server does not take it.
    pub async fn write(&mut self, text: &str) -> anyhow::Result<()> {
        let paragraph = json!({
            "type": "paragraph", "attrs": {"id": new_id(), "dir": "auto", "indent": 0},
            "content": [{"type": "text", "text": text}],
        });
        self.act(|txn, root| {
            let end = root.len(txn);
            tree::insert(txn, root, end, &[paragraph]);
        })
        .await
    }

    /// Deletes the block at a place.
    ///
    /// # Errors
    /// If the server does not take it.
    pub async fn delete_block(&mut self, at: u32) -> anyhow::Result<()> {
        self.act(|txn, root| root.remove(txn, at)).await
    }

    /// Puts blocks at a place, as they are.
    ///
    /// # Errors
    /// If the server does not take them.
    pub async fn insert(&mut self, at: u32, blocks: &[Value]) -> anyhow::Result<()> {
        self.act(|txn, root| tree::insert(txn, root, at, blocks)).await
    }

    /// The words with a comment.
    pub fn commented(&self) -> Vec<String> {
        let mut words = Vec::new();
        collect_commented(&self.content(), &mut words);
        words
    }
}

fn collect_commented(node: &Value, words: &mut Vec<String>) {
    let marks = node["marks"].as_array().into_iter().flatten();
    if marks.into_iter().any(|mark| mark["type"] == "comment") {
        words.extend(node["text"].as_str().map(str::to_owned));
    }
    for child in content::blocks(node) {
        collect_commented(&child, words);
    }
}

/// The text with a word, and where it is in it.
fn find(txn: &TransactionMut<'_>, root: &XmlFragmentRef, word: &str) -> Option<(XmlTextRef, u32)> {
    schema::texts(txn, root).into_iter().find_map(|text| {
        let whole: String = text
            .diff(txn, YChange::identity)
            .into_iter()
            .filter_map(|diff| match diff.insert {
                Out::Any(Any::String(text)) => Some(text.as_ref().to_owned()),
                _ => None,
            })
            .collect();
        let at = whole.find(word)?;
        let before = whole.get(..at)?;
        Some((text, utf16(before)))
    })
}

fn utf16(text: &str) -> u32 {
    u32::try_from(text.encode_utf16().count()).unwrap_or(u32::MAX)
}
