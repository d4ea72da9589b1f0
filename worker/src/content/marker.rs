//! The two marks by which the bridge knows its pages again: a label, and a word in the text.

use passerelle_model::id::{RowKey, Slot};

/// The marks of the page of one row and slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker {
    /// Exact, survives edits, not copied by "duplicate"; but set by a second call, so it may be
    /// missing after a crash.
    pub label: String,
    /// One alphanumeric word, there from the moment of creation. It ends in `x` because Docmost's
    /// search matches prefixes.
    pub token: String,
}

impl Marker {
    /// What every label of the bridge begins with.
    pub const LABEL_PREFIX: &'static str = "baserow-t";

    /// The marks of this row's page.
    pub fn of(row: RowKey, slot: &Slot) -> Self {
        let (table, id) = (row.table, row.row);
        if *slot == Slot::page() {
            return Self {
                label: format!("baserow-t{table}-r{id}"),
                token: format!("brwt{table}r{id}x"),
            };
        }
        Self {
            label: format!("baserow-t{table}-r{id}-{slot}"),
            token: format!("brwt{table}r{id}s{}x", slot.as_str().replace('-', "")),
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
        let page = Marker::of(key(12, 345), &Slot::page());
        assert_eq!(
            (page.label.as_str(), page.token.as_str()),
            ("baserow-t12-r345", "brwt12r345x")
        );
        let bloc = Marker::of(key(12, 345), &Slot::parse("bloc-17").unwrap());
        assert_eq!(
            (bloc.label.as_str(), bloc.token.as_str()),
            ("baserow-t12-r345-bloc-17", "brwt12r345sbloc17x")
        );
    }

    proptest! {
        #[test]
        fn no_token_is_the_beginning_of_another(a in (1_u64..5000, 1_u64..5000), b in (1_u64..5000, 1_u64..5000)) {
            prop_assume!(a != b);
            let token = |(table, row)| Marker::of(key(table, row), &Slot::page()).token;
            prop_assert!(!token(a).starts_with(&token(b)));
        }
    }
}
