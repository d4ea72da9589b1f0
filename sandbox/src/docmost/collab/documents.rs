//! The documents in memory: loaded, changed, stored, forgotten.

use std::collections::BTreeMap;

use serde_json::Value;
use tokio::sync::mpsc::UnboundedSender;
use yrs::updates::decoder::Decode as _;
use yrs::updates::encoder::Encode as _;
use yrs::{
    ClientID, Doc, OffsetKind, Options, ReadTxn as _, StateVector, Transact as _, TransactionMut, Update,
    XmlFragment as _, XmlFragmentRef,
};

use super::super::content;
use super::super::state::{Page, World};
use super::tree;
use super::wire::{self, Answer};
use crate::clock;

/// All documents that somebody has open, or that are not stored yet, by their names.
#[derive(Debug, Default)]
pub(in super::super) struct Collab {
    pub(super) documents: BTreeMap<String, Document>,
    last_client: u64,
}

/// What is sent to a client, in order.
#[derive(Debug)]
pub(super) enum Outgoing {
    Frame(Vec<u8>),
    /// The socket is closed with this code.
    Close(u16, &'static str),
    /// The connection breaks.
    Cut,
}

/// A client that has a document open.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) user: String,
    pub(super) may_write: bool,
    pub(super) outbox: UnboundedSender<Outgoing>,
}

/// One document.
pub(super) struct Document {
    /// The id of its page.
    pub(super) page: String,
    doc: Doc,
    root: XmlFragmentRef,
    pub(super) clients: BTreeMap<u64, Client>,
    /// The last cursors of each client.
    pub(super) awareness: BTreeMap<u64, Vec<u8>>,
    pub(super) unsaved: Option<Unsaved>,
}

/// Changes that are not stored yet.
#[derive(Debug, Clone)]
pub(super) struct Unsaved {
    pub(super) first_ms: i64,
    pub(super) last_ms: i64,
    pub(super) by: String,
}

impl std::fmt::Debug for Document {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Document")
            .field("page", &self.page)
            .field("clients", &self.clients)
            .field("unsaved", &self.unsaved)
            .finish_non_exhaustive()
    }
}

/// A change of a page's content over the API.
#[derive(Debug, Clone, Copy)]
pub(in super::super) enum Edit {
    Append,
    Prepend,
    Replace,
}

/// The content of a document in this state.
pub(in super::super) fn content_of(state: &[u8]) -> Value {
    let doc = Doc::new();
    let root = tree::root(&doc);
    if let Ok(update) = Update::decode_v1(state) {
        let _ = doc.transact_mut().apply_update(update);
    }
    tree::json(&doc.transact(), &root)
}

/// The name of the document of a page.
pub(super) fn name_of(page: &str) -> String {
    format!("page.{page}")
}

impl Document {
    /// The document of a page, from what is stored of it.
    fn load(page: &mut Page) -> Self {
        let doc = Doc::with_options(Options {
            offset_kind: OffsetKind::Utf16,
            ..Options::with_client_id(ClientID::new(u64::from(rand::random::<u32>())))
        });
        let root = tree::root(&doc);
        {
            let mut txn = doc.transact_mut();
            match (&page.state, &page.content) {
                (Some(state), _) => {
                    if let Ok(update) = Update::decode_v1(state) {
                        let _ = txn.apply_update(update);
                    }
                }
                (None, Some(content)) => {
                    let cleaned = content::collaborative(content::blocks(content));
                    tree::insert(&mut txn, &root, 0, &content::blocks(&cleaned));
                }
                (None, None) => {}
            }
        }
        let document = Self {
            page: page.id.clone(),
            doc,
            root,
            clients: BTreeMap::new(),
            awareness: BTreeMap::new(),
            unsaved: None,
        };
        // Kept, so that everybody who loads it gets the same items.
        if page.content.is_some() {
            page.state = Some(document.state());
        }
        document
    }

    /// The whole document as an update.
    pub(super) fn state(&self) -> Vec<u8> {
        self.lacking(&StateVector::default())
    }

