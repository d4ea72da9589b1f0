//! The marks by which the bridge knows its pages again: two labels, and a word in the text.
//!
//! Anybody who may edit a page can write them, and two bridges may work on one wiki. So a mark is a
//! hint: whose page it is, `sync::apply::find` decides.

use passerelle_model::id::{RowKey, Slot};

use super::document::Node;
use super::markdown;

/// The marks of the page of one row and slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker {
    /// Which row and slot. Exact, survives edits, not copied by "duplicate"; but set by a second
    /// call, so it may be missing after a crash.
    pub label: String,
    /// Which bridge; set by the same call.
    pub bridge: String,
    /// One alphanumeric word for row, slot and bridge, there from the moment of creation. It ends
    /// in `x` because Docmost's search matches prefixes.
    pub token: String,
    /// The word that an earlier version wrote in its place: it does not name the bridge.
    pub older_token: String,
}

impl Marker {
    /// What every label of a row begins with.
    pub const LABEL_PREFIX: &'static str = "baserow-t";
    /// What the label of a bridge begins with.
    pub const BRIDGE_PREFIX: &'static str = "baserow-bridge-";

    /// The labels of its page.
    pub fn labels(&self) -> [&str; 2] {
        [&self.label, &self.bridge]
    }

    /// The line of a page that holds the token, as a link to where the page comes from; `words`
    /// stand before it.
    pub fn line(&self, words: Node, address: &str) -> Node {
        let token = Node::run(self.token.as_str(), vec![markdown::link_to(address)]);
        markdown::paragraph().holding(vec![words, token])
    }

    /// The marks of a group page: which one, a digest of its space and title tells.
    pub fn of_group(bridge: &str, digest: &str) -> Self {
        let token = format!("brw{bridge}g{digest}x");
        Self {
            label: format!("baserow-group-{bridge}-{digest}"),
            bridge: format!("{}{bridge}", Self::BRIDGE_PREFIX),
            older_token: token.clone(),
            token,
        }
    }

    /// The marks of this row's page by the bridge with this word.
    pub fn of(bridge: &str, row: RowKey, slot: &Slot) -> Self {
        let (table, id) = (row.table, row.row);
        let (of_slot, in_token) = if *slot == Slot::page() {
            (String::new(), String::new())
        } else {
            (format!("-{slot}"), format!("s{}", slot.as_str().replace('-', "")))
        };
        Self {
            label: format!("{}{table}-r{id}{of_slot}", Self::LABEL_PREFIX),
            bridge: format!("{}{bridge}", Self::BRIDGE_PREFIX),
            token: format!("brw{bridge}t{table}r{id}{in_token}x"),
            older_token: format!("brwt{table}r{id}{in_token}x"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(table: u64, row: u64) -> RowKey {
        format!("t{table}/r{row}").parse().unwrap()
    }

    #[test]
    fn the_marks_are_what_people_will_look_for() {
        let page = Marker::of("k3x9", key(12, 345), &Slot::page());
        assert_eq!(
            [page.label, page.bridge, page.token, page.older_token],
            [
                "baserow-t12-r345",
                "baserow-bridge-k3x9",
                "brwk3x9t12r345x",
                "brwt12r345x"
            ]
        );
        let bloc = Marker::of("k3x9", key(12, 345), &Slot::parse("bloc-17").unwrap());
        assert_eq!(
            [bloc.label, bloc.token, bloc.older_token],
            [
                "baserow-t12-r345-bloc-17",
                "brwk3x9t12r345sbloc17x",
                "brwt12r345sbloc17x"
            ]
        );
    }

    proptest! {
        #[test]
        fn no_token_is_the_beginning_of_another(a in (1_u64..5000, 1_u64..5000), b in (1_u64..5000, 1_u64..5000)) {
            prop_assume!(a != b);
            let token = |(table, row)| Marker::of("k3x9", key(table, row), &Slot::page()).token;
            prop_assert!(!token(a).starts_with(&token(b)));
        }
    }
}
