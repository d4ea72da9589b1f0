//! The managed section of a page: what follows the row, while all around it belongs to people.
//!
//! **Needs.** The section shows its row. No text that people type elsewhere in the page is ever
//! lost, even what they type at this moment or have typed offline. What people do to the section is
//! respected.
//!
//! **How.** A page is a collaborative document (Yjs). A replacement of the page would delete every
//! node of it, with all that people have typed meanwhile. So [`bring`] takes the state of the
//! document and what the section should be, and gives one small update that changes only nodes of
//! the section, in one transaction. The wiki merges it with whatever people do at the same time.
//!
//! | what people do | what happens |
//! |---|---|
//! | type elsewhere | kept |
//! | type in the section | replaced by the next content that differs; said once |
//! | comment on a word in it, set the width of a column | kept: nodes are patched, not replaced |
//! | drag it elsewhere | followed, it keeps its id; never moved back |
//! | copy and paste it | the copy has an id of its own: it is theirs |
//! | cut and paste it | adopted, if exactly one block equals what was last written; else deleted |
//! | delete it, or unsync it | respected and said once; put back at the top only if the rule says so |
//! | undo a deletion after we put it back | two of one id: the first is filled, the others go |
//!
//! **Marks.** The wiki's *synced block* carries an id that survives people; what the wiki does not
//! know of is dropped by the next editor. An older wiki without synced blocks gets a callout, known
//! by the id of its first paragraph.
//!
//! Pure: no clock, no network, no chance. A state that cannot be read is [`Damaged`]; the library
//! may panic on one, so run it where a panic can be caught.

mod align;
mod canonical;
mod find;
mod fit;
mod insert;
mod patch;
mod read;
mod runs;
mod stored;

use yrs::updates::decoder::Decode as _;
use yrs::{ClientID, Doc, OffsetKind, Options, Transact as _, Update};

pub use canonical::fingerprint;
use fit::dressed;
pub use fit::{MOST_BYTES, Unfit};
pub use stored::{after_a_visit, in_page};

use crate::content::document::Node;

/// The id of the section until people cut and paste it, which gives it another one.
pub const ID: &str = "baserow";
/// The wiki's name for the root of a page's document.
const ROOT: &str = "default";
/// The node whose id survives people.
const SYNCED_BLOCK: &str = "transclusionSource";
/// The coloured box in it, which says at sight that it is not for typing.
const BOX: &str = "callout";

/// The section as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// The box, with everything in it.
    boxed: Node,
}

/// How the section is built into a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A synced block with the box in it.
    SyncedBlock,
    /// The box alone, for a wiki without synced blocks.
    Box,
}

/// What is known of the section of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Its id.
    pub id: String,
    /// The fingerprint of what was last seen there; `None`: the page never had a section.
    pub written: Option<String>,
    /// Whether to put it back when people have taken it away.
    pub recreate: bool,
    /// How to build a new one.
    pub form: Form,
}

/// What was found in a page, and what there is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patch {
    /// The update to send; `None`: there is nothing to change.
    pub update: Option<Vec<u8>>,
    pub found: Found,
    /// Further sections of the same id, which the update removes.
    pub doubles: usize,
}

/// What was found in a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// It was not there, and the update makes it.
    Missing,
    /// It was there. `edited`: people had changed something in it.
    There { edited: bool },
    /// It was there below another id, after people had cut and pasted it.
    Pasted { id: String },
    /// People have taken it away, and it stays away.
    TakenAway,
}

/// The state of a page's document that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the page's document cannot be read: {0}")]
pub struct Damaged(pub(crate) String);

impl Section {
    /// The section as a block of a page that does not exist yet.
    pub fn as_block(&self, form: Form) -> Node {
        match form {
            Form::SyncedBlock => Node::new(SYNCED_BLOCK).with("id", ID).holding(vec![self.boxed.clone()]),
            Form::Box => self.box_of(ID),
        }
    }