    /// What somebody with this state vector lacks.
    pub(super) fn lacking(&self, vector: &StateVector) -> Vec<u8> {
        self.doc.transact().encode_state_as_update_v1(vector)
    }

    pub(super) fn vector(&self) -> Vec<u8> {
        self.doc.transact().state_vector().encode_v1()
    }

    pub(super) fn json(&self) -> Value {
        tree::json(&self.doc.transact(), &self.root)
    }

    /// Applies an update and tells every client, whoever sent it. Bytes that are no update are
    /// taken, and forgotten.
    pub(super) fn apply(&mut self, name: &str, update: &[u8], by: &str) {
        let Ok(update) = Update::decode_v1(update) else {
            return;
        };
        self.change(name, by, |txn, _| {
            let _ = txn.apply_update(update);
        });
    }

    fn change(&mut self, name: &str, by: &str, change: impl FnOnce(&mut TransactionMut<'_>, &XmlFragmentRef)) {
        let update = {
            let mut txn = self.doc.transact_mut();
            change(&mut txn, &self.root);
            txn.commit();
            txn.encode_update_v1()
        };
        if update == [0, 0] {
            return;
        }
        let now = clock::now_ms();
        let first_ms = self.unsaved.as_ref().map_or(now, |unsaved| unsaved.first_ms);
        self.unsaved = Some(Unsaved {
            first_ms,
            last_ms: now,
            by: by.to_owned(),
        });
        self.tell(name, &Answer::Update(update));
    }

    /// Sends to all clients.
    pub(super) fn tell(&self, name: &str, answer: &Answer) {
        let frame = wire::write(name, answer);
        for client in self.clients.values() {
            let _ = client.outbox.send(Outgoing::Frame(frame.clone()));
        }
    }
}

impl Collab {
    pub(super) fn new_client(&mut self) -> u64 {
        self.last_client += 1;
        self.last_client
    }

    pub(super) fn document(&mut self, name: &str) -> Option<&mut Document> {
        self.documents.get_mut(name)
    }

    /// The process is killed: what is not stored is lost, and every connection breaks.
    pub(super) fn kill(&mut self) {
        for document in std::mem::take(&mut self.documents).into_values() {
            for client in document.clients.into_values() {
                let _ = client.outbox.send(Outgoing::Cut);
            }
        }
    }
}

impl World {
    /// The document with this name, loaded if it is not; and whether it was. The name is that of a
    /// page, by its id or its slugId.
    pub(super) fn open_document(&mut self, name: &str, page: &str) -> Option<(&mut Document, bool)> {
        let is_new = !self.collab.documents.contains_key(name);
        if is_new {
            let document = Document::load(self.pages.get_mut(page)?);
            self.collab.documents.insert(name.to_owned(), document);
        }
        Some((self.collab.documents.get_mut(name)?, is_new))
    }

    /// Changes a page's content over the API. It must be stored at once.
    pub(in super::super) fn edit_document(&mut self, page: &str, by: &str, edit: Edit, new: &[Value]) {
        let name = name_of(page);
        let Some((document, _)) = self.open_document(&name, page) else {
            return;
        };
        document.change(&name, by, |txn, root| {
            let length = root.len(txn);
            match edit {
                Edit::Append => tree::insert(txn, root, length, new),
                Edit::Prepend => tree::insert(txn, root, 0, new),
                Edit::Replace => {
                    root.remove_range(txn, 0, length);
                    tree::insert(txn, root, 0, new);
                }
            }
        });
    }

    /// A client leaves a document; nobody else and nothing to store: it is forgotten.
    pub(super) fn leave_document(&mut self, name: &str, client: u64) {
        if let Some(document) = self.collab.documents.get_mut(name) {
            document.clients.remove(&client);
            document.awareness.remove(&client);
        }
        self.forget_if_unused(name);
    }

    pub(super) fn forget_if_unused(&mut self, name: &str) {
        let document = self.collab.documents.get(name);
        if document.is_some_and(|document| document.clients.is_empty() && document.unsaved.is_none()) {
            self.collab.documents.remove(name);
        }
    }
}
