//! The fault switches of a product.
//!
//! [`crate::server::serve`] puts these switches around every route of a product. The product's own
//! code only looks for [`LoseContent`] in the request's extensions, if it supports
//! [`FaultKind::ContentLost`].
//!
//! Switches are set from Rust ([`Switches::set`], [`Switches::add`], [`Switches::clear`]) or over
//! HTTP, on the product's own port:
//!
//! | call | effect |
//! |---|---|
//! | `GET /_sandbox/faults` | the list, each fault with its `id` and `used` (calls met so far) |
//! | `PUT /_sandbox/faults` | replaces the list by the array in the body; releases waiting calls |
//! | `POST /_sandbox/faults` | appends the fault in the body; waiting calls continue to wait |
//! | `DELETE /_sandbox/faults` | clears the list; releases waiting calls |
//! | `GET /_sandbox/log` | the calls that came, in order ([`crate::calls`]) |
//! | `DELETE /_sandbox/log` | clears the log |
//!
//! A fault in JSON: `{"path":"/api/pages/create","kind":"status","status":503,"times":2}`. `path`
//! is a prefix (default `*`: every route of the product); `method`, `body_contains` and `origin`
//! narrow it. `skip` is the number of matching calls that pass first; `times` is the number of
//! calls that it meets (absent: until cleared). The first matching fault of the list applies. A
//! spent fault stays in the list with its count until the list is replaced or cleared.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::watch;

use super::hands::Hands;

/// What goes wrong with a call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum FaultKind {
    /// Answered with this status at once; nothing is carried out.
    Status {
        status: u16,
        /// Extra headers, e.g. `retry-after` or Docmost's `retry-after-auth`.
        #[serde(default)]
        headers: BTreeMap<String, String>,
        /// The body: JSON, or a string that is sent as it is (as HTML, unless a header says
        /// otherwise). Absent: the product's own words.
        #[serde(default)]
        body: Option<Value>,
    },
    /// Carried out and answered, but only after a while.
    Delay {
        /// How long it waits before it starts, in milliseconds.
        ms: u64,
    },
    /// Carried out and answered as by a busy product, which works at few calls at once.
    Work {
        /// How long one takes, in milliseconds.
        ms: u64,
        /// How many it works at, whichever they are; the others wait.
        at_once: usize,
    },
    /// Not answered while the fault is in the list; then the connection is cut. Never carried out.
    Hang,
    /// The connection is cut before any byte of the answer; nothing is carried out. With the path
    /// `*` the product is down.
    #[serde(alias = "down")]
    Reset,
    /// Carried out, then the connection is cut: the caller sees no answer.
    LostAnswer,
    /// Waits, and is carried out later, even if the caller has given up. A caller that still waits
    /// gets the answer.
    ZombieWrite {
        /// Carried out this many milliseconds after the call came. Absent: once the fault is no
        /// longer in the list.
        #[serde(default)]
        after_ms: Option<u64>,
        /// How long after the release it is carried out, in milliseconds, when `after_ms` is
        /// absent.
        #[serde(default)]
        after_release_ms: u64,
    },
    /// Carried out, but answered with a failure.
    FailedButDone {
        /// The HTTP status of the answer.
        #[serde(default = "internal_server_error")]
        status: u16,
    },
    /// Like [`FaultKind::Hang`], except that the product's liveness route still answers 200.
    Wedge,
    /// Answered as a success, but its content is not stored. The product decides what counts as
    /// content.
    ContentLost,
    /// A socket is closed with this code; calls without a socket are carried out.
    Close {
        /// E.g. 4401.
        code: u16,
    },
}

impl FaultKind {
    /// Its name, as in JSON.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Status { .. } => "status",
            Self::Delay { .. } => "delay",
            Self::Work { .. } => "work",
            Self::Hang => "hang",
            Self::Reset => "reset",
            Self::LostAnswer => "lost_answer",
            Self::ZombieWrite { .. } => "zombie_write",
            Self::FailedButDone { .. } => "failed_but_done",
            Self::Wedge => "wedge",
            Self::ContentLost => "content_lost",
            Self::Close { .. } => "close",
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

/// In a request's extensions if its content must be lost ([`FaultKind::ContentLost`]).
#[derive(Debug, Clone, Copy)]
pub struct LoseContent;

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
    /// Only calls with this `X-Bridge-Origin`: the bridge's own, not those of people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// The number of matching calls that pass first.
    #[serde(default)]
    pub skip: u32,
    /// The number of calls that it meets; absent: all, until it is cleared.
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

    /// The same fault, for this number of calls only.
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

/// What a fault sees of a call.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    pub method: &'a str,
    /// The path without the query.
    pub path: &'a str,
    pub body: &'a [u8],
    /// The header `X-Bridge-Origin`.
    pub origin: Option<&'a str>,
    /// Whether this is the product's liveness route.
    pub spared_by_wedge: bool,
}

/// A fault in the list, with the number of calls that it has met.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Switch {
    /// The number of the switch, never used twice.
    pub id: u64,
    /// The number of calls that it has met.
    pub used: u32,
    #[serde(skip)]
    passed: u32,
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

/// The switches of one product. Clones share them.
#[derive(Debug, Clone)]
pub struct Switches {
    list: Arc<Mutex<Vec<Switch>>>,
    changes: Arc<watch::Sender<u64>>,
    /// Those of [`FaultKind::Work`].
    pub(crate) hands: Hands,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            list: Arc::default(),
            changes: Arc::new(watch::Sender::new(0)),
            hands: Hands::default(),
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

    /// Clears the list, and releases every call that waits.
    pub fn clear(&self) {
        self.set(Vec::new());
    }

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
        // An error would mean that the sender is gone, but `self` holds it.
        let _ = gone.await;
    }

    fn locked(&self) -> MutexGuard<'_, Vec<Switch>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