    /// The content of a page that does not exist yet: the section, and a paragraph to write in.
    /// Dressed, so that nothing is written when somebody opens it.
    pub fn as_page(&self, form: Form) -> serde_json::Value {
        let mut ids = insert::Ids::of(0);
        let blocks = [self.as_block(form), Node::new("paragraph")];
        let blocks: Vec<Node> = blocks.iter().map(|block| dressed(block, &mut || ids.next())).collect();
        serde_json::json!({"type": "doc", "content": blocks})
    }

    /// The box, with everything in it.
    pub const fn nodes(&self) -> &[Node] {
        std::slice::from_ref(&self.boxed)
    }

    /// The fingerprint of its content, whatever its form.
    pub fn fingerprint(&self) -> String {
        fingerprint(self.nodes())
    }

    /// The box alone, known by the id of its first paragraph.
    fn box_of(&self, id: &str) -> Node {
        let mut boxed = self.boxed.clone();
        if let Some(first) = boxed.content.first_mut() {
            first.attrs.insert("id".to_owned(), id.into());
        }
        boxed
    }
}

/// What there is to do so that a document in this state has the section as it should be. `client`
/// is drawn anew for each visit: the wiki may have lost what an earlier one sent.
pub fn bring(state: &[u8], section: &Section, known: &Known, client: u32) -> Result<Patch, Damaged> {
    let doc = document(state, client)?;
    let root = doc.get_or_insert_xml_fragment(ROOT);
    let mut ids = insert::Ids::of(client);
    let mut txn = doc.transact_mut();
    let mut places = find::by_id(&txn, &root, &known.id)?;
    let mut pasted = None;
    if places.is_empty()
        && let Some((place, id)) = find::pasted(&txn, &root, known.written.as_deref())?
    {
        places.push(place);
        pasted = Some(id);
    }
    let Some((place, doubles)) = places.split_first() else {
        return Ok(if known.written.is_some() && !known.recreate {
            Patch::nothing(Found::TakenAway)
        } else {
            insert::section(&mut txn, &root, section, known, &mut ids);
            Patch::of(&mut txn, Found::Missing, 0)
        });
    };
    let before = place.fingerprint(&txn)?;
    let is_same = before == section.fingerprint();
    let found = pasted.map_or_else(
        || Found::There {
            edited: !is_same && known.written.as_ref().is_some_and(|written| *written != before),
        },
        |id| Found::Pasted { id },
    );
    if is_same && doubles.is_empty() {
        return Ok(Patch::nothing(found));
    }
    if !is_same {
        patch::place(&mut txn, place, section, &known.id, &mut ids)?;
    }
    // Backwards, so that the places of the others stay right.
    for double in doubles.iter().rev() {
        double.remove(&mut txn, &mut ids);
    }
    Ok(Patch::of(&mut txn, found, doubles.len()))
}

/// The blocks of a document in this state.
pub fn blocks_of(state: &[u8]) -> Result<Vec<Node>, Damaged> {
    let doc = document(state, 1)?;
    let root = doc.get_or_insert_xml_fragment(ROOT);
    let txn = doc.transact();
    read::content(&txn, &root)
}

fn document(state: &[u8], client: u32) -> Result<Doc, Damaged> {
    let doc = Doc::with_options(Options {
        offset_kind: OffsetKind::Utf16,
        ..Options::with_client_id(ClientID::new(u64::from(client)))
    });
    let update = Update::decode_v1(state).map_err(|error| Damaged(error.to_string()))?;
    doc.transact_mut()
        .apply_update(update)
        .map_err(|error| Damaged(error.to_string()))?;
    Ok(doc)
}

impl Patch {
    const fn nothing(found: Found) -> Self {
        Self {
            update: None,
            found,
            doubles: 0,
        }
    }

    fn of(txn: &mut yrs::TransactionMut<'_>, found: Found, doubles: usize) -> Self {
        txn.commit();
        Self {
            update: Some(txn.encode_update_v1()),
            found,
            doubles,
        }
    }
}

#[cfg(test)]
mod tests;
