//! What of an answer is promised: its paths, their types, and the words that a field of words has.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;

/// Fields whose texts are words from a fixed list.
const WORDS: [&str; 14] = [
    "became", "channel", "class", "decision", "done", "end", "kind", "ledger", "left[]", "outcome", "queue", "reason",
    "role", "state",
];

/// The types that each path has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shape(pub BTreeMap<String, BTreeSet<String>>);

impl Shape {
    pub fn of(answer: &Value) -> Self {
        let mut shape = Self::default();
        shape.add("", answer);
        shape
    }

    pub fn join(&mut self, other: Self) {
        for (path, kinds) in other.0 {
            self.0.entry(path).or_default().extend(kinds);
        }
    }

    fn add(&mut self, path: &str, value: &Value) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    let below = if path.is_empty() {
                        name.clone()
                    } else {
                        format!("{path}.{name}")
                    };
                    self.add(&below, value);
                }
            }
            Value::Array(members) => {
                self.note(path, "array");
                for member in members {
                    self.add(&format!("{path}[]"), member);
                }
            }
            Value::Null => self.note(path, "null"),
            Value::Bool(_) => self.note(path, "boolean"),
            Value::Number(number) => {
                let millis = number
                    .as_i64()
                    .is_some_and(|number| (1_600_000_000_000..4_000_000_000_000).contains(&number));
                assert!(!millis, "{path} is a bare moment: {number}");
                self.note(path, if number.is_f64() { "number" } else { "integer" });
            }
            Value::String(text) => self.note(path, kind(path, text)),
        }
    }

    fn note(&mut self, path: &str, kind: impl Into<String>) {
        self.0.entry(path.to_owned()).or_default().insert(kind.into());
    }
}

fn kind(path: &str, text: &str) -> String {
    let name = path.rsplit('.').next().unwrap_or_default();
    if text.len() == 24 && text.ends_with('Z') && text.parse::<jiff::Timestamp>().is_ok() {
        return "time".to_owned();
    }
    if WORDS.contains(&name) && text.chars().all(|c| c.is_ascii_lowercase() || "_:".contains(c)) {
        return format!("{text:?}");
    }
    "string".to_owned()
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (path, kinds) in &self.0 {
            let kinds: Vec<&str> = kinds.iter().map(String::as_str).collect();
            writeln!(f, "{path}: {}", kinds.join(" | "))?;
        }
        Ok(())
    }
}
