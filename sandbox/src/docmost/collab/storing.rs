//! When a document is stored, and what of it.

use serde_json::{Value, json};

use super::super::content;
use super::super::search;
use super::super::state::{Moment, World};
use super::documents::{Outgoing, name_of};
use super::wire::Answer;
use crate::clock;

impl World {
    /// Stores the document of a page. `fails`: the database does not take it.
    pub(in super::super) fn store_page(&mut self, page: &str, by: &str, fails: bool) {
        self.store(&name_of(page), by, fails);
    }

    /// Stores a document. A failure is only logged: nothing tells the clients of it.
    pub(super) fn store(&mut self, name: &str, by: &str, fails: bool) {
        let Some(document) = self.collab.documents.get_mut(name) else {
            return;
        };
        let by = document
            .unsaved
            .take()
            .map_or_else(|| by.to_owned(), |unsaved| unsaved.by);
        let (json, state, id) = (document.json(), document.state(), document.page.clone());
        let is_taken = !fails && !content::has_nul(&json) && !search::is_too_rich(&json);
        let mut is_changed = true;
        if let Some(page) = self.pages.get_mut(&id)
            && is_taken
        {
            is_changed = page.content.as_ref() != Some(&json) && !(page.content.is_none() && is_empty(&json));
            if is_changed {
                page.content = Some(json);
                page.updated = Moment::now();
                page.last_updated_by.clone_from(&by);
                page.contributors.insert(by.clone());
            }
            page.state = Some(state);
        }
        if is_changed {
            self.tell_of_store(name, &id, &by);
        }
        self.forget_if_unused(name);
    }

    fn tell_of_store(&self, name: &str, page: &str, by: &str) {
        if let (Some(document), Some(page)) = (self.collab.documents.get(name), self.pages.get(page)) {
            let text = json!({
                "type": "page.updated", "updatedAt": page.updated.shown(),
                "lastUpdatedById": by, "lastUpdatedBy": self.person(by),
            });
            document.tell(name, &Answer::Stateless(text.to_string()));
        }
    }

    /// Stores a document if it has been quiet for long enough, or unsaved for too long.
    pub(super) fn store_if_due(&mut self, name: &str, fails: impl FnOnce() -> bool) {
        let (after, latest) = (
            self.options.docmost_store_after_ms,
            self.options.docmost_store_latest_ms,
        );
        let now = clock::now_ms();
        let unsaved = self
            .collab
            .documents
            .get(name)
            .and_then(|document| document.unsaved.clone());
        if let Some(unsaved) =
            unsaved.filter(|unsaved| now - unsaved.last_ms >= after || now - unsaved.first_ms >= latest)
        {
            self.store(name, &unsaved.by, fails());
        }
    }

    /// The process of the documents ends: in order, with everything stored and every client told,
    /// or killed.
    pub(in super::super) fn end_collab(&mut self, in_order: bool) {
        if in_order {
            self.close_documents();
        }
        self.collab.kill();
    }

    fn close_documents(&mut self) {
        let names: Vec<String> = self.collab.documents.keys().cloned().collect();
        for name in names {
            let Some(document) = self.collab.documents.get_mut(&name) else {
                continue;
            };
            document.tell(&name, &Answer::Closed("Reset Connection".to_owned()));
            for client in std::mem::take(&mut document.clients).into_values() {
                let _ = client.outbox.send(Outgoing::Cut);
            }
            if let Some(unsaved) = document.unsaved.clone() {
                self.store(&name, &unsaved.by, false);
            }
        }
    }
}

fn is_empty(document: &Value) -> bool {
    content::blocks(document).is_empty()
}
