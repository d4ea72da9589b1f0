//! From a write to the calls of webhooks: which webhooks are called, and with what.
//!
//! Oddities of the real server that a receiver must handle, and that are kept:
//! - one `event_id` for all webhooks that a write notifies;
//! - the webhooks of a linked table are called too: with the *origin's* event in the header but
//!   `rows.updated` in the body, without `old_items`, and without items unless links were gained or
//!   lost;
//! - a webhook that watches fields is called once per watched field that the write touches.

use serde_json::{Map, Value, json};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::State;
use super::changes::{Change, Happened};
use super::snapshot::Snapshot;
use super::store::{Store, Table};
use super::webhooks::call::{Call, Content, Pages, head};
use super::webhooks::hook::Hook;
use super::wire;

#[derive(Debug, Clone)]
pub(crate) enum Event {
    Rows(Change),
    Thing(Thing),
}

/// A field or a view that was made, changed or deleted.
#[derive(Debug, Clone)]
pub(crate) struct Thing {
    pub(crate) event: &'static str,
    pub(crate) table: u64,
    pub(crate) key: &'static str,
    pub(crate) value: Value,
}

/// Resolves when every call of a write has been attempted once.
#[derive(Debug)]
pub(crate) struct Echoes(mpsc::Receiver<()>);

impl Echoes {
    pub(crate) async fn sent(mut self) {
        // No message is ever sent: the channel closes when the last call has been attempted.
        while self.0.recv().await.is_some() {}
    }
}

impl State {
    /// Queues the calls of an event for every webhook that asks for it.
    pub(crate) fn deliver(&mut self, event: &Event) -> Echoes {
        let event_id = Uuid::new_v4().to_string();
        let (sender, receiver) = mpsc::channel(1);
        let calls: Vec<Call> = self
            .hooks
            .values()
            .flat_map(|hook| match event {
                Event::Rows(change) => calls_of_rows(&self.store, hook, change, &event_id),
                Event::Thing(thing) => call_of_thing(hook, thing, &event_id),
            })
            .map(|call| call.reporting_to(sender.clone()))
            .collect();
        self.deliveries.add(calls);
        Echoes(receiver)
    }
}

fn call_of_thing(hook: &Hook, thing: &Thing, event_id: &str) -> Vec<Call> {
    if hook.table != thing.table || !hook.wants(thing.event) {
        return Vec::new();
    }
    let mut payload = head(hook.table, Some(hook.id), event_id, thing.event);
    payload.insert(thing.key.to_owned(), thing.value.clone());
    let content = Content::Ready(wire::python(&Value::Object(payload)));
    vec![Call::new(hook, thing.event, event_id, content)]
}

fn calls_of_rows(store: &Store, hook: &Hook, change: &Change, event_id: &str) -> Vec<Call> {
    if hook.table == change.table {
        return calls_of_own_rows(store, hook, change, event_id);
    }
    if !hook.wants("rows.updated") {
        return Vec::new();
    }
    let of_this_table = change.linked.iter().filter(|(table, _)| *table == hook.table);
    of_this_table
        .map(|(table, rows)| {
            let pages = Pages::new(*table, rows.iter().copied().collect(), hook.names);
            Call::new(hook, change.happened.event(), event_id, Content::Linked(pages))
        })
        .collect()
}

fn calls_of_own_rows(store: &Store, hook: &Hook, change: &Change, event_id: &str) -> Vec<Call> {
    let event = change.happened.event();
    let Some(table) = store.table(hook.table).filter(|_| hook.wants(event)) else {
        return Vec::new();
    };
    let times = match hook.watched(event) {
        [] => 1,
        watched => watched.iter().filter(|field| change.touched.contains(field)).count(),
    };
    let payload = own_rows(table, hook, change, event_id);
    let content = Content::Ready(wire::python(&Value::Object(payload)));
    let call = Call::new(hook, event, event_id, content);
    vec![call; times]
}

fn own_rows(table: &Table, hook: &Hook, change: &Change, event_id: &str) -> Map<String, Value> {
    let mut payload = head(table.id, Some(hook.id), event_id, change.happened.event());
    let items = |rows: &[Snapshot]| rows.iter().map(|row| row.json(table, hook.names)).collect();
    match change.happened {
        Happened::Deleted => {
            payload.insert("row_ids".to_owned(), json!(change.rows));
        }
        Happened::Created => {
            payload.insert("items".to_owned(), items(&change.after));
        }
        Happened::Updated => {
            payload.insert("items".to_owned(), items(&change.after));
            payload.insert("old_items".to_owned(), items(&change.before));
        }
    }
    payload
}
