//! One call of a webhook. Its body is fixed when the event happens, so that retries are the same to
//! the byte.
//!
//! The address, the method and the headers are fixed too: a retry goes to the old address even if
//! the webhook has changed meanwhile.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use tokio::sync::mpsc;

use super::super::store::{DATABASE, Store, WORKSPACE};
use super::super::wire;
use super::exchange::Outgoing;
use super::hook::Hook;
use super::signing;

/// The rows of one page, and so the most that one delivery about linked rows carries.
const PAGE: usize = 200;
/// The most pages that are sent; the rest is dropped.
const MOST_PAGES: u64 = 5;

/// The head that every payload has.
pub(crate) fn head(table: u64, webhook: Option<u64>, event_id: &str, event: &str) -> Map<String, Value> {
    let mut head = Map::new();
    for (key, value) in [
        ("table_id", json!(table)),
        ("database_id", json!(DATABASE)),
        ("workspace_id", json!(WORKSPACE)),
        ("webhook_id", json!(webhook)),
        ("event_id", json!(event_id)),
        ("event_type", json!(event)),
    ] {
        head.insert(key.to_owned(), value);
    }
    head
}

/// A call to be made.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) webhook: u64,
    /// The event that the header names: for linked tables, the one of the origin.
    pub(crate) event: &'static str,
    pub(crate) event_id: String,
    pub(crate) content: Content,
    /// How often the call has failed.
    pub(crate) failures: u32,
    pub(crate) url: String,
    pub(crate) method: String,
    headers: Vec<(String, String)>,
    sign_with: Option<String>,
    /// Dropped after the first attempt, which signals the writer of the row.
    report: Option<mpsc::Sender<()>>,
}

/// What a call carries.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    /// The body, as it was when the event happened.
    Ready(String),
    /// Rows that are read when the call is made.
    Linked(Pages),
}

/// A page of linked rows.
#[derive(Debug, Clone)]
pub(crate) struct Pages {
    table: u64,
    rows: Arc<[u64]>,
    names: bool,
    /// The number of the page, from 1.
    number: u64,
    /// Its body, once it was made.
    body: Option<String>,
}

impl Pages {
    pub(crate) fn new(table: u64, rows: Vec<u64>, names: bool) -> Self {
        Self {
            table,
            rows: rows.into(),
            names,
            number: 1,
            body: None,
        }
    }

    fn is_paged(&self) -> bool {
        self.rows.len() > PAGE
    }

    fn offset(&self) -> usize {
        usize::try_from(self.number - 1)
            .unwrap_or(usize::MAX)
            .saturating_mul(PAGE)
    }

    fn body(&self, store: &Store, webhook: u64, event_id: &str) -> String {
        let mut payload = head(self.table, Some(webhook), event_id, "rows.updated");
        payload.insert("total_count".to_owned(), json!(self.rows.len()));
        if self.is_paged() {
            payload.insert("offset".to_owned(), json!(self.offset()));
            payload.insert("batch_size".to_owned(), json!(PAGE));
            payload.insert("batch_id".to_owned(), json!(self.number));
        }
        let rows = self.rows.iter().skip(self.offset()).take(PAGE);
        let items = rows.filter_map(|row| {
            let snapshot = store.snapshot(self.table, *row)?;
            Some(snapshot.json(store.table(self.table)?, self.names))
        });
        payload.insert("items".to_owned(), Value::Array(items.collect()));
        wire::python(&Value::Object(payload))
    }
}

impl Call {
    pub(crate) fn new(hook: &Hook, event: &'static str, event_id: &str, content: Content) -> Self {
        Self {
            webhook: hook.id,
            event,
            event_id: event_id.to_owned(),
            content,
            failures: 0,
            url: hook.url.clone(),
            method: hook.method.clone(),
            headers: hook.headers.clone(),
            sign_with: hook.sign_with.clone(),
            report: None,
        }
    }

    /// Signals the first attempt through `report`, by dropping it.
    pub(crate) fn reporting_to(self, report: mpsc::Sender<()>) -> Self {
        Self {
            report: Some(report),
            ..self
        }
    }

    /// Signals that the first attempt is over.
    pub(crate) fn report(&mut self) {
        self.report = None;
    }

    /// The page number, if the event has several pages.
    pub(crate) fn batch(&self) -> Option<u64> {
        match &self.content {
            Content::Linked(pages) if pages.is_paged() => Some(pages.number),
            Content::Linked(_) | Content::Ready(_) => None,
        }
    }

    /// The body. Linked rows are read on the first attempt.
    pub(crate) fn body(&mut self, store: &Store) -> String {
        match &mut self.content {
            Content::Ready(body) => body.clone(),
            Content::Linked(pages) => {
                let body = pages
                    .body
                    .take()
                    .unwrap_or_else(|| pages.body(store, self.webhook, &self.event_id));
                pages.body = Some(body.clone());
                body
            }
        }
    }

    /// The request, with its headers.
    pub(crate) fn outgoing(&self, body: &str) -> Outgoing {
        let signature = self
            .sign_with
            .as_deref()
            .map(|secret| signing::signature(secret, body.as_bytes()));
        let mut outgoing = Outgoing::new(&self.method, &self.url, &self.headers, body);
        outgoing.set("X-Baserow-Event", self.event);
        outgoing.set("X-Baserow-Delivery", &self.event_id);
        outgoing.set("Content-Length", &body.len().to_string());
        if let Some(signature) = signature {
            outgoing.set(signing::HEADER, &signature);
        }
        outgoing
    }

    /// The call for the next page, once this one has succeeded. Pages beyond the fifth are dropped.
    pub(crate) fn next(&self) -> Option<Self> {
        let Content::Linked(pages) = &self.content else {
            return None;
        };
        if pages.offset() + PAGE >= pages.rows.len() || pages.number >= MOST_PAGES {
            return None;
        }
        let following = Pages {
            number: pages.number + 1,
            body: None,
            ..pages.clone()
        };
        Some(Self {
            content: Content::Linked(following),
            failures: 0,
            report: None,
            ..self.clone()
        })
    }
}
