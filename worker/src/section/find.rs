//! Where the section is in a page.

use yrs::{ReadTxn, TransactionMut, XmlElementRef, XmlFragment as _, XmlFragmentRef};

use super::insert::{self, Ids};
use super::read::{self, Child};
use super::{BOX, Damaged, Form, SYNCED_BLOCK, canonical};
use crate::content::document::Node;

/// What an element stands in.
#[derive(Debug, Clone)]
pub(super) enum Holder {
    Root(XmlFragmentRef),
    Element(XmlElementRef),
}

/// Where a section is.
#[derive(Debug, Clone)]
pub(super) struct Place {
    holder: Holder,
    at: u32,
    pub(super) element: XmlElementRef,
    pub(super) form: Form,
}

/// The deepest nesting in which a section is looked for.
const MOST_DEPTH: usize = 20;

/// The sections with this id, in the order of the page.
pub(super) fn by_id<T: ReadTxn>(txn: &T, root: &XmlFragmentRef, id: &str) -> Result<Vec<Place>, Damaged> {
    let mut found = Vec::new();
    walk(txn, &Holder::Root(root.clone()), 0, &mut |place| {
        let has_id = id_of(txn, &place)?.as_deref() == Some(id);
        if has_id {
            found.push(place);
        }
        Ok(!has_id)
    })?;
    Ok(found)
}

/// The one synced block that says what was last written, and its id: people have cut and pasted it.
pub(super) fn pasted<T: ReadTxn>(
    txn: &T,
    root: &XmlFragmentRef,
    written: Option<&str>,
) -> Result<Option<(Place, String)>, Damaged> {
    let Some(written) = written else {
        return Ok(None);
    };
    let mut found = Vec::new();
    walk(txn, &Holder::Root(root.clone()), 0, &mut |place| {
        if place.form == Form::SyncedBlock
            && let Some(id) = id_of(txn, &place)?
            && place.fingerprint(txn)? == written
        {
            found.push((place, id));
        }
        Ok(true)
    })?;
    Ok(if found.len() == 1 { found.pop() } else { None })
}

/// Visits every block that may be a section; the visitor says whether to look inside too.
fn walk<T: ReadTxn>(
    txn: &T,
    holder: &Holder,
    depth: usize,
    visit: &mut impl FnMut(Place) -> Result<bool, Damaged>,
) -> Result<(), Damaged> {
    for (at, child) in (0..).zip(holder.children(txn)?) {
        let Child::Element(element) = child else {
            continue;
        };
        let form = match read::tag(&element)? {
            SYNCED_BLOCK => Some(Form::SyncedBlock),
            BOX => Some(Form::Box),
            _ => None,
        };
        let goes_on = match form {
            Some(form) => visit(Place {
                holder: holder.clone(),
                at,
                element: element.clone(),
                form,
            })?,
            None => true,
        };
        if goes_on && depth < MOST_DEPTH {
            walk(txn, &Holder::Element(element), depth + 1, visit)?;
        }
    }
    Ok(())
}

/// The id of a block: its own, or that of the first heading or paragraph in a box.
fn id_of<T: ReadTxn>(txn: &T, place: &Place) -> Result<Option<String>, Damaged> {
    let element = match place.form {
        Form::SyncedBlock => place.element.clone(),
        Form::Box => match read::children(txn, &place.element)?.into_iter().next() {
            Some(Child::Element(first)) if matches!(read::tag(&first)?, "heading" | "paragraph") => first,
            _ => return Ok(None),
        },
    };
    let id = read::attribute(txn, &element, "id");
    Ok(id.and_then(|id| id.as_str().filter(|id| !id.is_empty()).map(str::to_owned)))
}

impl Holder {
    fn children<T: ReadTxn>(&self, txn: &T) -> Result<Vec<Child>, Damaged> {
        match self {
            Self::Root(root) => read::children(txn, root),
            Self::Element(element) => read::children(txn, element),
        }
    }
}

impl Place {
    /// What it says.
    pub(super) fn fingerprint<T: ReadTxn>(&self, txn: &T) -> Result<String, Damaged> {
        Ok(match self.form {
            Form::SyncedBlock => canonical::fingerprint(&read::content(txn, &self.element)?),
            Form::Box => canonical::fingerprint(&[read::element(txn, &self.element)?]),
        })
    }

    /// Removes it. What held it must not be empty afterwards: an editor would delete that too.
    pub(super) fn remove(&self, txn: &mut TransactionMut<'_>, ids: &mut Ids) {
        match &self.holder {
            Holder::Root(root) => root.remove(txn, self.at),
            Holder::Element(holder) => {
                holder.remove(txn, self.at);
                if holder.len(txn) == 0 {
                    insert::element(txn, holder, 0, &Node::new("paragraph"), ids);
                }
            }
        }
    }
}
