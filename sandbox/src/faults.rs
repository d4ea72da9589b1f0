//! The fault switches of a stand-in, and how both products use them.
//!
//! A product is started by [`crate::server::serve`], which puts these switches around every route of the product; a product's own
//! code needs nothing but, if it wants [`FaultKind::ContentLost`], a look at [`LoseContent`] in the request's extensions.
//!
//! Switches are set from Rust ([`Switches::set`], [`Switches::add`], [`Switches::clear`]) or over HTTP, on the product's own port:
//!
//! | call | effect |
//! |---|---|
//! | `GET /_sandbox/faults` | the list, each fault with its `id` and `used` (how many calls it has met) |
//! | `PUT /_sandbox/faults` | replaces the list by the JSON array in the body, and releases what waited on the old one |
//! | `POST /_sandbox/faults` | adds the one fault in the body at the end; what waits goes on waiting |
//! | `DELETE /_sandbox/faults` | clears the list: the product is whole again, and what waited is released |
//! | `GET /_sandbox/log`, `DELETE /_sandbox/log` | the calls that came, in order ([`crate::calls`]); forgets them |
//!
//! A fault in JSON: `{"path":"/api/pages/create","kind":"status","status":503,"headers":{"retry-after":"7"},"times":2}`.
//! `path` is a prefix (default `*` = every product route), `method`, `body_contains` and `origin` narrow it, `skip` lets that many matching
//! calls pass first, `times` is how many calls it meets (absent: until cleared). The first fault of the list that matches is used.
//! A fault that is spent stays in the list with its count until the list is replaced or cleared.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::watch;

/// What goes wrong with a call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum FaultKind {
    /// Answered with this status at once; nothing is carried out.
    Status {
        /// The HTTP status.
        status: u16,
        /// Extra headers, e.g. `retry-after` or Docmost's `retry-after-auth`.
        #[serde(default)]
        headers: BTreeMap<String, String>,
        /// The body: JSON, or a string that is sent as it is (as HTML unless a header says otherwise). Absent: as the product words it.
        #[serde(default)]
        body: Option<Value>,
    },
    /// Carried out and answered, but only after a while.
    Delay {
        /// How long it waits before it starts, in milliseconds.
        ms: u64,
    },
    /// Not answered for as long as the fault is in the list; then the connection is cut. Never carried out.
    Hang,
    /// The connection is cut before any byte of the answer; nothing is carried out. With the path `*` the product is down.
    #[serde(alias = "down")]
    Reset,
    /// Carried out, then the connection is cut: the caller never learns it.
    LostAnswer,
    /// Waits, and is carried out later even when the caller has given up long ago; who still waits gets the answer.
    ZombieWrite {
        /// Carried out this many milliseconds after the call came. Absent: once the fault is no longer in the list.
        #[serde(default)]
        after_ms: Option<u64>,
        /// How long after the release it is carried out, in milliseconds, when `after_ms` is absent.
        #[serde(default)]
        after_release_ms: u64,
    },
    /// Carried out, but answered with a failure.
    FailedButDone {
        /// The HTTP status of the answer.
        #[serde(default = "internal_server_error")]
        status: u16,
    },
    /// Like [`FaultKind::Hang`], except that the product's "I am alive" route goes on answering 200.
    Wedge,
    /// Answered as a success, but the content that it brings is not kept. The product decides what its content is.
    ContentLost,
}

impl FaultKind {
    /// Its name, as in JSON.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Status { .. } => "status",
            Self::Delay { .. } => "delay",
            Self::Hang => "hang",
            Self::Reset => "reset",
            Self::LostAnswer => "lost_answer",
            Self::ZombieWrite { .. } => "zombie_write",
            Self::FailedButDone { .. } => "failed_but_done",
            Self::Wedge => "wedge",
            Self::ContentLost => "content_lost",
        }
    }

    /// Whether the connection is cut, so that the caller sees no answer.
    pub(crate) const fn cuts(&self) -> bool {
        matches!(self, Self::Hang | Self::Wedge | Self::Reset | Self::LostAnswer)
    }
}

/// The status of [`FaultKind::FailedButDone`] that products really show.
const fn internal_server_error() -> u16 {
    500
}

/// Stands in a request's extensions when its content shall be lost ([`FaultKind::ContentLost`]).
#[derive(Debug, Clone, Copy)]
pub struct LoseContent;

