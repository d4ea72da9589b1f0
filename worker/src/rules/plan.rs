//! The page that should exist for a row.

use std::collections::BTreeMap;

use minijinja::Value;
use passerelle_model::config::{BodyUpdates, Icons, PageAction, SectionOptions};
use passerelle_model::id::{RowKey, Slot};

use super::{PageRule, Rules, SubPageRow, inserted, plain, template, value};
use crate::content::document::{Mark, Node};
use crate::content::marker::Marker;
use crate::content::page::{Body, DesiredIcon, DesiredPage, PeoplesWill, hash};
use crate::content::row::{Cell, Row};
use crate::failure::Failure;
use crate::section::Section;

/// Docmost takes requests up to 1 MiB; title and names need some of it.
const MOST_BODY_BYTES: usize = 900 * 1024;

/// Everything that a plan is made from.
#[derive(Debug)]
pub struct Subject<'a> {
    pub key: RowKey,
    /// The word of this bridge in the marks of its pages.
    pub bridge: &'a str,
    pub row: &'a Row,
    /// The linked rows by their template names; `None` where nothing is linked.
    pub links: &'a BTreeMap<String, Option<Row>>,
    /// The row's address for people.
    pub address: &'a str,
}

/// What should exist for one row.
#[derive(Debug)]
pub struct Plan<'a> {
    pub page: DesiredPage,
    /// The pages below it, in order, each with the linked row that it is about.
    pub sub_pages: Vec<(&'a SubPageRow, DesiredPage)>,
}

/// A page before its templates are rendered.
pub(super) struct Draft<'a> {
    pub(super) slot: Slot,
    pub(super) marker: Marker,
    /// The name of the title's template.
    pub(super) title: String,
    /// The name of the template of the title of the page above it.
    pub(super) parent: Option<String>,
    /// The name of the body's template.
    pub(super) body: &'a str,
    pub(super) body_updates: BodyUpdates,
    pub(super) section: &'a SectionOptions,
    pub(super) icons: Option<&'a Icons>,
    /// The row that the page is about.
    pub(super) row: &'a Row,
    pub(super) address: &'a str,
    pub(super) position: Option<String>,
    pub(super) people: PeoplesWill,
}

impl Rules {
    /// Whether some page has a section that follows its row.
    pub fn keep_sections(&self) -> bool {
        self.pages.iter().any(|rule| {
            let of_sub_pages = rule.collection.as_ref().map(|collection| collection.body_updates);
            rule.page.body_updates == BodyUpdates::Section || of_sub_pages == Some(BodyUpdates::Section)
        })
    }

    /// The page that this rule wants for this row.
    pub fn plan(&self, rule: &PageRule, subject: &Subject<'_>) -> Result<DesiredPage, Failure> {
        let slot = Slot::page();
        let draft = Draft {
            marker: Marker::of(subject.bridge, subject.key, &slot),
            slot,
            title: template::title_of(&rule.name),
            parent: rule.page.parent.as_ref().map(|_| template::parent_of(&rule.name)),
            body: &rule.page.body,
            body_updates: rule.page.body_updates,
            section: &rule.page.section,
            icons: rule.page.icon.as_ref(),
            row: subject.row,
            address: subject.address,
            position: None,
            people: peoples_will(&rule.page),
        };
        self.page(&rule.page.space, draft, &self.variables(subject))
    }

    fn variables(&self, subject: &Subject<'_>) -> Value {
        let own = [("row".to_owned(), value::row_value(subject.row))];
        Value::from_pairs(self.linked_values(subject).chain(own))
    }

    /// The rows of the rule's links, by their template names.
    pub(super) fn linked_values(&self, subject: &Subject<'_>) -> impl Iterator<Item = (String, Value)> {
        let links = subject.links.iter();
        links.map(|(name, row)| {
            (
                name.clone(),
                template::linked_value(row.as_ref(), |field| self.writes_url_to(field)),
            )
        })
    }

    /// Whether a rule writes the address of a page into a field of this name.
    fn writes_url_to(&self, field: &str) -> bool {
        let pages = self.pages.iter().map(|rule| &rule.page.write_back);
        let below = self.pages.iter().filter_map(|rule| rule.collection.as_ref());
        let mut fields = pages.chain(below.map(|collection| &collection.write_back));
        fields.any(|fields| fields.url.as_deref() == Some(field))
    }

