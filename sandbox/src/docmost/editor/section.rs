//! What a person does to a synced block.

use anyhow::Context as _;
use serde_json::{Value, json};
use yrs::XmlFragment as _;

use super::{Editor, new_id};
use crate::docmost::collab::tree;
use crate::docmost::content;

impl Editor {
    /// The first synced block at the top level: its place and itself.
    ///
    /// # Errors
    /// If there is none.
    pub fn synced_block(&self) -> anyhow::Result<(u32, Value)> {
        let blocks = content::blocks(&self.content()).into_iter();
        let found = (0..)
            .zip(blocks)
            .find(|(_, block)| block["type"] == "transclusionSource");
        found.context("there is no synced block")
    }

    /// Drags it to the end: its id stays.
    ///
    /// # Errors
    /// If there is none, or the server does not take it.
    pub async fn drag_section(&mut self) -> anyhow::Result<()> {
        let (at, block) = self.synced_block()?;
        self.act(|txn, root| {
            root.remove(txn, at);
            let end = root.len(txn);
            tree::insert(txn, root, end, &[block]);
        })
        .await?;
        self.tidy().await
    }

    /// Copies it and pastes it at the end: a paste gives a new id.
    ///
    /// # Errors
    /// If there is none, or the server does not take it.
    pub async fn copy_section(&mut self) -> anyhow::Result<()> {
        let (_, block) = self.synced_block()?;
        self.paste(block).await
    }

    /// Cuts it and pastes it at the end.
    ///
    /// # Errors
    /// If there is none, or the server does not take it.
    pub async fn cut_and_paste_section(&mut self) -> anyhow::Result<()> {
        let block = self.delete_section().await?;
        self.paste(block).await
    }

    /// Deletes it, and gives what it was.
    ///
    /// # Errors
    /// If there is none, or the server does not take it.
    pub async fn delete_section(&mut self) -> anyhow::Result<Value> {
        let (at, block) = self.synced_block()?;
        self.delete_block(at).await?;
        self.tidy().await?;
        Ok(block)
    }

    /// Undoes a deletion: the same block, with its id, at the end.
    ///
    /// # Errors
    /// If the server does not take it.
    pub async fn undo_deletion(&mut self, block: Value) -> anyhow::Result<()> {
        let end = u32::try_from(content::blocks(&self.content()).len())?;
        self.insert(end, &[block]).await?;
        self.tidy().await
    }

    /// "Unsync": the wrapper goes, what was in it stays.
    ///
    /// # Errors
    /// If there is none, or the server does not take it.
    pub async fn unsync_section(&mut self) -> anyhow::Result<()> {
        let (at, block) = self.synced_block()?;
        self.act(|txn, root| {
            root.remove(txn, at);
            tree::insert(txn, root, at, &content::blocks(&block));
        })
        .await?;
        self.tidy().await
    }

    async fn paste(&mut self, mut block: Value) -> anyhow::Result<()> {
        block["attrs"]["id"] = json!(new_id());
        let end = u32::try_from(content::blocks(&self.content()).len())?;
        self.insert(end, &[block]).await?;
        self.tidy().await
    }
}
