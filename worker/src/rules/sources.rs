//! What rules are made from, and where each thing stands in it.

use std::collections::BTreeMap;

use passerelle_model::config::{BridgeFile, Problem, find_word, place};

use super::{FieldNeed, Purpose, TableNeeds};

/// The texts that rules are made from, read by the caller.
#[derive(Debug)]
pub struct RuleSources {
    /// What could be read of `bridge.toml`.
    pub file: BridgeFile,
    /// What is wrong with its form.
    pub problems: Vec<Problem>,
    /// Each template's text by its path in the file.
    pub templates: BTreeMap<String, Result<String, Unread>>,
}

/// Why a template could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    pub why: String,
    /// The paths of the files that there are.
    pub there_are: Vec<String>,
}

impl RuleSources {
    /// A file without a fault in its form.
    pub fn new(file: BridgeFile, templates: BTreeMap<String, Result<String, Unread>>) -> Self {
        Self {
            file,
            problems: Vec::new(),
            templates,
        }
    }

    /// Where a rule has these keys: `bridge.toml:12:9 (rule projet-page)`.
    pub fn place_of(&self, rule: &str, keys: &[&str]) -> String {
        format!("{} (rule {rule})", self.file.positions.of(&self.path_of(rule), keys))
    }

    /// Where a rule has this text below these keys.
    pub fn place_within(&self, rule: &str, keys: &[&str], text: &str) -> String {
        let place = self.file.positions.within(&self.path_of(rule), keys, text, 0);
        format!("{place} (rule {rule})")
    }

    fn path_of(&self, rule: &str) -> Vec<String> {
        let found = self.file.rules.iter().find(|found| found.get_ref().name == rule);
        self.file
            .positions
            .path("rules", found.map_or(0, |found| found.span().start))
    }

    /// Where a rule names a field that it needs: in a template, or below a key.
    pub fn place_of_need(&self, needs: &TableNeeds<'_>, need: &FieldNeed) -> String {
        if needs.is_wiki {
            let keys: &[&str] = match need.purpose {
                Purpose::PageId => &["row", "page_id"],
                _ => &["row", "fields", &need.field],
            };
            return self.place_of_wiki(needs.rule, keys);
        }
        if let Some(Ok(template)) = self.templates.get(&need.place) {
            let byte = find_word(template, 1, &need.field).unwrap_or(0);
            return format!("{} (rule {})", place(&need.place, template, byte), needs.rule);
        }
        let keys: Vec<&str> = need.place.split('.').collect();
        format!("{} {}", self.place_within(needs.rule, &keys, &need.field), need.place)
    }

    /// The same for one of `[[wiki]]`: `bridge.toml:78:1 (wiki rule compte-rendu)`.
    pub fn place_of_wiki(&self, rule: &str, keys: &[&str]) -> String {
        let found = self.file.wiki.iter().find(|found| found.get_ref().name == rule);
        let start = found.map_or(0, |found| found.span().start);
        let positions = &self.file.positions;
        format!(
            "{} (wiki rule {rule})",
            positions.of(&positions.path("wiki", start), keys)
        )
    }
}
