//! How the nodes of a page are in Yjs: a node is an element with typed attributes, consecutive runs
//! of text are one text, and marks are its formatting.

use serde_json::{Map, Value, json};
use yrs::types::Attrs;
use yrs::types::text::YChange;
use yrs::{
    Any, Doc, Out, ReadTxn, Text as _, TransactionMut, Xml as _, XmlElementPrelim, XmlElementRef, XmlFragment,
    XmlFragmentRef, XmlOut, XmlTextPrelim, XmlTextRef,
};

/// The root of a page.
pub(in super::super) fn root(doc: &Doc) -> XmlFragmentRef {
    doc.get_or_insert_xml_fragment("default")
}

/// Puts nodes into an element or the root, from a place on.
pub(in super::super) fn insert(txn: &mut TransactionMut<'_>, parent: &impl XmlFragment, at: u32, nodes: &[Value]) {
    let is_text = |node: &Value| node["type"] == "text";
    let groups = nodes.chunk_by(|a, b| is_text(a) && is_text(b));
    for (at, group) in (at..).zip(groups) {
        match group {
            [node] if !is_text(node) => element(txn, parent, at, node),
            runs => text(txn, parent, at, runs),
        }
    }
}

fn element(txn: &mut TransactionMut<'_>, parent: &impl XmlFragment, at: u32, node: &Value) {
    let kind = node["type"].as_str().unwrap_or_default();
    let element: XmlElementRef = parent.insert(txn, at, XmlElementPrelim::empty(kind));
    for (name, value) in node["attrs"].as_object().into_iter().flatten() {
        if !value.is_null() {
            element.insert_attribute(txn, name.as_str(), any(value));
        }
    }
    let children = node["content"].as_array().map(Vec::as_slice).unwrap_or_default();
    insert(txn, &element, 0, children);
}

fn text(txn: &mut TransactionMut<'_>, parent: &impl XmlFragment, at: u32, runs: &[Value]) {
    let text: XmlTextRef = parent.insert(txn, at, XmlTextPrelim::new(""));
    for run in runs {
        let end = text.len(txn);
        text.insert_with_attributes(txn, end, run["text"].as_str().unwrap_or_default(), formatting(run));
    }
}

fn formatting(run: &Value) -> Attrs {
    let marks = run["marks"].as_array().into_iter().flatten();
    marks
        .filter_map(|mark| {
            let attrs = mark.get("attrs").filter(|attrs| attrs.is_object());
            let attrs = attrs.map_or_else(|| any(&json!({})), any);
            Some((mark["type"].as_str()?.into(), attrs))
        })
        .collect()
}

/// A JSON value as Yjs keeps it.
pub(in super::super) fn any(value: &Value) -> Any {
    serde_json::from_value(value.clone()).unwrap_or(Any::Null)
}

/// The document as JSON.
pub(in super::super) fn json<T: ReadTxn>(txn: &T, root: &XmlFragmentRef) -> Value {
    json!({"type": "doc", "content": children(txn, root)})
}

fn children<T: ReadTxn>(txn: &T, parent: &impl XmlFragment) -> Vec<Value> {
    let mut nodes = Vec::new();
    for child in parent.children(txn) {
        match child {
            XmlOut::Element(element) => nodes.push(node(txn, &element)),
            XmlOut::Text(text) => nodes.extend(runs(txn, &text)),
            XmlOut::Fragment(_) => {}
        }
    }
    nodes
}

/// One element with all that is in it.
pub(in super::super) fn node<T: ReadTxn>(txn: &T, element: &XmlElementRef) -> Value {
    let mut node = json!({"type": element.try_tag().map(AsRef::<str>::as_ref).unwrap_or_default()});
    let attributes = element.attributes(txn).filter_map(|(name, value)| match value {
        Out::Any(any) if !matches!(any, Any::Null | Any::Undefined) => Some((name.to_owned(), value_of(&any))),
        _ => None,
    });
    let attributes: Map<String, Value> = attributes.collect();
    if !attributes.is_empty() {
        node["attrs"] = Value::Object(attributes);
    }
    let children = children(txn, element);
    if !children.is_empty() {
        node["content"] = Value::Array(children);
    }
    node
}

fn runs<T: ReadTxn>(txn: &T, text: &XmlTextRef) -> Vec<Value> {
    let diffs = text.diff(txn, YChange::identity).into_iter();
    diffs
        .filter_map(|diff| {
            let Out::Any(Any::String(text)) = diff.insert else {
                return None;
            };
            let mut run = json!({"type": "text", "text": text.as_ref()});
            let mut marks: Vec<(String, Value)> = diff
                .attributes
                .into_iter()
                .flat_map(|attrs| *attrs)
                .filter(|(_, value)| !matches!(value, Any::Null | Any::Undefined))
                .map(|(name, value)| (name.split("--").next().unwrap_or_default().to_owned(), value_of(&value)))
                .collect();
            marks.sort_by(|a, b| a.0.cmp(&b.0));
            if !marks.is_empty() {
                let marks = marks.into_iter();
                run["marks"] = marks
                    .map(|(name, attrs)| json!({"type": name, "attrs": attrs}))
                    .collect();
            }
            Some(run)
        })
        .collect()
}

fn value_of(any: &Any) -> Value {
    serde_json::to_value(any).unwrap_or_default()
}