/// One switch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// A prefix of the path, or `*` for every route of the product.
    #[serde(default = "every_path")]
    pub path: String,
    /// Only calls with this method.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Only calls whose body contains this text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_contains: Option<String>,
    /// Only calls with this `X-Bridge-Origin`: the bridge's own, while people are spared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// How many matching calls pass unharmed first.
    #[serde(default)]
    pub skip: u32,
    /// How many calls it meets; absent = all, until it is cleared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
    /// What happens to them.
    #[serde(flatten)]
    pub kind: FaultKind,
}

fn every_path() -> String {
    "*".to_owned()
}

impl Fault {
    /// A fault for every call whose path starts with `path`, until it is cleared.
    pub fn on(path: &str, kind: FaultKind) -> Self {
        Self {
            path: path.to_owned(),
            method: None,
            body_contains: None,
            origin: None,
            skip: 0,
            times: None,
            kind,
        }
    }

    /// The same for that many calls only.
    #[must_use]
    pub fn times(self, times: u32) -> Self {
        Self {
            times: Some(times),
            ..self
        }
    }

    fn meets(&self, call: &Target<'_>) -> bool {
        let path = self.path == "*" || call.path.starts_with(&self.path);
        let method = self
            .method
            .as_ref()
            .is_none_or(|method| method.eq_ignore_ascii_case(call.method));
        let body = self
            .body_contains
            .as_ref()
            .is_none_or(|text| String::from_utf8_lossy(call.body).contains(text));
        let origin = self.origin.is_none() || self.origin.as_deref() == call.origin;
        let spared = self.kind == FaultKind::Wedge && call.spared_by_wedge;
        path && method && body && origin && !spared
    }
}

/// What a fault can look at to know whether a call is meant.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// The HTTP method.
    pub method: &'a str,
    /// The path without the query.
    pub path: &'a str,
    /// The whole body.
    pub body: &'a [u8],
    /// The header `X-Bridge-Origin`.
    pub origin: Option<&'a str>,
    /// Whether this is the product's "I am alive" route.
    pub spared_by_wedge: bool,
}

/// A fault in the list, with how often it was met.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Switch {
    /// Its number; never used twice.
    pub id: u64,
    /// How many calls it has met.
    pub used: u32,
    #[serde(skip)]
    passed: u32,
    /// The fault itself.
    #[serde(flatten)]
    pub fault: Fault,
}

/// The fault that a call meets.
#[derive(Debug)]
pub(crate) struct Met {
    /// The number of its switch.
    pub(crate) id: u64,
    pub(crate) kind: FaultKind,
}

/// The switches of one product. Clones are the same switches.
#[derive(Debug, Clone)]
pub struct Switches {
    list: Arc<Mutex<Vec<Switch>>>,
    changes: Arc<watch::Sender<u64>>,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            list: Arc::default(),
            changes: Arc::new(watch::Sender::new(0)),
        }
    }
}

impl Switches {
    /// Replaces the list, and releases every call that waits on a fault of the old one.
    pub fn set(&self, faults: Vec<Fault>) {
        self.locked().clear();
        for fault in faults {
            self.add(fault);
        }
        self.changes.send_modify(|generation| *generation += 1);
    }

    /// Adds a fault at the end of the list and gives its number.
    pub fn add(&self, fault: Fault) -> u64 {
        let mut id = 0;
        self.changes.send_modify(|generation| {
            *generation += 1;
            id = *generation;
        });
        self.locked().push(Switch {
            id,
            used: 0,
            passed: 0,
            fault,
        });
        id
    }

    /// Makes the product whole again, and releases every call that waits.
    pub fn clear(&self) {
        self.set(Vec::new());
    }

    /// The list as it stands.
    pub fn list(&self) -> Vec<Switch> {
        self.locked().clone()
    }

    /// Finds the fault that this call meets, and counts it.
    pub(crate) fn choose(&self, call: &Target<'_>) -> Option<Met> {
        for switch in self.locked().iter_mut() {
            let spent = switch.fault.times.is_some_and(|times| switch.used >= times);
            if spent || !switch.fault.meets(call) {
                continue;
            }
            if switch.passed < switch.fault.skip {
                switch.passed += 1;
                continue;
            }
            switch.used += 1;
            return Some(Met {
                id: switch.id,
                kind: switch.fault.kind.clone(),
            });
        }
        None
    }

    /// Waits until the fault with this number is no longer in the list.
    pub(crate) async fn released(&self, id: u64) {
        let mut changes = self.changes.subscribe();
        let gone = changes.wait_for(|_| !self.locked().iter().any(|switch| switch.id == id));
        // An error would mean that the sender is gone, and `self` holds it.
        let _ = gone.await;
    }

    fn locked(&self) -> MutexGuard<'_, Vec<Switch>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
