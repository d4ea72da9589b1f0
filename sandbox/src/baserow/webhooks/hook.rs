//! A webhook of a table, with its log of calls.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::super::tempo;

/// The events that a webhook can ask for.
pub(crate) const EVENTS: [&str; 10] = [
    "rows.created",
    "rows.updated",
    "rows.deleted",
    "field.created",
    "field.updated",
    "field.deleted",
    "view.created",
    "view.updated",
    "view.deleted",
    "view.rows_entered",
];

/// The most calls that the log keeps.
const KEPT: usize = 10;
/// The most failed attempts in a row; one more deactivates the webhook.
const BORNE: u32 = 8;

/// The settings and the state of a webhook.
#[derive(Debug, Clone)]
pub(crate) struct Hook {
    pub(crate) id: u64,
    pub(crate) table: u64,
    pub(crate) name: String,
    pub(crate) url: String,
    pub(crate) method: String,
    /// Whether payloads use field names instead of ids.
    pub(crate) names: bool,
    pub(crate) all_events: bool,
    pub(crate) events: Vec<String>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) active: bool,
    pub(crate) failed_triggers: u32,
    /// The secret of the imagined signing proxy in front of the receiver; see [`super::signing`].
    pub(crate) sign_with: Option<String>,
    watched: BTreeMap<String, Vec<u64>>,
    calls: Vec<LoggedCall>,
    created_on: Timestamp,
    updated_on: Timestamp,
}

/// One entry of the log: an event (and page), with its latest attempt.
#[derive(Debug, Clone)]
pub(crate) struct LoggedCall {
    pub(crate) id: u64,
    pub(crate) event_id: String,
    pub(crate) batch: Option<u64>,
    pub(crate) event: &'static str,
    pub(crate) called_on: Timestamp,
    pub(crate) url: String,
    pub(crate) request: String,
    pub(crate) response: String,
    pub(crate) status: Option<u16>,
    pub(crate) error: String,
}

impl Hook {
    pub(crate) fn new(id: u64, table: u64) -> Self {
        let now = tempo::now();
        Self {
            id,
            table,
            name: String::new(),
            url: String::new(),
            method: "POST".to_owned(),
            names: true,
            all_events: true,
            events: Vec::new(),
            headers: Vec::new(),
            active: true,
            failed_triggers: 0,
            sign_with: None,
            watched: BTreeMap::new(),
            calls: Vec::new(),
            created_on: now,
            updated_on: now,
        }
    }

    /// Whether the webhook asks for an event. "All" does not include the enterprise event.
    pub(crate) fn wants(&self, event: &str) -> bool {
        let asked = self.events.iter().any(|asked| asked == event);
        self.active && (asked || (self.all_events && event != "view.rows_entered"))
    }

    /// The fields that an event must touch to be sent; none means that every event is sent.
    pub(crate) fn watched(&self, event: &str) -> &[u64] {
        if self.all_events {
            &[]
        } else {
            self.watched.get(event).map(Vec::as_slice).unwrap_or_default()
        }
    }

    /// Applies an `event_config`.
    pub(crate) fn watch(&mut self, config: &[Value]) {
        for entry in config {
            let Some(event) = entry.get("event_type").and_then(Value::as_str) else {
                continue;
            };
            let fields = entry
                .get("fields")
                .and_then(Value::as_array)
                .map(Vec::as_slice)
                .unwrap_or_default();
            let mut fields: Vec<u64> = fields.iter().filter_map(Value::as_u64).collect();
            fields.sort_unstable();
            self.watched.insert(event.to_owned(), fields);
        }
    }

    /// Activates it. Events that it has missed stay missed.
    pub(crate) fn switch_on(&mut self) {
        self.active = true;
        self.failed_triggers = 0;
    }

    /// Sets the time of the last change.
    pub(crate) fn touch(&mut self) {
        self.updated_on = tempo::now();
    }

    /// Counts an attempt; retries count too, and one success resets the count. True if this attempt
    /// deactivates the webhook.
    pub(crate) fn count(&mut self, succeeded: bool) -> bool {
        if succeeded && self.failed_triggers == 0 {
            return false;
        }
        self.touch();
        if succeeded {
            self.failed_triggers = 0;
        } else if self.failed_triggers < BORNE {
            self.failed_triggers += 1;
        } else {
            self.active = false;
            return true;
        }
        false
    }

    /// Logs an attempt: a retry overwrites the entry of its event.
    pub(crate) fn log(&mut self, mut call: LoggedCall) {
        let same = |logged: &LoggedCall| logged.event_id == call.event_id && logged.batch == call.batch;
        if let Some(at) = self.calls.iter().position(same) {
            call.id = self.calls.remove(at).id;
        }
        self.calls.insert(0, call);
        self.calls.truncate(KEPT);
    }

    /// As the API shows it, secrets of its headers included.
    pub(crate) fn json(&self) -> Value {
        let headers: Map<String, Value> = self
            .headers
            .iter()
            .map(|(name, value)| (name.clone(), json!(value)))
            .collect();
        let config = self.events.iter().map(|event| match self.watched.get(event) {
            Some(fields) if !fields.is_empty() => json!({"event_type": event, "fields": fields}),
            _ => json!({"event_type": event}),
        });
        json!({
            "id": self.id,
            "events": self.events,
            "event_config": config.collect::<Vec<_>>(),
            "headers": headers,
            "calls": self.calls.iter().map(LoggedCall::json).collect::<Vec<_>>(),
            "created_on": tempo::printed(self.created_on),
            "updated_on": tempo::printed(self.updated_on),
            "use_user_field_names": self.names,
            "url": self.url,
            "request_method": self.method,
            "name": self.name,
            "include_all_events": self.all_events,
            "failed_triggers": self.failed_triggers,
            "active": self.active,
        })
    }
}

impl LoggedCall {
    fn json(&self) -> Value {
        json!({
            "id": self.id,
            "event_id": self.event_id,
            "event_type": self.event,
            "called_time": tempo::printed(self.called_on),
            "called_url": self.url,
            "request": self.request,
            "response": self.response,
            "response_status": self.status,
            "error": self.error,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ninth_failed_attempt_in_a_row_switches_it_off() {
        let mut hook = Hook::new(1, 2);
        for failed in 1..=8 {
            assert!(!hook.count(false));
            assert_eq!((hook.failed_triggers, hook.active), (failed, true));
        }
        assert!(hook.count(false));
        assert_eq!((hook.failed_triggers, hook.active), (8, false));
        hook.switch_on();
        assert_eq!((hook.failed_triggers, hook.active), (0, true));
    }

    #[test]
    fn one_success_forgets_all_failures() {
        let mut hook = Hook::new(1, 2);
        for _ in 0..8 {
            hook.count(false);
        }
        hook.count(true);
        assert_eq!((hook.failed_triggers, hook.active), (0, true));
    }
}
