//! The log of the calls to a product, for tests that count calls or check their order.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use crate::clock;

/// The most calls that the log keeps, so that a long bench does not fill the memory.
const KEPT: usize = 50_000;

/// One call that came.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Call {
    /// The number of the call, in order of arrival; the first is 1.
    pub number: u64,
    /// When it came, in milliseconds since the epoch.
    pub at_ms: i64,
    pub method: String,
    /// The path without the query.
    pub path: String,
    /// The query, without the `?`; empty if there is none.
    pub query: String,
    /// The header `X-Bridge-Origin`, which both products accept and ignore.
    pub origin: Option<String>,
    /// The kind of the fault it met, if any.
    pub fault: Option<String>,
    /// The status of the answer; none while the call waits, or if its connection was cut.
    pub status: Option<u16>,
    /// When it was answered, in milliseconds since the epoch.
    pub answered_ms: Option<i64>,
}

/// The calls of one product. Clones share the log.
#[derive(Debug, Clone, Default)]
pub struct Calls {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    last: u64,
    kept: VecDeque<Call>,
}

impl Calls {
    /// The calls, oldest first.
    pub fn list(&self) -> Vec<Call> {
        self.locked().kept.iter().cloned().collect()
    }

    /// The number of calls whose path starts with `path`.
    pub fn count(&self, path: &str) -> usize {
        self.locked()
            .kept
            .iter()
            .filter(|call| call.path.starts_with(path))
            .count()
    }

    /// Removes all calls. Numbering continues.
    pub fn clear(&self) {
        self.locked().kept.clear();
    }

    /// Logs a call as it comes, and gives its number.
    pub(crate) fn came(&self, method: &str, path: &str, query: &str, origin: Option<String>) -> u64 {
        let mut inner = self.locked();
        inner.last += 1;
        let call = Call {
            number: inner.last,
            at_ms: clock::now_ms(),
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            origin,
            fault: None,
            status: None,
            answered_ms: None,
        };
        if inner.kept.len() == KEPT {
            inner.kept.pop_front();
        }
        inner.kept.push_back(call);
        inner.last
    }

    /// Logs the fault that a call met.
    pub(crate) fn met(&self, number: u64, fault: &str) {
        self.change(number, |call| call.fault = Some(fault.to_owned()));
    }

    /// Logs the answer of a call.
    pub(crate) fn answered(&self, number: u64, status: u16) {
        self.change(number, |call| {
            call.status = Some(status);
            call.answered_ms = Some(clock::now_ms());
        });
    }

    fn change(&self, number: u64, change: impl FnOnce(&mut Call)) {
        let mut inner = self.locked();
        let oldest = inner.kept.front().map_or(number, |call| call.number);
        let index = usize::try_from(number.saturating_sub(oldest)).unwrap_or(usize::MAX);
        if let Some(call) = inner.kept.get_mut(index).filter(|call| call.number == number) {
            change(call);
        }
    }

    fn locked(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_kept_in_order_with_their_answers() {
        let calls = Calls::default();
        let first = calls.came("POST", "/api/pages/create", "", None);
        let second = calls.came("GET", "/api/health", "deep=1", Some("bridge".to_owned()));
        calls.answered(second, 200);
        calls.met(first, "reset");
        let list = calls.list();
        assert_eq!((list[0].status, list[0].fault.as_deref()), (None, Some("reset")));
        assert_eq!((list[1].status, list[1].query.as_str()), (Some(200), "deep=1"));
        assert_eq!(calls.count("/api/pages"), 1);
    }

    #[test]
    fn an_answer_to_a_forgotten_call_changes_nothing() {
        let calls = Calls::default();
        let first = calls.came("POST", "/a", "", None);
        calls.clear();
        calls.came("POST", "/b", "", None);
        calls.answered(first, 500);
        assert_eq!(calls.list()[0].status, None);
    }
}
