//! Loop protection at the door (D2): was this update caused by our own write, or by nothing at all?
//!
//! Only a certain *yes* closes an item here. Whatever is unclear (no old row, a field named twice, a value written differently) becomes work:
//! a needless sync costs one comparison in the worker, a dropped update would leave a stale page for good.
//! Values are therefore compared as the sender wrote them, byte for byte.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hash as _, Hasher as _};

use foldhash::fast::FixedState;
use passerelle_model::event::Disposition;
use passerelle_model::outcome::Outcome;
use serde_json::value::RawValue;

/// Moving a row changes nothing that a page could show.
const ORDER_FIELD: &str = "order";

/// Which fields of a row are not worth any work.
#[derive(Debug, Clone, Default)]
pub(crate) struct QuietFields {
    /// Written by the bridge alone.
    pub(crate) owned: Vec<String>,
    /// Changing by themselves.
    pub(crate) ignored: Vec<String>,
}

/// The fields of a row as the sender wrote them.
pub(crate) type Fields<'a> = [(Cow<'a, str>, &'a RawValue)];

/// What a difference in one field means.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Difference {
    Quiet,
    Owned,
    Real,
}

impl QuietFields {
    /// What is to be done for a row that was `old` and now is `new`.
    pub(crate) fn disposition(&self, new: &Fields<'_>, old: &Fields<'_>) -> Disposition {
        let Some(differing) = differing_names(new, old) else {
            return Disposition::Sync;
        };
        let mut is_echo = false;
        for name in differing {
            match self.difference(name) {
                Difference::Quiet => {}
                Difference::Owned => is_echo = true,
                Difference::Real => return Disposition::Sync,
            }
        }
        Disposition::Closed(if is_echo { Outcome::Echo } else { Outcome::NoChange })
    }

    /// A hash of a row's fields but the quiet ones, as the sender wrote them. All replicas give the same fields the same hash.
    pub(crate) fn content(&self, fields: &Fields<'_>) -> u64 {
        let mut hasher = FixedState::default().build_hasher();
        for (name, value) in fields {
            if self.difference(name) == Difference::Real {
                name.hash(&mut hasher);
                value.get().hash(&mut hasher);
            }
        }
        hasher.finish()
    }

    fn difference(&self, name: &str) -> Difference {
        if self.owned.iter().any(|owned| owned == name) {
            Difference::Owned
        } else if name == ORDER_FIELD || self.ignored.iter().any(|ignored| ignored == name) {
            Difference::Quiet
        } else {
            Difference::Real
        }
    }
}

/// The names of the fields that one row has and the other has not, or has with another value; `None` if that cannot be told.
fn differing_names<'a>(new: &'a Fields<'_>, old: &'a Fields<'_>) -> Option<Vec<&'a str>> {
    let is_aligned = new.len() == old.len() && new.iter().zip(old).all(|((new, _), (old, _))| new == old);
    if is_aligned {
        // The usual case by far: the sender writes both rows with the same fields in the same order.
        let pairs = new
            .iter()
            .zip(old)
            .filter(|((_, new), (_, old))| new.get() != old.get());
        return Some(pairs.map(|((name, _), _)| name.as_ref()).collect());
    }
    let (new, old) = (by_name(new)?, by_name(old)?);
    let changed = new.iter().filter(|(name, value)| old.get(*name) != Some(*value));
    let gone = old.iter().filter(|(name, _)| !new.contains_key(*name));
    Some(changed.chain(gone).map(|(name, _)| *name).collect())
}