    pub(super) fn page(&self, space: &str, draft: Draft<'_>, variables: &Value) -> Result<DesiredPage, Failure> {
        let title = plain::title(&self.render(&draft.title, variables)?);
        let written = self.document(draft.body, variables)?;
        let body = match draft.body_updates {
            BodyUpdates::Section => section_of(&draft, written)?,
            updates => signed_body(updates, &written, &draft.marker, draft.address),
        };
        let length = body.document().to_string().len();
        if length > MOST_BODY_BYTES {
            return Err(Failure::unmappable(format!(
                "the page would have {length} bytes, Docmost takes at most {MOST_BODY_BYTES}: shorten the row's texts or the template {}",
                draft.body
            )));
        }
        let icon = draft
            .icons
            .map_or(DesiredIcon::Anything, |icons| icon_of(icons, draft.row));
        let icon_text = icon_text(&icon);
        let followed = followed_text(&body);
        let group = match &draft.parent {
            Some(name) => Some(plain::title(&self.render(name, variables)?)).filter(|title| !title.is_empty()),
            None => None,
        };
        let mut hashed = vec![space, draft.slot.as_str(), &title, &icon_text, &followed];
        hashed.extend(draft.position.as_deref());
        let below = group.as_ref().map(|group| format!("below {group}"));
        hashed.extend(below.as_deref());
        let hash = hash(&hashed);
        Ok(DesiredPage {
            slot: draft.slot,
            marker: draft.marker,
            space: space.to_owned(),
            title,
            icon,
            body,
            people: draft.people,
            position: draft.position,
            group,
            parent: None,
            hash,
        })
    }

    pub(super) fn render(&self, name: &str, variables: &Value) -> Result<String, Failure> {
        let rendered = self
            .templates
            .get_template(name)
            .and_then(|template| template.render(variables));
        rendered.map_err(|error| failed(name, &error))
    }

    /// The nodes that a template of a body makes.
    pub(super) fn document(&self, name: &str, variables: &Value) -> Result<Vec<Node>, Failure> {
        let rendered = self
            .templates
            .get_template(name)
            .and_then(|template| inserted::document(&template, variables));
        rendered.map_err(|error| failed(name, &error))
    }
}

/// What a rule lets people do to its pages, sub-pages included.
pub(super) fn peoples_will(page: &PageAction) -> PeoplesWill {
    PeoplesWill {
        trashed: page.page_trashed,
        moved: page.page_moved,
    }
}

fn failed(name: &str, error: &minijinja::Error) -> Failure {
    let line = error.line().map_or_else(String::new, |line| format!(", line {line}"));
    Failure::unmappable(format!("template {name:?}{line}: {error}"))
}

/// The body with its last line, by which the page is found again after a lost answer.
fn signed_body(updates: BodyUpdates, written: &[Node], marker: &Marker, address: &str) -> Body {
    let signed = |proof: Option<&str>| {
        let mut line = marker.line(Node::run("Baserow: ", Vec::new()), address);
        line.content
            .extend(proof.map(|proof| Node::run(format!(" {proof}"), Vec::new())));
        let mut nodes = written.to_vec();
        nodes.push(line);
        nodes
    };
    match updates {
        BodyUpdates::Never | BodyUpdates::Section => Body::Once { nodes: signed(None) },
        BodyUpdates::Replace => {
            let proof = format!("rev{}", hash(&[&text_of(&signed(None))]).get(..10).unwrap_or_default());
            Body::Follows {
                nodes: signed(Some(&proof)),
                proof,
            }
        }
    }
}

/// The section, with the line that says whose it is and by which the page is found again.
fn section_of(draft: &Draft<'_>, written: Vec<Node>) -> Result<Body, Failure> {
    let note = Node::run(format!("{} Baserow: ", draft.section.note), vec![Mark::new("italic")]);
    let section = Section::new(draft.marker.line(note, draft.address), written);
    Ok(Body::Section {
        section: section.map_err(|unfit| Failure::unmappable(format!("{}: {unfit}", draft.body)))?,
        recreate: draft.section.recreate,
    })
}

fn text_of(nodes: &[Node]) -> String {
    serde_json::to_string(nodes).unwrap_or_default()
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

fn followed_text(body: &Body) -> String {
    match body {
        Body::Once { .. } => String::new(),
        Body::Follows { nodes, .. } => text_of(nodes),
        Body::Section { section, .. } => section.fingerprint(),
    }
}
