//! The nodes of a collaborative document.

use serde_json::Value;
use yrs::types::Attrs;
use yrs::types::text::YChange;
use yrs::{Any, Out, ReadTxn, Text as _, Xml as _, XmlElementRef, XmlFragment, XmlOut, XmlTextRef};

use super::Damaged;
use crate::content::document::{Mark, Node};

/// The deepest nesting that is read. A page cannot be read as JSON either from a depth like this.
const MOST_DEPTH: usize = 100;

/// A thing in a text that is no text.
pub(super) const EMBEDDED: &str = "embedded";

/// A child of an element or of the root.
#[derive(Debug, Clone)]
pub(super) enum Child {
    Element(XmlElementRef),
    Text(XmlTextRef),
}

/// A run of a text with its attributes as they are stored.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) text: String,
    pub(super) attrs: Attrs,
}

/// The children, in order. Their places are their indices.
pub(super) fn children<T: ReadTxn>(txn: &T, parent: &impl XmlFragment) -> Result<Vec<Child>, Damaged> {
    let children: Vec<Child> = parent
        .children(txn)
        .map(|child| match child {
            XmlOut::Element(element) => Ok(Child::Element(element)),
            XmlOut::Text(text) => Ok(Child::Text(text)),
            XmlOut::Fragment(_) => Err(Damaged("a fragment is inside another one".to_owned())),
        })
        .collect::<Result<_, _>>()?;
    if u32::try_from(children.len()) != Ok(parent.len(txn)) {
        return Err(Damaged("it has children that are neither nodes nor texts".to_owned()));
    }
    Ok(children)
}

/// The nodes in an element or in the root.
pub(super) fn content<T: ReadTxn>(txn: &T, parent: &impl XmlFragment) -> Result<Vec<Node>, Damaged> {
    content_at(txn, parent, 0)
}

fn content_at<T: ReadTxn>(txn: &T, parent: &impl XmlFragment, depth: usize) -> Result<Vec<Node>, Damaged> {
    let mut nodes = Vec::new();
    for child in children(txn, parent)? {
        match child {
            Child::Element(element) => nodes.push(node(txn, &element, depth + 1)?),
            Child::Text(text) => nodes.extend(runs(txn, &text)),
        }
    }
    Ok(nodes)
}

/// An element with all that is in it.
pub(super) fn element<T: ReadTxn>(txn: &T, element: &XmlElementRef) -> Result<Node, Damaged> {
    node(txn, element, 0)
}

fn node<T: ReadTxn>(txn: &T, element: &XmlElementRef, depth: usize) -> Result<Node, Damaged> {
    if depth > MOST_DEPTH {
        return Err(Damaged(format!("it is nested deeper than {MOST_DEPTH} nodes")));
    }
    let mut node = Node::new(tag(element)?);
    for (name, value) in element.attributes(txn) {
        if let Out::Any(any) = value
            && let Some(value) = json(&any).filter(|value| !value.is_null())
        {
            node.attrs.insert(name.to_owned(), value);
        }
    }
    node.content = content_at(txn, element, depth)?;
    Ok(node)
}

/// The type of an element's node.
pub(super) fn tag(element: &XmlElementRef) -> Result<&str, Damaged> {
    let tag = element.try_tag().map(AsRef::as_ref);
    tag.ok_or_else(|| Damaged("an element has no name".to_owned()))
}

/// One attribute of an element; `None` where it is absent or null.
pub(super) fn attribute<T: ReadTxn>(txn: &T, element: &XmlElementRef, name: &str) -> Option<Value> {
    match element.get_attribute(txn, name)? {
        Out::Any(any) => json(&any).filter(|value| !value.is_null()),
        _ => None,
    }
}

/// The runs of a text as nodes.
pub(super) fn runs<T: ReadTxn>(txn: &T, text: &XmlTextRef) -> Vec<Node> {
    let diffs = text.diff(txn, YChange::identity).into_iter();
    diffs
        .map(|diff| match diff.insert {
            Out::Any(Any::String(text)) => {
                let marks = diff.attributes.as_deref().map(marks).unwrap_or_default();
                Node::run(text.as_ref(), marks)
            }
            _ => Node::new(EMBEDDED),
        })
        .collect()
}

/// The runs of a text as they are stored; `None` if something in it is no text.
pub(super) fn stored_runs<T: ReadTxn>(txn: &T, text: &XmlTextRef) -> Option<Vec<Run>> {
    let diffs = text.diff(txn, YChange::identity).into_iter();
    diffs
        .map(|diff| match diff.insert {
            Out::Any(Any::String(text)) => Some(Run {
                text: text.as_ref().to_owned(),
                attrs: diff.attributes.map(|attrs| *attrs).unwrap_or_default(),
            }),
            _ => None,
        })
        .collect()
}

/// The marks that formatting attributes stand for, in the order of their names. A mark that does
/// not exclude itself may be stored as `name--hash`, and a bare one as `true`.
pub(super) fn marks(attrs: &Attrs) -> Vec<Mark> {
    let mut marks: Vec<Mark> = attrs
        .iter()
        .filter(|(_, value)| !matches!(value, Any::Null | Any::Undefined))
        .map(|(name, value)| Mark {
            kind: kind_of(name).to_owned(),
            attrs: match json(value) {
                Some(Value::Object(attrs)) => attrs,
                _ => serde_json::Map::new(),
            },
        })
        .collect();
    marks.sort_by(|a, b| a.kind.cmp(&b.kind));
    marks
}

/// The type of the mark that a formatting attribute stands for.
pub(super) fn kind_of(name: &str) -> &str {
    name.split("--").next().unwrap_or(name)
}

fn json(any: &Any) -> Option<Value> {
    serde_json::to_value(any).ok()
}
