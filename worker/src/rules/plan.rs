//! The page that should exist for a row.

use std::collections::BTreeMap;

use minijinja::Value;
use passerelle_shared::config::{BodyUpdates, Icons};
use passerelle_shared::id::{PageId, RowKey, Slot};
use sha2::{Digest as _, Sha256};

use super::{Marker, PageRule, Rules, escape, template};
use crate::failure::Failure;
use crate::row::{Cell, Row};

/// Docmost takes requests up to 1 MiB; JSON may need more bytes than the text.
const MOST_BODY_BYTES: usize = 900 * 1024;

/// Everything that a plan is made from.
#[derive(Debug)]
pub struct Subject<'a> {
    /// Which row.
    pub key: RowKey,
    /// Its values.
    pub row: &'a Row,
    /// The linked rows by their template names; `None` where nothing is linked.
    pub links: &'a BTreeMap<String, Option<Row>>,
    /// The row's address for people.
    pub address: &'a str,
}

/// One page as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DesiredPage {
    /// Which of the row's pages.
    pub slot: Slot,
    /// How it is recognised.
    pub marker: Marker,
    /// The space's name or slug.
    pub space: String,
    /// Its title.
    pub title: String,
    /// Its icon.
    pub icon: DesiredIcon,
    /// Its body.
    pub body: Body,
    /// Where it stands among the sub-pages of its parent; `None` for a row's own page, which people may put anywhere.
    pub position: Option<String>,
    /// The page that it stands below, once that page exists.
    pub parent: Option<PageId>,
    /// Hash of all that the bridge keeps equal: the same hash means that there is nothing to write.
    pub hash: String,
}

/// What the icon should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DesiredIcon {
    /// The rule says nothing about icons: people may choose one.
    Anything,
    /// This one, or none.
    Is(Option<String>),
}

/// What the body should be. Its last line holds the marker's token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// Written at creation; people own it afterwards.
    Once {
        /// Markdown.
        text: String,
    },
    /// Follows the row.
    Follows {
        /// Markdown.
        text: String,
        /// A word in the text that only this version of it has: if the wiki has it, it has stored the text.
        proof: String,
    },
}

impl Body {
    /// The Markdown.
    pub fn text(&self) -> &str {
        match self {
            Self::Once { text } | Self::Follows { text, .. } => text,
        }
    }
}

impl DesiredPage {
    /// The same page below another one. Below a different page it is a different state.
    #[must_use]
    pub fn below(&self, parent: &PageId) -> Self {
        Self {
            parent: Some(parent.clone()),
            hash: hash(&[&self.hash, parent.as_str()]),
            ..self.clone()
        }
    }
}

/// A page before its templates are rendered.
pub(super) struct Draft<'a> {
    pub(super) slot: Slot,
    pub(super) marker: Marker,
    /// The name of the title's template.
    pub(super) title: String,
    /// The name of the body's template.
    pub(super) body: &'a str,
    pub(super) body_updates: BodyUpdates,
    pub(super) icons: Option<&'a Icons>,
    /// The row that the page is about.
    pub(super) row: &'a Row,
    pub(super) address: &'a str,
    pub(super) position: Option<String>,
}

impl Rules {
    /// The page that this rule wants for this row.
    pub fn plan(&self, rule: &PageRule, subject: &Subject<'_>) -> Result<DesiredPage, Failure> {
        let slot = Slot::page();
        let draft = Draft {
            marker: Marker::of(subject.key, &slot),
            slot,
            title: template::title_of(&rule.name),
            body: &rule.page.body,
            body_updates: rule.page.body_updates,
            icons: rule.page.icon.as_ref(),
            row: subject.row,
            address: subject.address,
            position: None,
        };
        self.page(&rule.page.space, draft, &variables(subject))
    }

    /// Renders a page.
    pub(super) fn page(&self, space: &str, draft: Draft<'_>, variables: &Value) -> Result<DesiredPage, Failure> {
        let title = escape::title(&self.render(&draft.title, variables)?);
        let written = escape::without_controls(&self.render(draft.body, variables)?);
        let body = signed_body(draft.body_updates, &written, &draft.marker, draft.address);
        if body.text().len() > MOST_BODY_BYTES {
            return Err(Failure::unmappable(format!(
                "the page would have {} bytes, Docmost takes at most {MOST_BODY_BYTES}: shorten the row's texts or the template {}",
                body.text().len(),
                draft.body
            )));
        }
        let icon = draft
            .icons
            .map_or(DesiredIcon::Anything, |icons| icon_of(icons, draft.row));
        let icon_text = icon_text(&icon);
        let mut hashed = vec![space, draft.slot.as_str(), &title, &icon_text, followed_text(&body)];
        hashed.extend(draft.position.as_deref());
        let hash = hash(&hashed);
        Ok(DesiredPage {
            slot: draft.slot,
            marker: draft.marker,
            space: space.to_owned(),
            title,
            icon,
            body,
            position: draft.position,
            parent: None,
            hash,
        })
    }

    pub(super) fn render(&self, name: &str, variables: &Value) -> Result<String, Failure> {
        let rendered = self
            .templates
            .get_template(name)
            .and_then(|template| template.render(variables));
        rendered.map_err(|error| {
            let line = error.line().map_or_else(String::new, |line| format!(", line {line}"));
            Failure::unmappable(format!("template {name:?}{line}: {error}"))
        })
    }
}

fn variables(subject: &Subject<'_>) -> Value {
    Value::from_pairs(linked_values(subject).chain([("row".to_owned(), template::row_value(subject.row))]))
}

/// The rows of the rule's links, by their template names.
pub(super) fn linked_values(subject: &Subject<'_>) -> impl Iterator<Item = (String, Value)> {
    let links = subject.links.iter();
    links.map(|(name, row)| (name.clone(), template::linked_value(row.as_ref())))
}

/// The body with its last line, by which the page is found again after a lost answer.
fn signed_body(updates: BodyUpdates, written: &str, marker: &Marker, address: &str) -> Body {
    let text = format!("{}\n\nBaserow: [{}]({address})", written.trim_end(), marker.token);
    match updates {
        BodyUpdates::Never => Body::Once { text },
        BodyUpdates::Replace => {
            let proof = format!("rev{}", hash(&[&text]).get(..10).unwrap_or_default());
            Body::Follows {
                text: format!("{text} {proof}"),
                proof,
            }
        }
    }
}

fn icon_of(icons: &Icons, row: &Row) -> DesiredIcon {
    let value = match row.cell(&icons.field) {
        Some(Cell::Flag(flag)) => flag.to_string(),
        _ => row.text(&icons.field).unwrap_or_default().to_owned(),
    };
    let icon = icons.values.get(&value).or(icons.default.as_ref());
    DesiredIcon::Is(icon.filter(|icon| !icon.is_empty()).cloned())
}

fn icon_text(icon: &DesiredIcon) -> String {
    match icon {
        DesiredIcon::Anything => "anything".to_owned(),
        DesiredIcon::Is(icon) => format!("is {}", icon.as_deref().unwrap_or_default()),
    }
}

fn followed_text(body: &Body) -> &str {
    match body {
        Body::Once { .. } => "",
        Body::Follows { text, .. } => text,
    }
}

/// A hash over texts, each with its length, so that no two lists give the same bytes.
fn hash(texts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for text in texts {
        hasher.update(text.len().to_le_bytes());
        hasher.update(text);
    }
    hex::encode(hasher.finalize())
}