/// The fields by name; `None` if a name stands twice.
fn by_name<'a>(fields: &'a Fields<'_>) -> Option<HashMap<&'a str, &'a str>> {
    let map: HashMap<_, _> = fields
        .iter()
        .map(|(name, value)| (name.as_ref(), value.get()))
        .collect();
    (map.len() == fields.len()).then_some(map)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn quiet() -> QuietFields {
        QuietFields {
            owned: vec!["docmost_page_id".to_owned(), "docmost_url".to_owned()],
            ignored: vec!["Modifié le".to_owned()],
        }
    }

    type Row = Vec<(Cow<'static, str>, Box<RawValue>)>;

    fn row(fields: &[(&str, &str)]) -> Row {
        let raw = |value: &str| RawValue::from_string(value.to_owned()).unwrap();
        fields
            .iter()
            .map(|(name, value)| (Cow::from((*name).to_owned()), raw(value)))
            .collect()
    }

    fn judge(new: &[(&str, &str)], old: &[(&str, &str)]) -> Disposition {
        let (new, old) = (row(new), row(old));
        let new: Vec<_> = new.iter().map(|(name, value)| (name.clone(), &**value)).collect();
        let old: Vec<_> = old.iter().map(|(name, value)| (name.clone(), &**value)).collect();
        quiet().disposition(&new, &old)
    }

    const SYNC: Disposition = Disposition::Sync;
    const ECHO: Disposition = Disposition::Closed(Outcome::Echo);
    const NO_CHANGE: Disposition = Disposition::Closed(Outcome::NoChange);

    #[rstest]
    #[case::nothing(&[("id", "1"), ("Nom", "\"a\"")], &[("id", "1"), ("Nom", "\"a\"")], NO_CHANGE)]
    #[case::only_the_order(&[("order", "\"1\""), ("Nom", "1")], &[("order", "\"2\""), ("Nom", "1")], NO_CHANGE)]
    #[case::only_an_ignored_field(&[("Modifié le", "1")], &[("Modifié le", "2")], NO_CHANGE)]
    #[case::only_an_owned_field(&[("docmost_url", "1")], &[("docmost_url", "2")], ECHO)]
    #[case::owned_and_ignored(&[("docmost_url", "1"), ("Modifié le", "1")], &[("docmost_url", "2"), ("Modifié le", "2")], ECHO)]
    #[case::a_business_field(&[("Nom", "1")], &[("Nom", "2")], SYNC)]
    #[case::a_business_field_and_an_owned_one(&[("docmost_url", "1"), ("Nom", "1")], &[("docmost_url", "2"), ("Nom", "2")], SYNC)]
    #[case::a_new_business_field(&[("Nom", "1"), ("x", "null")], &[("Nom", "1")], SYNC)]
    #[case::a_lost_business_field(&[("Nom", "1")], &[("Nom", "1"), ("x", "null")], SYNC)]
    #[case::a_new_owned_field(&[("Nom", "1"), ("docmost_url", "2")], &[("Nom", "1")], ECHO)]
    #[case::another_sequence_of_fields(&[("a", "1"), ("b", "2")], &[("b", "2"), ("a", "1")], NO_CHANGE)]
    #[case::another_spelling_of_a_number(&[("a", "1.0")], &[("a", "1")], SYNC)]
    #[case::another_case_of_an_owned_name(&[("Docmost_url", "1")], &[("Docmost_url", "2")], SYNC)]
    #[case::a_name_twice(&[("docmost_url", "1"), ("docmost_url", "1")], &[("docmost_url", "2")], SYNC)]
    fn a_row_is_work_unless_it_differs_in_quiet_fields_alone(
        #[case] new: &[(&str, &str)],
        #[case] old: &[(&str, &str)],
        #[case] expected: Disposition,
    ) {
        assert_eq!(judge(new, old), expected);
    }

    fn any_row() -> impl Strategy<Value = BTreeMap<&'static str, u8>> {
        let names = [
            "id",
            "order",
            "Nom",
            "Statut",
            "Client",
            "docmost_page_id",
            "docmost_url",
            "Modifié le",
        ];
        prop::collection::btree_map(prop::sample::select(names.to_vec()), 0_u8..3, 0..8)
    }

    proptest! {
        #[test]
        fn any_difference_in_a_business_field_is_work(new in any_row(), old in any_row()) {
            let business = ["id", "Nom", "Statut", "Client"];
            let owned = ["docmost_page_id", "docmost_url"];
            let differs = |names: &[&str]| names.iter().any(|name| new.get(name) != old.get(name));
            let expected = match (differs(&business), differs(&owned)) {
                (true, _) => SYNC,
                (false, true) => ECHO,
                (false, false) => NO_CHANGE,
            };
            let values = ["0", "1", "2"];
            let fields = |row: &BTreeMap<&'static str, u8>| -> Vec<(&'static str, &'static str)> {
                row.iter().map(|(name, value)| (*name, values[usize::from(*value)])).collect()
            };
            prop_assert_eq!(judge(&fields(&new), &fields(&old)), expected);
        }
    }
}
