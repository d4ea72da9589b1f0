//! Makes a block equal to what is wanted, node by node: what stays the same is not touched, so that
//! comments and the widths of columns survive.

use yrs::{TransactionMut, Xml as _, XmlElementRef, XmlFragment as _};

use super::align::{Key, Step, align};
use super::canonical::{OWNED, canonical, owned};
use super::find::Place;
use super::insert::{self, Ids, Piece, pieces};
use super::read::{self, Child};
use super::{Damaged, Form, Section, runs};
use crate::content::document::Node;

/// The section at its place.
pub(super) fn place(
    txn: &mut TransactionMut<'_>,
    place: &Place,
    section: &Section,
    id: &str,
    ids: &mut Ids,
) -> Result<(), Damaged> {
    match place.form {
        Form::SyncedBlock => content(txn, &place.element, std::slice::from_ref(&section.boxed), ids),
        Form::Box => element(txn, &place.element, &section.box_of(id), ids),
    }
}

fn element(txn: &mut TransactionMut<'_>, element: &XmlElementRef, wanted: &Node, ids: &mut Ids) -> Result<(), Damaged> {
    attributes(txn, element, wanted);
    content(txn, element, &wanted.content, ids)
}

/// Only the attributes that are ours; an id stays what it is.
fn attributes(txn: &mut TransactionMut<'_>, element: &XmlElementRef, wanted: &Node) {
    for name in OWNED {
        let stored = read::attribute(txn, element, name);
        let current = stored.map(|value| [(name.to_owned(), value)].into_iter().collect());
        let current = current.as_ref().and_then(|attrs| owned(attrs, name));
        match (owned(&wanted.attrs, name), current) {
            (Some(wanted), current) if current != Some(wanted) => {
                element.insert_attribute(txn, name, insert::any(wanted.clone()));
            }
            (None, Some(_)) => element.remove_attribute(txn, &name),
            _ => {}
        }
    }
}

/// What is in an element.
fn content(
    txn: &mut TransactionMut<'_>,
    parent: &XmlElementRef,
    wanted: &[Node],
    ids: &mut Ids,
) -> Result<(), Damaged> {
    let current = read::children(txn, parent)?;
    let wanted = pieces(wanted);
    let current_keys = current
        .iter()
        .map(|child| key_of_child(txn, child))
        .collect::<Result<Vec<_>, _>>()?;
    let wanted_keys: Vec<Key> = wanted.iter().map(|piece| key_of_piece(*piece)).collect();
    let mut at = 0;
    for step in align(&current_keys, &wanted_keys) {
        match step {
            Step::Same => at += 1,
            Step::Keep {
                current: old,
                wanted: new,
            } => {
                match (current.get(old), wanted.get(new)) {
                    (Some(Child::Element(child)), Some(Piece::Element(node))) => element(txn, child, node, ids)?,
                    (Some(Child::Text(text)), Some(Piece::Text(nodes))) => runs::patch(txn, text, nodes),
                    _ => {}
                }
                at += 1;
            }
            Step::Remove => parent.remove(txn, at),
            Step::Insert(new) => {
                if let Some(piece) = wanted.get(new) {
                    insert::piece(txn, parent, at, *piece, ids);
                    at += 1;
                }
            }
        }
    }
    Ok(())
}

fn key_of_child(txn: &TransactionMut<'_>, child: &Child) -> Result<Key, Damaged> {
    Ok(match child {
        Child::Element(child) => key_of_node(&read::element(txn, child)?),
        Child::Text(text) => Key::of_text(canonical(&read::runs(txn, text))),
    })
}

fn key_of_piece(piece: Piece<'_>) -> Key {
    match piece {
        Piece::Element(node) => key_of_node(node),
        Piece::Text(runs) => Key::of_text(canonical(runs)),
    }
}

fn key_of_node(node: &Node) -> Key {
    Key {
        kind: node.kind.clone(),
        label: node.content.first().map(|first| canonical(std::slice::from_ref(first))),
        whole: canonical(std::slice::from_ref(node)),
    }
}
