//! What a sync would change of the page of a row as it is now: the same lines for `preview` and for
//! every dry run. Nothing is written.

mod outline;
mod rows;

use passerelle_store::StoredSection;
use passerelle_worker::content::document::Node;
use passerelle_worker::content::page::{Body, DesiredIcon, DesiredPage};
use passerelle_worker::content::wiki::Page;
use passerelle_worker::section::{self, Form, Known};
use similar::{ChangeTag, TextDiff};

pub use outline::lines;
pub use rows::{Compared, Comparer, RowChanges, compare, in_words};

/// A page as it is now, and what the store knows of its section.
#[derive(Debug, Clone)]
pub struct Now {
    pub page: Page,
    pub section: Option<StoredSection>,
}

impl Now {
    /// The blocks of the page after a sync.
    pub fn after(&self, desired: &DesiredPage) -> Vec<Node> {
        match &desired.body {
            Body::Once { .. } => blocks(&self.page),
            Body::Follows { nodes, .. } => nodes.clone(),
            Body::Section { section, recreate } => {
                let known = self.section.as_ref();
                let known = Known {
                    id: known.map_or_else(|| section::ID.to_owned(), |known| known.block.clone()),
                    written: known.map(|known| known.fingerprint.clone()),
                    recreate: *recreate,
                    form: Form::SyncedBlock,
                };
                section::after_a_visit(blocks(&self.page), section, &known)
            }
        }
    }

    /// What a sync changes: lines with `-` and `+`. None if the page is as it should be.
    pub fn changes(&self, desired: &DesiredPage) -> Vec<String> {
        let mut changes = Vec::new();
        let mut change = |what: &str, now: Option<&str>, then: Option<&str>| {
            let (now, then) = (now.unwrap_or("none"), then.unwrap_or("none"));
            if now != then {
                changes.extend([format!("- {what}: {now}"), format!("+ {what}: {then}")]);
            }
        };
        change("title", self.page.title.as_deref(), Some(&desired.title));
        if let DesiredIcon::Is(icon) = &desired.icon {
            change("icon", self.page.icon.as_deref(), icon.as_deref());
        }
        if self.page.deleted_at.is_some() {
            change("place", Some("in the trash"), Some("in its space"));
        }
        changes.extend(changed_lines(&blocks(&self.page), &self.after(desired)));
        changes
    }
}

fn blocks(page: &Page) -> Vec<Node> {
    let content = page.content.as_ref().and_then(|content| content.get("content"));
    let read = content.map(|content| serde_json::from_value(content.clone()));
    read.and_then(Result::ok).unwrap_or_default()
}

fn changed_lines(now: &[Node], then: &[Node]) -> Vec<String> {
    let (now, then) = (lines(now).join("\n"), lines(then).join("\n"));
    let diff = TextDiff::from_lines(&now, &then);
    let changed = diff.iter_all_changes().filter_map(|change| {
        let sign = match change.tag() {
            ChangeTag::Delete => '-',
            ChangeTag::Insert => '+',
            ChangeTag::Equal => return None,
        };
        Some(format!("{sign} {}", change.value().trim_end_matches('\n')))
    });
    changed.collect()
}
