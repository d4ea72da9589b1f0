//! Compares two answers, except for what differs between servers.

use std::collections::BTreeMap;

use serde_json::Value;

/// Which of our strings corresponds to which captured one.
#[derive(Debug, Default)]
pub(crate) struct Known {
    ours: BTreeMap<String, String>,
    captured: BTreeMap<String, String>,
}

impl Known {
    /// From now on, `ours` corresponds to `captured`.
    pub(crate) fn learn(&mut self, captured: &str, ours: &str) {
        self.ours.insert(captured.to_owned(), ours.to_owned());
        self.captured.insert(ours.to_owned(), captured.to_owned());
    }

    /// Our string for a captured one.
    pub(crate) fn ours(&self, captured: &str) -> Option<&String> {
        self.ours.get(captured)
    }

    /// A captured value with our strings in it. A shortened text (`…<10000 chars>`) gets its length
    /// back.
    pub(crate) fn translated(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.ours.get(text).cloned().unwrap_or_else(|| lengthened(text))),
            Value::Array(values) => values.iter().map(|value| self.translated(value)).collect(),
            Value::Object(fields) => Value::Object(
                fields
                    .iter()
                    .map(|(name, value)| (name.clone(), self.translated(value)))
                    .collect(),
            ),
            other => other.clone(),
        }
    }

    /// A captured text with our strings in it.
    pub(crate) fn translated_text(&self, text: &str) -> String {
        self.ours.iter().fold(text.to_owned(), |text, (captured, ours)| {
            text.replace(captured.as_str(), ours)
        })
    }

    /// The differences between our value and the captured one. Learns the strings that correspond.
    pub(crate) fn compare(&mut self, captured: &Value, ours: &Value) -> Vec<String> {
        let mut found = Vec::new();
        self.compare_at("", captured, ours, &mut found);
        found
    }

    fn compare_at(&mut self, place: &str, captured: &Value, ours: &Value, found: &mut Vec<String>) {
        match (captured, ours) {
            (Value::Object(expected), Value::Object(own)) => {
                let names = expected
                    .keys()
                    .chain(own.keys().filter(|name| !expected.contains_key(*name)));
                for name in names {
                    let at = format!("{place}.{name}");
                    match (expected.get(name), own.get(name)) {
                        (Some(expected), Some(own)) => self.compare_at(&at, expected, own, found),
                        (Some(_), None) => found.push(format!("{at} is missing")),
                        _ => found.push(format!("{at} is too much")),
                    }
                }
            }
            (Value::Array(expected), Value::Array(own)) if expected.len() == own.len() => {
                for (index, (expected, own)) in expected.iter().zip(own).enumerate() {
                    self.compare_at(&format!("{place}[{index}]"), expected, own, found);
                }
            }
            (Value::String(expected), Value::String(own)) => {
                if !self.same_text(place, expected, own) {
                    found.push(format!("{place}: {expected:?} was captured, not {own:?}"));
                }
            }
            (Value::Number(_), Value::Number(_)) if matches!(name_at(place), "rank" | "memberCount") => {}
            (expected, own) if expected == own => {}
            (expected, own) => found.push(format!("{place}: {expected} was captured, not {own}")),
        }
    }

    fn same_text(&mut self, place: &str, captured: &str, ours: &str) -> bool {
        if let Some(known) = self.ours.get(captured) {
            return known == ours;
        }
        let name = name_at(place);
        if name == "highlight" {
            return captured.is_empty() == ours.is_empty();
        }
        if name == "inviteLink" {
            return self.same_invitation(captured, ours);
        }
        let learnable = matches!(name, "slugId" | "key" | "nextCursor" | "prevCursor" | "position");
        if (is_id(captured) && is_id(ours)) || (learnable && captured.is_empty() == ours.is_empty()) {
            let is_new = !self.captured.contains_key(ours);
            self.learn(captured, ours);
            return is_new;
        }
        let both = |kind: fn(&str) -> bool| kind(captured) && kind(ours);
        captured == ours
            || both(is_time)
            || (name == "id" && both(is_block_id))
            || lengthened(captured) == ours
            || without_block_ids(captured) == without_block_ids(ours)
    }

    /// Whether two links lead to one invitation, each on its own server. Learns its token.
    fn same_invitation(&mut self, captured: &str, ours: &str) -> bool {
        let parts = |link: &str| {
            let (_, invitation) = link.split_once("/invites/")?;
            let (id, token) = invitation.split_once("?token=")?;
            Some((id.to_owned(), token.to_owned()))
        };
        let (Some((id, token)), Some((own_id, own_token))) = (parts(captured), parts(ours)) else {
            return false;
        };
        self.learn(&token, &own_token);
        self.ours.get(&id) == Some(&own_id) && token.len() == own_token.len()
    }
}

/// The name of the field at a place.
fn name_at(place: &str) -> &str {
    place.rsplit('.').next().unwrap_or_default()
}

fn is_id(text: &str) -> bool {
    let shape = |char: char| char == '-' || char.is_ascii_hexdigit();
    text.len() == 36 && text.chars().all(shape) && text.matches('-').count() == 4
}

fn is_time(text: &str) -> bool {
    text.len() == 24 && text.ends_with('Z') && text.chars().nth(10) == Some('T')
}

fn is_block_id(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_lowercase())
}

/// A text with the length that it had before it was shortened for the capture.
fn lengthened(text: &str) -> String {
    let shortened = text
        .strip_suffix(" chars>")
        .and_then(|text| text.rsplit_once("…<"))
        .and_then(|(start, length)| Some((start, length.parse::<usize>().ok()?)));
    match shortened {
        Some((start, length)) => start.chars().cycle().take(length).collect(),
        None => text.to_owned(),
    }
}

/// HTML without the ids of its blocks.
fn without_block_ids(html: &str) -> String {
    let mut parts = html.split('"').map(str::to_owned).collect::<Vec<_>>();
    for index in 1..parts.len() {
        let names_id = parts.get(index - 1).is_some_and(|before| before.ends_with("id="));
        if let Some(part) = parts.get_mut(index)
            && names_id
            && is_block_id(part)
        {
            "x".clone_into(part);
        }
    }
    parts.join("\"")
}
